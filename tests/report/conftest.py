"""Digits to draw, and a browser that opens a page from a file with every request recorded."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import report_samples as samples

import visiting
from cuello.report.content import ReportContent
from cuello.report.page import render
from visiting import Visit, Visits


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


@pytest.fixture
def visit(chromium: Any, tmp_path: Path) -> Iterator[Visits]:
    contexts = []

    def open_page(content: ReportContent, width: int = 1280, scheme: str = "light") -> Visit:
        file = tmp_path / "report.html"
        file.write_text(render(content), encoding="utf-8")
        context, made = visiting.open_file(chromium, file, width=width, scheme=scheme)
        contexts.append(context)
        return made

    yield open_page
    for context in contexts:
        context.close()
