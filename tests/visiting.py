"""A page in a headless browser: what it asked for and complained about."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

ARGUMENTS = [
    "--no-sandbox",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
    "--disable-gpu",
    "--no-first-run",
    "--in-process-gpu",
    "--renderer-process-limit=1",
    "--disable-site-isolation-trials",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    # The list below the address bar is a page of its own, in every window: a second each.
    "--disable-features=WebUIOmniboxPopup,WebUIOmniboxAimPopup",
    # A page is looked at for seconds: compile what runs, quickly, and collect garbage rarely.
    "--js-flags=--wasm-lazy-compilation --liftoff-only "
    "--min-semi-space-size=64 --max-semi-space-size=64",
]


PATIENCE = 300_000
"""Milliseconds to wait for what must come: on a busy machine all takes longer."""


@dataclass
class Visit:
    """An open page, and what it asked for and complained about."""

    page: Any
    address: str
    requests: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def count(self, selector: str) -> int:
        return int(self.page.locator(selector).count())

    def becomes(self, script: str, value: object) -> None:
        """Wait for a value; playwright's own way evaluates a string, which the page forbids."""
        end = time.monotonic() + PATIENCE / 1000
        while self.page.evaluate(script) != value and time.monotonic() < end:
            self.page.wait_for_timeout(50)
        assert self.page.evaluate(script) == value

    def quiet(self) -> None:
        outside = [r for r in self.requests if not r.startswith(("data:", "blob:"))]
        assert outside == [self.address]
        assert self.problems == []


Visits = Callable[..., Visit]


@contextmanager
def chromium() -> Iterator[Any]:
    """Start the browser that is installed; without one the test is skipped."""
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


class SharedVisits:
    """Pages that stay open for several tests: to load one costs seconds."""

    def __init__(self, browser: Any, reset: Callable[[Visit], None]) -> None:
        self.browser, self.reset = browser, reset
        self.open: dict[object, tuple[Any, Visit]] = {}

    def visit(self, file: Path, *, last: bool = False, **options: Any) -> Visit:
        """Return an open page in its first state; ``last``: no later test gets it."""
        key = (file, *sorted(options.items()))
        if key in self.open:
            self.reset(self.open[key][1])
        else:
            self.open[key] = open_file(self.browser, file, **options)
        self.close(None)
        if last:
            self.open[None] = self.open.pop(key)
        return self.open[None if last else key][1]

    def close(self, *keys: object) -> None:
        for key in keys or list(self.open):
            if key in self.open:
                self.open.pop(key)[0].close()


def open_file(
    browser: Any,
    file: Path,
    *,
    width: int = 1280,
    height: int = 800,
    scheme: str = "light",
    touch: bool = False,
) -> tuple[Any, Visit]:
    """Open a page from a file, with every request recorded and none but its own allowed."""
    context = browser.new_context(
        viewport={"width": width, "height": height},
        color_scheme=scheme,
        accept_downloads=True,
        has_touch=touch,
        is_mobile=touch,
    )
    context.set_default_timeout(PATIENCE)
    page = context.new_page()
    made = Visit(page, file.as_uri())

    def route(handler: Any) -> None:
        if handler.request.url == made.address:
            handler.continue_()
        else:
            handler.abort()

    def complain(text: str) -> None:
        if "GPU stall" not in text:  # what drawing without a graphics card costs is no problem
            made.problems.append(text)

    page.route("**/*", route)
    page.on("request", lambda request: made.requests.append(request.url))
    page.on("console", lambda message: complain(message.text))
    page.on("pageerror", lambda error: complain(str(error)))
    page.goto(made.address)
    page.wait_for_selector("html[data-ready]")
    return context, made
