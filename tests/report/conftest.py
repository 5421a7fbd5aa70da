"""Digits to draw, and a browser that opens a page from a file with every request recorded."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import report_samples as samples
from report_reading import Visit, Visits

from cuello.report import ReportContent, render

ARGUMENTS = [
    "--no-sandbox",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="session")
def digits() -> ReportContent:
    return samples.digits()


@pytest.fixture(scope="session")
def page(digits: ReportContent) -> str:
    return render(digits)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    names = ("chromium", "chromium-browser", "google-chrome")
    executable = next(filter(None, map(shutil.which, names)), None)
    if executable is None:
        missing = f"no browser found (looked for {', '.join(names)})"
        pytest.fail(missing) if os.environ.get("CUELLO_REQUIRE_ALL") else pytest.skip(missing)
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def visit(chromium: Any, tmp_path: Path) -> Iterator[Visits]:
    contexts = []

    def open_page(content: ReportContent, width: int = 1280, scheme: str = "light") -> Visit:
        file = tmp_path / "report.html"
        file.write_text(render(content), encoding="utf-8")
        context = chromium.new_context(
            viewport={"width": width, "height": 800}, color_scheme=scheme, accept_downloads=True
        )
        contexts.append(context)
        page = context.new_page()
        made = Visit(page, file.as_uri())

        def route(handler: Any) -> None:
            if handler.request.url == made.address:
                handler.continue_()
            else:
                handler.abort()

        page.route("**/*", route)
        page.on("request", lambda request: made.requests.append(request.url))
        page.on("console", lambda message: made.problems.append(message.text))
        page.on("pageerror", lambda error: made.problems.append(str(error)))
        page.goto(made.address)
        page.wait_for_selector("html[data-ready]", timeout=30_000)
        return made

    yield open_page
    for context in contexts:
        context.close()
