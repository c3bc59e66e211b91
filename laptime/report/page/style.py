"""The page's style sheet: small, and by hand. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from laptime.report.page import theme


def sheet() -> str:
    """CSS: light, dark, paper."""
    light, dark = (_variables(palette) for palette in (theme.LIGHT, theme.DARK))
    return (
        f":root{{color-scheme:light dark;{light}}}\n"
        f"@media screen and (prefers-color-scheme:dark){{:root{{{dark}}}}}\n"
        f"{_RULES.strip()}\n"
    )


def _variables(palette: Mapping[str, str]) -> str:
    return "".join(f"--{name}:{color};" for name, color in palette.items())


_RULES = """
*{box-sizing:border-box}
html{scroll-behavior:smooth;scroll-padding-top:3.5rem;-webkit-text-size-adjust:100%}
body{margin:0;background:var(--ground);color:var(--ink);overflow-wrap:anywhere;
  font:1rem/1.5 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif}
header,main,footer{max-width:84rem;margin:0 auto;padding:0 1.25rem}
h1{font-size:1.5rem;line-height:1.25;margin:1rem 0 .25rem}
h2{font-size:1.3rem;line-height:1.25;margin:2.5rem 0 .5rem}
h3{font-size:1.05rem;line-height:1.3;margin:0 0 .5rem}
p{margin:.25rem 0 .5rem;max-width:75ch}
a{color:var(--link)}
a:focus-visible,summary:focus-visible,.scroll:focus-visible{outline:3px solid var(--link);outline-offset:2px}
header p,.lead,.note,.sub,footer{color:var(--muted);font-size:.9rem}
.skip{position:absolute;left:-99rem}
.skip:focus{position:static;display:inline-block;padding:.5rem 1.25rem}
nav{position:sticky;top:0;z-index:1;background:var(--ground);border-bottom:1px solid var(--grid)}
nav ul{display:flex;gap:0 1.1rem;list-style:none;margin:0 auto;padding:0 1.25rem;max-width:84rem;overflow-x:auto}
nav a{display:block;padding:.6rem 0;white-space:nowrap;text-decoration:none}
nav a:hover{text-decoration:underline}
main>section:first-child>h2{margin-top:1rem}
.cards,.figures{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,23rem),1fr));gap:1rem}
.cards.two{grid-template-columns:repeat(auto-fit,minmax(min(100%,32rem),1fr))}
.cards>*,.figures>*{min-width:0}
.card{background:var(--card);border:1px solid var(--grid);border-radius:.5rem;padding:1rem}
.card.wide{grid-column:1/-1}
.figures{gap:1.75rem 2rem}
.wide>.figures{grid-template-columns:repeat(auto-fit,minmax(min(100%,30rem),1fr))}
.verdict:first-of-type{font-weight:600}
.beside{font-size:.92rem}
figure{margin:0}
.finding{max-width:95ch;font-size:.95rem;font-weight:600;margin:0 0 .15rem}
.verdict+.figures .finding{font-weight:500}
.sub{max-width:110ch;font-size:.82rem;line-height:1.4;margin:0 0 .5rem}
.chart{display:block;width:100%;min-width:0;overflow:hidden;contain:layout paint style}
.chart svg{display:block;max-width:100%;height:auto}
details{margin:.4rem 0;font-size:.9rem}
summary{cursor:pointer;color:var(--link);width:fit-content;padding:.2rem 0}
.scroll+h3{margin-top:1rem}
.scroll{overflow-x:auto;max-width:100%}
table{border-collapse:collapse;font-size:.85rem;font-variant-numeric:tabular-nums}
th,td{text-align:left;padding:.2rem .9rem .2rem 0;border-bottom:1px solid var(--grid);vertical-align:top;
  unicode-bidi:isolate;overflow-wrap:normal;white-space:nowrap}
td:first-child,td:last-child{overflow-wrap:anywhere;white-space:normal;min-width:9rem;max-width:40rem}
th{color:var(--muted);font-weight:600}
pre{margin:.4rem 0;padding:.5rem .75rem;background:var(--ground);border:1px solid var(--grid);border-radius:.35rem;
  font:.82rem/1.5 ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;white-space:pre-wrap}
#tip{position:fixed;z-index:2;max-width:20rem;padding:.3rem .5rem;border-radius:.3rem;pointer-events:none;
  background:var(--ink);color:var(--ground);font-size:.8rem}
footer{margin-top:3rem;padding-bottom:2rem}
@media (max-width:40rem){
  header,main,footer,nav ul{padding-left:.9rem;padding-right:.9rem}
  .card{padding:.75rem}
  h1{font-size:1.3rem}
}
@media (prefers-reduced-motion:reduce){html{scroll-behavior:auto}}
@media print{
  @page{margin:14mm}
  body{font-size:10pt}
  nav,.skip,#tip{display:none}
  header,main,footer{max-width:none;padding:0}
  .cards,.cards.two{grid-template-columns:1fr}
  .figures{grid-template-columns:repeat(auto-fit,minmax(19rem,1fr))}
  .card{border:0;background:none;padding:0}
  h2,h3,.lead,figcaption{break-after:avoid}
  p,figcaption,.chart,tr,pre{break-inside:avoid}
  figure{break-inside:avoid-page}
  figure:has(details[open]){break-inside:auto}
  .chart svg{width:auto;max-width:100%;max-height:235mm}
  .scroll{overflow:visible}
  details::details-content{content-visibility:visible;block-size:auto}
}
"""
