"""Digits to draw, and a browser that opens a page from a file with every request recorded."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import report_samples as samples

import visiting
from cuello.report.content import ReportContent
from cuello.report.page import render
from visiting import SharedVisits, Visit, Visits


@pytest.fixture(scope="session")
def digits() -> ReportContent:
    return samples.digits()


@pytest.fixture(scope="session")
def page(digits: ReportContent) -> str:
    return render(digits)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    with visiting.chromium() as browser:
        yield browser


FIRST_STATE = """() => {
    document.activeElement.blur();
    for (const button of document.querySelectorAll("#latent-legend [aria-pressed=false]"))
        button.click();
    const log = document.getElementById("log");
    if (log && log.getAttribute("aria-pressed") === "true") log.click();
    scrollTo(0, 0);
}"""


@pytest.fixture(scope="module")
def _visit(
    chromium: Any, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[..., Visit]]:
    shared = SharedVisits(chromium, lambda visit: visit.page.evaluate(FIRST_STATE))
    files: dict[str, Path] = {}

    def open_page(content: ReportContent, **options: Any) -> Visit:
        html = render(content)
        if html not in files:
            files[html] = tmp_path_factory.mktemp("report") / "report.html"
            files[html].write_text(html, encoding="utf-8")
        return shared.visit(files[html], **options)

    yield open_page
    shared.close()


@pytest.fixture
def visit(_visit: Visits) -> Visits:
    """Return a function that opens the page of a content, again for later tests unless ``last``."""
    return _visit
