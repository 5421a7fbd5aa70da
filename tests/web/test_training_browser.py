"""The page of a training in a browser: losses with axes, epoch, time left, reconstructions."""

from __future__ import annotations

import json
from typing import Any

import pytest

from cuello.report.assets import draw

pytestmark = pytest.mark.browser

PIXEL = (
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk"
    "+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
EPOCHS = [
    {"epoch": k, "train": {"a": 2 / (k + 1)}, "validation": {"a": 3 / (k + 1)}} for k in range(37)
]
PROGRESS = {
    "stage": "autoencoder",
    "detail": "epoch 37 of 120, loss 0.05",
    "done": 370,
    "total": 1200,
    "seconds_left": 41.2,
    "previewed": 36,
    "original": [PIXEL] * 3,
    "reconstruction": [PIXEL] * 3,
}


def opened(chromium: Any, **progress: Any) -> Any:
    """Open the page on a phone, at what a server would answer."""
    answers = {
        "/": str(draw("cuello.server/waiting.html")),
        "/api/info": json.dumps({"name": "mine", "kind": "plain", "columns": ["a", "b"]}),
        "/api/history": json.dumps({"status": "running", "epochs": EPOCHS}),
        "/api/progress": json.dumps({**PROGRESS, **progress}),
    }
    page = chromium.new_page(viewport={"width": 390, "height": 844})

    def answer(route: Any) -> None:
        path = route.request.url.removeprefix("http://cuello.test")
        kind = "text/html" if path == "/" else "application/json"
        route.fulfill(body=answers.get(path, ""), content_type=kind)

    page.route("**/*", answer)
    page.goto("http://cuello.test/")
    page.wait_for_function("document.getElementById('state').textContent[0] !== 'W'")
    return page


def test_a_training_is_shown_with_axes_and_the_time_left(chromium: Any) -> None:
    page = opened(chromium)
    state = page.locator("#state").inner_text()
    assert "epoch 37 of 120, loss 0.05" in state
    assert "about 41 s left" in state
    assert page.locator("#bar").evaluate("bar => bar.value / bar.max") == pytest.approx(37 / 120)
    texts = page.locator("#plot text").all_text_contents()
    assert {"epoch", "loss (logarithmic)", "10", "20", "30", "0.1", "1"} <= set(texts)
    # A loss lies at its tick: 0.2 is that of epoch 10 on training samples.
    points = page.locator("polyline.train").get_attribute("points").split(" ")
    tick = page.locator("#plot text", has_text="0.2").first
    assert len(points) == 37
    assert float(points[9].split(",")[1]) == pytest.approx(float(tick.get_attribute("y")) - 4)
    label = page.locator("#plot text", has_text="10").first
    assert float(points[9].split(",")[0]) == pytest.approx(float(label.get_attribute("x")))
    assert page.locator("#pairs img").count() == 6
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.close()


def test_the_method_that_is_fitted_is_named_and_rows_are_numbers(chromium: Any) -> None:
    rows = {"original": [[1.5, None]], "reconstruction": [[1.25, 2.0]]}
    page = opened(chromium, stage="few labels", detail="Label spreading", done=2, total=5, **rows)
    assert "Label spreading, method 3 of 5" in page.locator("#state").inner_text()
    cells = page.locator("#pairs tr:nth-child(n + 2)").all_inner_texts()
    assert [cell.split() for cell in cells] == [["a", "1.5", "1.25"], ["b", "–", "2"]]
    page.close()
