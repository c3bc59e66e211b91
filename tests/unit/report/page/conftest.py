"""A page with all there is, as content and as HTML: made once for the tests that read it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from laptime import trend
from tests.support import reports
from tests.support.histories import commit

if TYPE_CHECKING:  # altair may be missing
    from laptime.report.page.content import Page
    from tests.support.pages import Parsed


@pytest.fixture(scope="session")
def everything() -> Page:
    """A page with all there is."""
    from laptime.report.page import content
    from laptime.report.page.material import Material

    series = reports.stepped()
    material = Material(
        [reports.full(commit=commit("abc"), failed={"t.py::test_bad": "assert 1 == 2"})],
        trends=[(series, trend.change_points(series))],
        gates=[reports.gate()],
        asked=["latest", "-o", "report"],
        version="1.0",
    )
    return content.page(material)


@pytest.fixture(scope="session")
def parsed(everything: Page) -> Parsed:
    """The same as HTML."""
    from laptime.report.page import html
    from tests.support.pages import LIBRARY, Parsed

    return Parsed(html.document(everything, LIBRARY))
