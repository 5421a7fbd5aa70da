"""The page to explore a run, in headless Chromium: its size, start, clicks, frames in a gesture."""

from __future__ import annotations

import shutil
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

import cuello
from benchmarks.timing import Bar, Result, Settings
from cuello.web import page_html

__all__ = ["run"]

_TARGET = 50  # ms
_DATA = ("digits", "mnist", "table")
_POINTS, _COLUMNS = 60_000, 8  # of the table

# From the release of the button to the new image in the document; each click elsewhere.
_CLICKS = """async () => {
    app.plots[0].snap = false;
    const chart = document.querySelector(".latent-plot .chart");
    const area = chart.getBoundingClientRect();
    const times = [];
    for (let k = 0; k < 60; k++) {
        const where = { bubbles: true, pointerId: 1,
            clientX: area.left + 120 + (k * 37) % 600, clientY: area.top + 40 + (k * 53) % 250 };
        times.push(await new Promise((done) => {
            let began = 0;
            const watch = new MutationObserver(() => {
                watch.disconnect();
                done(performance.now() - began);
            });
            watch.observe(document.getElementById("subject"), { childList: true });
            chart.dispatchEvent(new PointerEvent("pointerdown", where));
            began = performance.now();
            chart.dispatchEvent(new PointerEvent("pointerup", where));
        }));
        await new Promise((done) => setTimeout(done, 60));
    }
    return times.slice(10);
}"""

# Frames a second while one event a frame points, turns the wheel, or moves what is in view.
_FRAMES = """async (gesture) => {
    const drag = document.querySelector(".latent-plot .nsewdrag");
    const area = drag.getBoundingClientRect();
    const where = (k) => ({ bubbles: true, cancelable: true, view: window, pointerId: 1, buttons: 1,
        clientX: area.left + area.width / 2 + 60 * Math.sin(k / 9),
        clientY: area.top + area.height / 2 + 40 * Math.sin(k / 7) });
    const wheel = (k) => ({ ...where(k), deltaY: k % 40 < 20 ? -30 : 30 });
    const step = {
        point: (k) => drag.dispatchEvent(new PointerEvent("pointermove", where(k))),
        zoom: (k) => drag.dispatchEvent(new WheelEvent("wheel", wheel(k))),
        move: (k) => document.dispatchEvent(new MouseEvent("mousemove", where(k))),
    }[gesture];
    const pause = () => new Promise((done) => setTimeout(done, 1500));
    if (gesture === "move") {
        await app.plots[0].setMode("pan");
        await pause();
        drag.dispatchEvent(new MouseEvent("mousedown", where(0)));
    }
    const began = performance.now();
    let frames = 0;
    for (; performance.now() - began < 4000; frames++) {
        step(frames);
        await new Promise(requestAnimationFrame);
    }
    const rate = (1000 * frames) / (performance.now() - began);
    document.dispatchEvent(new MouseEvent("mouseup", where(frames)));
    await pause();
    return Math.round(10 * rate) / 10;
}"""


def run(settings: Settings) -> Result:
    """Measure."""
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        return Result(name="page", columns=(), rows=[], notes=["needs Chromium."])
    rows, bars, notes = [], [], []
    for name in _DATA[: 1 if settings.quick else None]:
        try:
            if name != "table":
                cuello.load(name, offline=True)
        except cuello.DataError:
            notes.append(f"needs {name}.")
            continue
        with tempfile.TemporaryDirectory() as folder:
            row, clicks = _measure(name, Path(folder), chromium)
        rows.append(row)
        if not clicks:
            continue
        median = float(np.median(clicks))
        bars.append(
            Bar(
                what=f"{name}: median ms from click to image",
                value=median,
                target=f"below {_TARGET}",
                met=median < _TARGET,
            )
        )
    return Result(
        name="page",
        columns=(
            "data",
            "rows",
            "MB",
            "plot, s",
            "model, s",
            "click, ms",
            "90 % below, ms",
            "pointing, frames/s",
            "zooming, frames/s",
            "moving, frames/s",
        ),
        rows=rows,
        bars=bars,
        notes=notes,
    )


def _measure(name: str, folder: Path, chromium: str) -> tuple[tuple[Any, ...], list[float]]:
    from playwright.sync_api import sync_playwright

    data = _table(folder) if name == "table" else name
    made = cuello.fit(data, latent_dim=2, epochs=2, out=folder / "run")
    file = folder / "page.html"
    file.write_text(page_html(cuello.open_run(made.path)), encoding="utf-8")
    arguments = ["--no-sandbox", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=arguments)
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        began = time.perf_counter()
        page.goto(file.as_uri())
        page.wait_for_selector("html[data-ready]", timeout=120_000)
        drawn = time.perf_counter() - began
        page.wait_for_selector("html[data-models]", timeout=120_000)
        ready = time.perf_counter() - began
        clicks: list[float] = page.evaluate(_CLICKS) if name != "table" else []
        page.wait_for_timeout(1000)
        frames = [page.evaluate(_FRAMES, gesture) for gesture in ("point", "zoom", "move")]
        rows = page.evaluate("app.runs[0].n")
        browser.close()
    size = file.stat().st_size / 1e6
    shares = np.quantile(clicks, [0.5, 0.9]).tolist() if clicks else [None, None]
    times = (round(size, 1), round(drawn, 1), round(ready, 1))
    return (name, rows, *times, *shares, *frames), clicks


def _table(folder: Path) -> Path:
    """Write rows of numbers around six centres, as many as a page has points."""
    rng = np.random.default_rng(0)
    centres, mixing = rng.normal(scale=2.0, size=(6, _COLUMNS)), rng.normal(size=(_COLUMNS,) * 2)
    noise = 0.5 * rng.normal(size=(_POINTS, _COLUMNS)) @ mixing
    X = (centres[rng.integers(0, 6, _POINTS)] + noise).astype(np.float32)
    np.save(folder / "table.npy", X)
    return folder / "table.npy"
