"""The page in a real browser: from a file, with every request recorded and none allowed."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import report_samples as samples
from PIL import Image

from cuello.report.content import LatentProjection, ReportContent
from visiting import Visit, Visits

pytestmark = pytest.mark.browser


def centre(visit: Visit, trace: int, point: int) -> tuple[float, float]:
    """Return where a point is on the screen."""
    place = visit.page.evaluate(
        """([trace, point]) => {
            const div = document.getElementById("latent-chart"), box = div.getBoundingClientRect();
            const { xaxis, yaxis } = div._fullLayout, data = div.data[trace];
            return [box.left + xaxis._offset + xaxis.l2p(data.x[point]),
                    box.top + yaxis._offset + yaxis.l2p(data.y[point])];
        }""",
        [trace, point],
    )
    return place[0], place[1]


def square_projection(digits: ReportContent) -> ReportContent:
    """Return points far apart, each with an image that no other has."""
    side = 5
    grid = np.stack(np.meshgrid(np.arange(side), np.arange(side)), -1).reshape(-1, 2)
    images = np.random.default_rng(0).integers(0, 256, (side * side, 8, 8), dtype=np.uint8)
    latent = LatentProjection(
        xy=grid.astype(np.float32),
        axes=("across", "up"),
        label=np.arange(side * side) % 3,
        names=tuple(f"<b>row</b> {i}" for i in range(side * side)),
        images=images,
    )
    # No other chart: they take most of the time of a visit.
    metrics = digits.metrics | {"few_labels": []}
    classes = ("ant", "<i>bee</i>", "cat")
    return replace(digits, latent=latent, classes=classes, metrics=metrics, history=[])


def test_every_chart_is_drawn_with_all_its_data(visit: Visits, digits: ReportContent) -> None:
    made = visit(digits)
    assert made.count("#few-labels-chart .scatterlayer .point") == 6 * 5 + 6
    assert made.count("#few-labels-chart .errorbar") == 6
    assert made.count("#latent-chart .scatterlayer .point") == 500
    assert made.count("#latent-chart .scatterlayer .trace") == 10
    assert made.count("#latent-legend button[aria-pressed]") == 10
    for chart in ("curve-0", "curve-1", "curve-2"):
        assert made.count(f"#{chart} .scatterlayer .js-line") == 2
    assert made.count("#rate-chart .scatterlayer .js-line") == 1
    assert made.page.locator("#curve-0 .annotation").text_content().startswith("best epoch: ")
    assert made.count(".matrix td.hit") == 10
    broken = "[...document.images].filter(i => !i.complete || i.naturalWidth === 0).length"
    assert made.page.evaluate(broken) == 0
    made.quiet()


def test_predicted_numbers_are_drawn_beside_the_true_ones(visit: Visits) -> None:
    made = visit(samples.numbers())
    assert made.count("#scatter-chart .scatterlayer .point") == 3
    title = made.page.locator("#scatter-chart .xtitle").text_content()
    assert title == "true a < b & c"
    assert made.count("#few-labels-chart .errorbar") == 6
    assert made.count("#latent-chart .colorbar") == 1
    div = made.page.locator("#latent-chart")
    div.focus()
    div.press("ArrowRight")
    texts = [made.page.locator("#card p").last.text_content()]
    # Each press waits for a picture of the screen, and there are many.
    texts += made.page.evaluate(
        """() => Array.from({length: 177}, () => {
            document.activeElement.dispatchEvent(new KeyboardEvent("keydown", {key: "ArrowRight"}));
            return [...document.querySelectorAll("#card p")].at(-1).textContent;
        })"""
    )
    assert sorted(texts)[-1] == "unlabelled"
    assert {"0", "0.25", "22.12"} <= set(texts)
    made.quiet()


def test_only_harmless_buttons(visit: Visits, digits: ReportContent) -> None:
    made = visit(digits)
    titles = made.page.evaluate(
        "[...document.querySelectorAll('#latent-chart .modebar-btn')].map(b => b.dataset.title)"
    )
    assert len(titles) == 6
    assert not any(word in title for title in titles for word in ("Share", "Edit", "Plotly"))
    with made.page.expect_download() as download:
        made.page.locator("#latent-chart .modebar-btn").first.click(force=True)
    assert download.value.suggested_filename.endswith(".png")
    made.quiet()


@pytest.mark.parametrize("row", [0, 7, 24])
def test_pointing_shows_the_right_image(visit: Visits, digits: ReportContent, row: int) -> None:
    content = square_projection(digits)
    assert content.latent is not None
    assert content.latent.images is not None
    made = visit(content)
    made.page.locator("#latent-chart").scroll_into_view_if_needed()
    made.page.mouse.move(*centre(made, row % 3, row // 3))
    card = made.page.locator("#card")
    card.wait_for(state="visible")
    kind = ("ant", "<i>bee</i>", "cat")[row % 3]
    assert card.locator("p").all_inner_texts() == [f"<b>row</b> {row}", kind]
    # 8 x 8 enlarged 11 times: every pixel of the image is a square of one colour.
    shot = Image.open(io.BytesIO(card.locator(".thumb").screenshot())).convert("L")
    assert max(shot.size) - 88 in (0, 1)  # the card may lie between two pixels of the screen
    middles = np.asarray(shot)[5:88:11, 5:88:11]
    np.testing.assert_array_equal(middles, content.latent.images[row])
    box = card.bounding_box()
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= 1280
    made.page.mouse.move(5, 5)
    card.wait_for(state="hidden")
    made.quiet()


def test_points_by_keyboard(visit: Visits, digits: ReportContent) -> None:
    made = visit(square_projection(digits))
    made.page.locator("#latent-chart").focus()
    names = []
    for key in ("ArrowRight", "ArrowRight", "ArrowLeft", "ArrowLeft"):
        made.page.keyboard.press(key)
        names.append(made.page.locator("#card p").first.inner_text())
    assert names == [f"<b>row</b> {i}" for i in (0, 5, 0, 24)]  # by x, then by number
    made.page.keyboard.press("Escape")
    assert made.page.locator("#card").is_hidden()


def test_classes_can_be_hidden(visit: Visits, digits: ReportContent) -> None:
    made = visit(digits)
    assert digits.latent is not None
    assert digits.latent.label is not None
    fours = int((digits.latent.label == 4).sum())
    button = made.page.locator("#latent-legend button").nth(4)
    button.press("Enter")
    assert button.get_attribute("aria-pressed") == "false"
    assert made.count("#latent-chart .scatterlayer .point") == 500 - fours
    made.page.get_by_text("Hide all").click()
    assert made.count("#latent-chart .scatterlayer .point") == 0
    made.page.get_by_text("Show all").click()
    assert made.count("#latent-chart .scatterlayer .point") == 500
    made.quiet()


def test_logarithmic_axis(visit: Visits, digits: ReportContent) -> None:
    made = visit(digits)
    kinds = "['curve-0', 'curve-1'].map(id => document.getElementById(id)._fullLayout.yaxis.type)"
    line = "document.querySelector('#curve-0 .js-line').getAttribute('d')"
    before = made.page.evaluate(line)
    made.page.locator("#log").click()
    assert made.page.evaluate(kinds) == ["log", "log"]
    assert made.page.evaluate(line) != before
    assert made.page.locator("#log").get_attribute("aria-pressed") == "true"
    made.page.locator("#log").click()
    assert made.page.evaluate(kinds) == ["linear", "linear"]
    assert made.page.evaluate(line) == before
    made.quiet()


def luminance(colour: tuple[int, ...]) -> float:
    """Return the relative luminance of sRGB (WCAG 2)."""
    channels = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4
                for c in (value / 255 for value in colour)]  # fmt: skip
    return 0.2126 * channels[0] + 0.7152 * channels[1] + 0.0722 * channels[2]


DARK = {"width": 400, "scheme": "dark"}
"""One visit for what is seen in the dark and on a phone."""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_contrast(visit: Visits, digits: ReportContent, scheme: str) -> None:
    made = visit(digits, **{"light": {}, "dark": DARK}[scheme])
    look = """selector => [getComputedStyle(document.querySelector(selector)).color,
        getComputedStyle(document.body).backgroundColor].map(c => c.match(/\\d+/g).map(Number))"""
    for selector in ("main p", ".beside", "nav a", ".caption", "th", ".chosen", "button"):
        text, back = (luminance(tuple(c[:3])) for c in made.page.evaluate(look, selector))
        assert (max(text, back) + 0.05) / (min(text, back) + 0.05) >= 4.5, selector
    dark = made.page.evaluate("getComputedStyle(document.body).backgroundColor")
    paper = made.page.evaluate("document.getElementById('curve-0')._fullLayout.paper_bgcolor")
    assert dark == f"rgb({', '.join(str(int(paper[i : i + 2], 16)) for i in (1, 3, 5))})"
    assert (luminance(tuple(int(paper[i : i + 2], 16) for i in (1, 3, 5))) < 0.2) == (
        scheme == "dark"
    )


@pytest.mark.parametrize("make", [samples.digits, samples.wine, samples.empty])
def test_nothing_is_wider_than_the_screen(visit: Visits, make: Callable[[], ReportContent]) -> None:
    content = make()
    made = visit(content, **(DARK if make is samples.digits else {"width": 400}))
    assert made.page.evaluate("document.documentElement.scrollWidth") <= 400
    first = "document.querySelector('.js-plotly-plot')?._fullLayout.width ?? 0"
    narrow = made.page.evaluate(first)
    made.page.set_viewport_size({"width": 768, "height": 800})
    made.becomes(f"({first}) > {narrow}", make is not samples.empty)
    assert made.page.evaluate("document.documentElement.scrollWidth") <= 768
    made.page.set_viewport_size({"width": 400, "height": 800})
    made.becomes(first, narrow)
    assert made.page.evaluate("document.documentElement.scrollWidth") <= 400
    made.quiet()


def test_table_data(visit: Visits) -> None:
    made = visit(samples.wine(), width=400)
    assert made.count("#latent-chart .scatterlayer .point") == 178
    assert made.count(".values mark") == 5 * 2
    made.page.locator("#latent-chart").focus()
    made.page.keyboard.press("ArrowRight")
    card = made.page.locator("#card")
    assert card.locator(".thumb").count() == 0
    assert card.inner_text().startswith("row ")
    made.quiet()


def test_empty_page(visit: Visits) -> None:
    made = visit(samples.empty(), width=400)
    assert made.count("section") == 7
    assert made.count(".js-plotly-plot") == 0
    made.quiet()


def test_unusual_content(visit: Visits, digits: ReportContent) -> None:
    """One epoch, one class, one latent number, NaN, names that look like markup."""
    assert digits.latent is not None
    xy = digits.latent.xy.copy()
    xy[:, 1] = 0
    xy[5] = np.nan
    evil = samples.HOSTILE
    latent = replace(digits.latent, xy=xy, label=np.zeros(500, np.int64), axes=(evil, evil))
    nan = float("nan")
    made = visit(
        replace(
            digits,
            title=evil,
            classes=(evil,),
            latent=replace(latent, names=(evil,) * 500),
            history=[
                samples.curves(1)[0]
                | {"train": {evil: 1.0, "b": nan}, "validation": {evil: 2.0, "b": nan}}
            ],
            metrics=digits.metrics
            | {
                "few_labels": [
                    row | {"method": evil, "display_name": evil, "accuracy_mean": nan}
                    for row in samples.few_label_rows(1)[:1]
                ],
                "method": evil,
                "confusion": {"method": evil, "matrix": [[3]], "classes": [evil]},
            },
        )
    )
    made.page.locator("#latent-chart").focus()
    made.page.keyboard.press("ArrowRight")
    assert made.page.locator("#card p").all_inner_texts() == [evil, evil]
    assert made.page.evaluate("window.broken") is None
    assert made.count("#latent-chart .scatterlayer .point") == 499
    assert made.page.locator("#latent-legend button").first.inner_text() == evil
    assert evil.split("<")[0] in made.page.locator("h1").inner_text()
    made.quiet()


def test_injected_script_does_not_run(visit: Visits) -> None:
    made = visit(samples.empty(), width=400, last=True)
    made.page.evaluate(
        """() => {
            const script = document.createElement("script");
            script.textContent = "window.broken = 1";
            document.body.append(script);
        }"""
    )
    assert made.page.evaluate("window.broken") is None
    assert any("Content Security Policy" in problem for problem in made.problems)


def test_plotly_is_the_installed_one(visit: Visits, digits: ReportContent) -> None:
    made = visit(digits)
    packed = base64.b64decode(made.page.locator("#plotly").text_content())
    assert packed[:2] == b"\x1f\x8b"
    assert made.page.evaluate("typeof Plotly.react") == "function"


def test_charts_follow_a_change_of_scheme_and_of_the_window_and_print_light(
    visit: Visits, digits: ReportContent
) -> None:
    made = visit(digits, last=True)
    paper = "document.getElementById('latent-chart')._fullLayout.paper_bgcolor"
    assert made.page.evaluate(paper) == "#ffffff"
    made.page.emulate_media(color_scheme="dark")
    made.becomes(paper, "#14171a")
    made.page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert made.page.evaluate(paper) == "#fff"
    made.page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert made.page.evaluate(paper) == "#14171a"
    made.page.set_viewport_size({"width": 400, "height": 800})
    made.becomes("document.getElementById('latent-chart')._fullLayout.width <= 400", True)
    assert made.page.evaluate("document.documentElement.scrollWidth") <= 400
    made.quiet()
