"""The page's own script: it draws the charts, one after the other. Pure.

Each chart is drawn in a task of its own, so that the first ones are seen at once; those that are not on the screen are
drawn, too, for who prints the page. Vega's expressions are interpreted (``ast``): compiling them would need what the
page's Content-Security-Policy forbids.
"""

from __future__ import annotations

SCRIPT = """
(() => {
  "use strict";
  const root = document.documentElement;
  const tip = document.getElementById("tip");
  const boxes = [...document.querySelectorAll(".chart")];
  const specOf = (box) => JSON.parse(box.nextElementSibling.textContent);

  function tooltip(handler, event, item, value) {
    if (value == null || value === "") {
      tip.hidden = true;
      return;
    }
    tip.textContent = String(value);
    tip.hidden = false;
    const room = root.clientWidth - tip.offsetWidth - 8;
    tip.style.left = Math.max(8, Math.min(event.clientX + 12, room)) + "px";
    const above = event.clientY - tip.offsetHeight - 10;
    tip.style.top = (above < 8 ? event.clientY + 18 : above) + "px";
  }

  const options = {
    mode: "vega-lite", renderer: "svg", ast: true, actions: false, defaultStyle: false, hover: false, tooltip,
  };
  const pause = () => new Promise((resolve) => setTimeout(resolve, 0));

  async function draw() {
    root.dataset.charts = "drawing";
    let failed = 0;
    for (const box of boxes) {
      try {
        await vegaEmbed(box, specOf(box), options);
      } catch (error) {
        failed += 1;
        box.textContent = "This chart could not be drawn: its figures are below.";
        console.error(error);
      }
      box.style.minHeight = "";
      root.dataset.first ??= Math.round(performance.now());
      await pause();
    }
    root.dataset.last = Math.round(performance.now());
    root.dataset.charts = failed ? "failed" : "drawn";
  }

  // what is below a chart doesn't jump when it is drawn
  for (const box of boxes) {
    box.style.minHeight = box.dataset.height + "px";
  }

  // paper can't be clicked
  let opened = [];
  addEventListener("beforeprint", () => {
    opened = [...document.querySelectorAll("details:not([open])")];
    opened.forEach((one) => { one.open = true; });
  });
  addEventListener("afterprint", () => opened.forEach((one) => { one.open = false; }));

  draw();
})();
"""
