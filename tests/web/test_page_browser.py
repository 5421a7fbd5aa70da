"""The page in a real browser, from a file, without a network: what it computes is compared with
what the run computes in Python."""

from __future__ import annotations

import base64
import csv
import io
import json
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow.parquet as pq
import pytest
from PIL import Image
from sklearn.linear_model import LogisticRegression
from web_samples import EVIL, Made

from visiting import PATIENCE, Visit

pytestmark = pytest.mark.browser

Visiting = Callable[..., Visit]

PHONE = {"width": 390, "height": 844, "scheme": "dark"}
"""One visit of a page for what is seen on a phone and for what looks the same everywhere."""
HAND = {**PHONE, "touch": True}


def embeddings_of(made: Made, name: str) -> npt.NDArray[np.float32]:
    table = pq.read_table(made.folder / name / "embeddings.parquet")
    names = [c for c in table.column_names if c.startswith("z") and c[1:].isdecimal()]
    return np.stack([table[c].to_numpy() for c in names], axis=1)


def pixels(opened: Visit, selector: str) -> npt.NDArray[np.uint8]:
    """Return what a canvas shows, (height, width, 3)."""
    uri = opened.page.locator(selector).first.evaluate("canvas => canvas.toDataURL()")
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(uri.split(",")[1]))).convert("RGB"))


def shown(opened: Visit, title: str) -> npt.NDArray[np.uint8]:
    """Return the grey values of the picture of that title below the map."""
    figure = f".subject > figure:has(figcaption[title='{title}']) canvas"
    return pixels(opened, figure)[..., 0]


def comparable(opened: Visit, expected: str) -> None:
    """Wait until the facts below the map speak of something."""
    opened.page.locator(".facts", has_text=expected).wait_for()


def screen(opened: Visit, x: float, y: float, which: int = 0) -> tuple[float, float]:
    """Return where a place of the map is on the screen."""
    chart = opened.page.locator(".latent-plot .chart").nth(which)
    chart.scroll_into_view_if_needed()
    px, py = opened.page.evaluate(f"app.plots[{which}].toScreen({x}, {y})")
    box = chart.bounding_box()
    return box["x"] + px, box["y"] + py


def click(opened: Visit, x: float, y: float, which: int = 0) -> None:
    opened.page.mouse.click(*screen(opened, x, y, which))


def find(opened: Visit, row: int) -> None:
    name = opened.page.evaluate(f"app.runs[0].name({row})")
    opened.page.locator("#wanted").fill(name)
    opened.page.locator("#wanted").press("Enter")
    comparable(opened, name)


SHARP = "app.plots[0].points.isSharp()"
AXES = "(({xaxis, yaxis}) => ({xaxis, yaxis}))(app.plots[0].chart._fullLayout)"
COUNT = """() => {
    const context = app.plots[0].points.canvas.getContext("2d");
    const copy = CanvasRenderingContext2D.prototype.drawImage;
    window.stamps = 0;
    context.drawImage = (...all) => { stamps += 1; copy.apply(context, all); };
}"""


def stamped(opened: Visit, script: str) -> int:
    """Return how many points a script draws."""
    opened.page.evaluate(COUNT)
    opened.page.evaluate(f"() => {{ {script}; }}")
    return int(opened.page.evaluate("stamps"))


def near(seen: npt.NDArray[Any], expected: npt.NDArray[Any], steps: float = 2.0) -> None:
    """Compare grey values, in steps of the 255 that a screen has."""
    np.testing.assert_allclose(seen.astype(float), np.clip(expected, 0, 255), atol=steps)


def test_the_projection_shows_every_row_and_its_colours(visit: Visiting, made: Made) -> None:
    opened = visit()
    assert opened.page.evaluate("app.runs[0].n") == 150
    codes = embeddings_of(made, "plane")
    x = opened.page.evaluate("[...app.runs[0].x]")
    step = np.ptp(codes[:, 0]) / 65535
    np.testing.assert_allclose(x, codes[:, 0], atol=step)
    sizes = [len(list((made.folder / "digits" / kind).iterdir())) for kind in (EVIL, "one", "zero")]
    assert stamped(opened, "app.plots[0].draw()") == sum(sizes)
    opened.page.locator("#colour").select_option("reconstruction error")
    errors = -made.run("plane").autoencoder.score_samples(made.run("plane").load(
        made.folder / "digits").X)  # fmt: skip
    # The lightest points are those of the largest errors, the darkest those of the smallest.
    at = "(i => app.plots[0].toScreen(app.runs[0].x[i], app.runs[0].y[i]))"
    places = np.array(opened.page.evaluate(f"[...Array(150).keys()].map{at}"))
    between = np.linalg.norm(places[:, None] - places, axis=2) + 1e9 * np.eye(150)
    alone = between.min(axis=1) > 9
    assert alone.sum() > 20
    area = opened.page.evaluate(f"Object.values({AXES}).map(a => a._offset)")
    picture = pixels(opened, ".points canvas").sum(axis=2)
    left, top = opened.page.evaluate(f"Object.values({AXES}).map(a => a._length * BEYOND)")
    x, y = (places[alone] - area + [left, top]).round().astype(int).T
    brightness = picture[y, x]
    order = np.argsort(errors[alone])
    assert brightness[order[-5:]].min() > brightness[order[:5]].max()
    opened.page.locator("#colour").select_option("class")
    opened.page.get_by_role("button", name="zero", exact=True).first.click()
    assert stamped(opened, "app.plots[0].points.draw()") == sum(sizes) - sizes[2]
    opened.quiet()


def test_a_gesture_moves_the_picture_and_draws_it_once_at_its_end(visit: Visiting) -> None:
    opened = visit()
    opened.becomes(SHARP, True)
    before, view = pixels(opened, ".points canvas"), "JSON.stringify(app.plots[0].view())"
    wide = opened.page.evaluate(view)
    opened.page.evaluate(COUNT)
    x, y = opened.page.evaluate("[app.runs[0].x[7], app.runs[0].y[7]]")
    opened.page.mouse.move(*screen(opened, x, y))
    opened.page.locator(".card").wait_for(state="visible")
    assert opened.page.evaluate("stamps") == 0  # pointing draws no point
    np.testing.assert_array_equal(pixels(opened, ".points canvas"), before)
    for _ in range(6):
        opened.page.mouse.wheel(0, -60)
    opened.becomes(f"{view} !== {json.dumps(wide)} && {SHARP}", True)
    assert 0 < opened.page.evaluate("stamps") <= 150
    zoomed = pixels(opened, ".points canvas")
    assert (zoomed != before).any()
    opened.page.evaluate("app.plots[0].draw()")
    np.testing.assert_array_equal(pixels(opened, ".points canvas"), zoomed)
    opened.quiet()


def test_names_are_text_and_never_markup(visit: Visiting) -> None:
    opened = visit()
    row = opened.page.evaluate("[...app.runs[0].classes.values].findIndex("
                               f"c => app.runs[0].classes.classes[c] === {EVIL!r})")  # fmt: skip
    find(opened, row)
    assert EVIL in opened.page.locator(".facts").inner_text()
    opened.page.mouse.move(*screen(opened, *opened.page.evaluate(
        f"[app.runs[0].x[{row}], app.runs[0].y[{row}]]")))  # fmt: skip
    card = opened.page.locator(".card")
    card.wait_for(state="visible")
    assert EVIL in card.inner_text()
    opened.page.locator("#tab-label").click()
    assert EVIL in opened.page.locator("#classes").inner_text()
    assert opened.count("img") == 0
    assert opened.page.evaluate("window.broken") is None
    inline = "[...document.querySelectorAll('*')].some(e => [...e.attributes].some(" \
             "a => a.name.startsWith('on')))"  # fmt: skip
    assert opened.page.evaluate(inline) is False
    opened.quiet()


def test_pointing_at_a_row_shows_its_own_image(visit: Visiting, made: Made) -> None:
    opened = visit()
    x, y = opened.page.evaluate("[app.runs[0].x[7], app.runs[0].y[7]]")
    opened.page.mouse.move(*screen(opened, x, y))
    opened.page.locator(".card").wait_for(state="visible")
    name = opened.page.locator(".card p").first.inner_text()
    row = opened.page.evaluate(f"app.runs[0].names.indexOf({name!r})")
    data = made.run("plane").load(made.folder / "digits")
    assert data.row_names is not None
    assert data.row_names[row] == name
    np.testing.assert_array_equal(pixels(opened, ".card canvas")[..., 0], data.X[row])
    opened.quiet()


def test_a_click_where_no_row_is_decodes_that_place(visit: Visiting, made: Made) -> None:
    opened = visit()
    ranges = opened.page.evaluate("app.plots[0].view()")
    x = ranges["x"][0] + 0.02 * (ranges["x"][1] - ranges["x"][0])
    y = ranges["y"][1] - 0.03 * (ranges["y"][1] - ranges["y"][0])
    assert opened.page.evaluate(f"app.plots[0].nearest(...app.plots[0].toScreen({x}, {y}))") == -1
    click(opened, x, y)
    comparable(opened, "point")
    code = np.array([opened.page.evaluate("[...app.embedding]")], dtype=np.float32)
    width, height = np.diff(ranges["x"])[0], np.diff(ranges["y"])[0]
    np.testing.assert_allclose(code[0], [x, y], atol=0.005 * max(width, height))
    near(shown(opened, "decoded here"), made.run("plane").autoencoder.inverse_transform(code)[0])
    opened.quiet()


def test_a_click_on_a_row_shows_it_beside_its_reconstruction(visit: Visiting, made: Made) -> None:
    opened = visit()
    place = opened.page.evaluate("[app.runs[0].x[11], app.runs[0].y[11]]")
    row = opened.page.evaluate(
        "place => app.plots[0].nearest(...app.plots[0].toScreen(...place))", place
    )
    assert row > 0
    click(opened, *place)
    opened.becomes("app.subject.row", row)
    run = made.run("plane")
    X = run.load(made.folder / "digits").X[row : row + 1]
    near(shown(opened, "original"), X[0], 0)
    near(shown(opened, "reconstruction"), run.autoencoder.reconstruct(X)[0])
    opened.quiet()


def test_sliders_of_more_latents_than_two(visit: Visiting, made: Made) -> None:
    opened = visit("four")
    autoencoder, codes = made.run("four").autoencoder, embeddings_of(made, "four")
    opened.page.locator("#projection").select_option("PCA")
    opened.becomes("app.runs[0].projection.name", "PCA")
    assert "first principal component" in opened.page.locator(".latent-plot .xtitle").text_content()
    # Codes are shown where their principal components are: as far apart as in Python.
    centred = codes - codes.mean(axis=0)
    variance = np.linalg.svd(centred, compute_uv=False)[:2] ** 2
    x, y = (np.array(opened.page.evaluate(f"[...app.runs[0].{axis}]")) for axis in "xy")
    np.testing.assert_allclose([(x**2).sum(), (y**2).sum()], variance, rtol=1e-3)
    opened.page.locator("#latent-2").evaluate(
        "input => { input.value = Number(input.max); input.dispatchEvent(new Event('input')); }"
    )
    comparable(opened, "point")
    code = np.array([opened.page.evaluate("[...app.embedding]")], dtype=np.float32)
    span = np.ptp(codes[:, 2])
    assert code[0, 2] == pytest.approx(codes[:, 2].max() + 0.1 * span, rel=1e-3)
    near(shown(opened, "decoded here"), autoencoder.inverse_transform(code)[0])
    # A click decodes the plane: all components but the first two are at their mean.
    view = opened.page.evaluate("app.plots[0].view()")
    click(opened, view["x"][0] * 0.98 + view["x"][1] * 0.02, view["y"][1])
    opened.becomes("app.subject.spot !== undefined", True)
    click_code = np.array(opened.page.evaluate("[...app.embedding]")) - codes.mean(axis=0)
    _, _, axes = np.linalg.svd(centred)
    np.testing.assert_allclose(axes[2:] @ click_code, 0, atol=1e-3)
    opened.quiet()


def test_the_learned_projection_of_more_latents_than_two(visit: Visiting, made: Made) -> None:
    opened = visit("four")
    run, codes = made.run("four"), embeddings_of(made, "four")
    assert run.projection is not None
    assert (
        opened.page.locator(".latent-plot .xtitle").text_content()
        == "learned projection of the embeddings"
    )
    expected = run.projection.transform(codes)
    shown_at = np.array(opened.page.evaluate("[[...app.runs[0].x], [...app.runs[0].y]]")).T
    np.testing.assert_allclose(shown_at, expected, atol=np.ptp(expected) * 1e-4)
    # A row is marked where it lies; a code that is none goes where the map would place it.
    placed = opened.page.evaluate("app.runs[0].project([...app.runs[0].embedding(7)])")
    np.testing.assert_allclose(placed, expected[7], atol=np.ptp(expected) * 1e-3)
    # A click decodes what the map leads back to.
    view = opened.page.evaluate("app.plots[0].view()")
    click(opened, view["x"][0] * 0.98 + view["x"][1] * 0.02, view["y"][1])
    opened.becomes("app.subject.spot !== undefined", True)
    spot = np.array([opened.page.evaluate("app.subject.spot")], dtype=np.float32)
    code = np.array([opened.page.evaluate("[...app.embedding]")], dtype=np.float32)
    np.testing.assert_allclose(code, run.projection.inverse_transform(spot), atol=1e-3)
    near(shown(opened, "decoded here"), run.autoencoder.inverse_transform(code)[0])
    assert "learned projection" in opened.page.locator("#decode-text").inner_text()
    # In the other plane what is looked at stays, and the whole of the plane is in view.
    opened.page.locator("#projection").select_option("PCA")
    opened.becomes("app.runs[0].projection.name", "PCA")
    opened.becomes("app.subject.spot === undefined", True)
    np.testing.assert_allclose(opened.page.evaluate("[...app.embedding]"), code[0], atol=1e-6)
    assert len(opened.page.evaluate("app.plots[0].inView()")) == len(codes)
    assert "principal components" in opened.page.locator("#decode-text").inner_text()
    opened.quiet()


def test_two_latents_have_one_projection(visit: Visiting) -> None:
    opened = visit()
    assert not opened.page.locator("#projection-label").is_visible()
    opened.quiet()


def test_interpolation_between_two_images(visit: Visiting, made: Made) -> None:
    opened = visit("four")
    codes, autoencoder = embeddings_of(made, "four"), made.run("four").autoencoder
    find(opened, 3)
    opened.page.locator("#interpolation-from").click()
    find(opened, 90)
    opened.page.locator("#interpolation-to").click()
    opened.page.locator("#interpolation-strip canvas").nth(8).wait_for()
    middle = (codes[[3]] + codes[[90]]) / 2
    near(pixels(opened, "#interpolation-strip button:nth-child(5) canvas")[..., 0],
         autoencoder.inverse_transform(middle)[0], 3)  # fmt: skip
    opened.page.locator("#interpolation-at").evaluate(
        "input => { input.value = 0.5; input.dispatchEvent(new Event('input')); }"
    )
    comparable(opened, "interpolated, 50 %")
    near(shown(opened, "decoded here"), autoencoder.inverse_transform(middle)[0], 3)
    # Three seconds, in a third of one.
    opened.page.evaluate("performance.now = (now => () => 9 * now())("
                         "performance.now.bind(performance))")  # fmt: skip
    opened.page.locator("#interpolation-play").click()
    comparable(opened, "interpolated, 100 %")
    near(shown(opened, "decoded here"), autoencoder.inverse_transform(codes[[90]])[0], 3)
    opened.page.evaluate("delete performance.now")  # of this object, not of all
    opened.quiet()


def test_the_grid_behind_the_points_is_decoded(visit: Visiting, made: Made) -> None:
    opened = visit()
    images = "document.querySelector('.latent-plot .chart')._fullLayout.images.length"
    assert opened.page.evaluate(images) == 0
    opened.page.locator("#grid").check()
    opened.becomes(images, 1)
    uri, x, y, w, h = opened.page.evaluate(
        "(({source, x, y, sizex, sizey}) => [source, x, y, sizex, sizey])(app.plots[0].grid[0])"
    )
    sheet = np.asarray(Image.open(io.BytesIO(base64.b64decode(uri.split(",")[1]))).convert("L"))
    across = 14
    side = sheet.shape[1] // across
    down = sheet.shape[0] // side
    code = np.array([[x + 2.5 * w / across, y - 1.5 * h / down]], dtype=np.float32)
    expected = made.run("plane").autoencoder.inverse_transform(code)[0]
    cell = sheet[side + 2 : 2 * side - 2, 2 * side + 2 : 3 * side - 2]
    steps = ((np.arange(8) + 0.5) * len(cell) / 8).astype(int)
    near(cell[np.ix_(steps, steps)], expected, 3)
    opened.page.locator("#grid").uncheck()
    opened.becomes(images, 0)
    opened.quiet()


def test_search_and_neighbours(visit: Visiting, made: Made) -> None:
    opened = visit()
    codes = embeddings_of(made, "plane")
    find(opened, 42)
    order = np.argsort(((codes - codes[42]) ** 2).sum(axis=1), kind="stable")[1:9]
    assert opened.page.evaluate("app.subject.near") == pytest.approx(order.tolist())
    opened.page.locator(".near button").nth(2).click()
    opened.becomes("app.subject.row", int(order[2]))
    opened.page.locator("#wanted").fill("17")
    opened.page.locator("#wanted").press("Enter")
    opened.becomes("app.subject.row", 17)
    opened.page.locator("#wanted").fill("no such row")
    opened.page.locator("#wanted").press("Enter")
    assert opened.page.locator("#wanted").evaluate("input => input.validationMessage")
    opened.quiet()


def test_a_lasso_lists_and_exports_rows(visit: Visiting, made: Made) -> None:
    opened = visit()
    opened.page.get_by_role("button", name="Lasso").click()
    codes = embeddings_of(made, "plane")
    low, high = np.quantile(codes, 0.2, axis=0), np.quantile(codes, 0.8, axis=0)
    corners = [low, (high[0], low[1]), high, (low[0], high[1]), low]
    mouse = opened.page.mouse
    mouse.move(*screen(opened, *map(float, corners[0])))
    mouse.down()
    for corner in corners[1:]:
        mouse.move(*screen(opened, *map(float, corner)), steps=5)
    mouse.up()
    inside = np.flatnonzero(((codes > low) & (codes < high)).all(axis=1))
    opened.page.locator("#marked-text", has_text="samples marked").wait_for()
    with opened.page.expect_download() as download:
        opened.page.locator("#mark-save").click()
    text = Path(download.value.path()).read_text(encoding="utf-8")
    lines = list(csv.DictReader(io.StringIO(text, newline="")))
    got = {int(line["row"]) for line in lines}
    assert len(got ^ set(inside.tolist())) <= 2  # at the very edge
    assert len(inside) > 20
    assert float(lines[0]["z1"]) == pytest.approx(codes[int(lines[0]["row"]), 1], abs=1e-3)
    assert {line["class"] for line in lines} <= {"zero", "one", EVIL}
    opened.quiet()


def draw_a_bar(opened: Visit) -> None:
    opened.page.locator("#tab-input").click()
    box = opened.page.locator(".pad").bounding_box()
    opened.page.mouse.move(box["x"] + 112, box["y"] + 30)
    opened.page.mouse.down()
    opened.page.mouse.move(box["x"] + 112, box["y"] + 190, steps=8)
    opened.page.mouse.up()
    comparable(opened, "drawing")


def test_what_is_drawn_is_coded_denoised_classified_and_scored(visit: Visiting, made: Made) -> None:
    opened = visit()
    draw_a_bar(opened)
    bar = "[1, 2, 3, 4, 5, 6].every(y => app.subject.values[8 * y + 3] > 40)"
    opened.becomes(f"app.subject.values !== null && {bar}", True)
    given = np.array(opened.page.evaluate("[...app.subject.values]"), dtype=np.float32)
    X = given.reshape(1, 8, 8)
    assert X[0, 1:7, 3:5].min() > 40  # the bar, in the middle
    assert X[0, :, 0].max() == 0
    run = made.run("plane")
    model = run.autoencoder
    np.testing.assert_allclose(
        opened.page.evaluate("[...app.embedding]"), model.transform(X)[0], atol=1e-4
    )
    assert opened.page.evaluate("app.plots[0].here") == pytest.approx(
        model.transform(X)[0].tolist(), abs=1e-4
    )
    near(shown(opened, "input"), X[0], 1)
    near(shown(opened, "reconstruction"), model.reconstruct(X)[0])
    assert run.classifier is not None
    expected = run.classifier.predict_proba(X)[0]  # type: ignore[union-attr]
    np.testing.assert_allclose(
        opened.page.evaluate("[...app.subject.probabilities]"), expected, atol=1e-4
    )
    assert opened.count(".bars li") == 3
    errors = -model.score_samples(run.load(made.folder / "digits").X)
    share = (errors < -model.score_samples(X)[0]).mean()
    text = opened.page.locator(".facts").inner_text()
    found = re.search(r"higher than in ([\d.]+) % of the samples", text)
    assert found
    assert float(found[1]) == pytest.approx(100 * share, abs=0.51)
    assert opened.count(".near button") == 8
    # From a file: by the error alone, among held-out samples.
    assert run.detector is not None
    expected = run.detector.single_scores(X)["reconstruction"]
    text = opened.page.locator(".facts").inner_text()
    found = re.search(
        r"anomaly score by that error\s+([\d.]+): one normal sample in ([\d.]+)", text
    )
    assert found, text
    assert float(found[1]) == pytest.approx(float(expected[0]), rel=0.01, abs=1e-3)
    assert float(found[2]) == pytest.approx(10 ** float(expected[0]), rel=0.02)
    tail = run.detector.scores_.tails["reconstruction"]
    errors = np.exp(np.linspace(tail.scores[0] - 1, tail.scores[-1] + 2, 40))
    surprises = opened.page.evaluate(f"{errors.tolist()}.map(app.runs[0].anomalyScore)")
    np.testing.assert_allclose(surprises, tail.anomaly_scores(np.log(errors)), atol=1e-3)
    opened.page.locator("#pad-clear").click()
    assert pixels(opened, ".pad").max() == 0
    opened.quiet()


def test_an_image_file_is_read_as_the_run_read_its_own(
    visit: Visiting, made: Made, tmp_path: Path
) -> None:
    opened = visit()
    data = made.run("plane").load(made.folder / "digits")
    Image.fromarray(255 - data.X[5]).save(tmp_path / "photo.png")
    opened.page.locator("#tab-input").click()
    opened.page.locator("#invert").check()
    opened.page.locator("#file").set_input_files(tmp_path / "photo.png")
    comparable(opened, "photo.png")
    near(shown(opened, "input"), data.X[5], 1)
    codes = embeddings_of(made, "plane")
    np.testing.assert_allclose(opened.page.evaluate("[...app.embedding]"), codes[5], atol=0.02)
    assert opened.page.evaluate("app.subject.near")[0] == 5
    (tmp_path / "none.png").write_text("no image")
    opened.page.locator("#file").set_input_files(tmp_path / "none.png")
    opened.page.locator("#input-text", has_text="is not an image").wait_for()
    opened.quiet()


def test_anomalies_by_score_above_a_threshold(visit: Visiting, made: Made) -> None:
    opened = visit()
    opened.page.locator("#tab-anomalies").click()
    run = made.run("plane")
    X = run.load(made.folder / "digits").X
    assert run.detector is not None
    scores = run.detector.anomaly_scores(X)
    slider = opened.page.locator("#anomaly-share")
    slider.evaluate("i => { i.value = 65; i.dispatchEvent(new Event('input')); }")
    count = round(0.001 * 500**0.65 * 150)
    assert f"({count} samples)" in opened.page.locator("#anomaly-share-text").inner_text()
    assert opened.count("#anomaly-list li") == count
    opened.page.locator("#anomaly-list button").first.click()
    worst = int(scores.argmax())
    opened.becomes("app.subject.row", worst)
    # The explanation: orange where the squared error is largest.
    squared = (X[worst].astype(float) - run.autoencoder.reconstruct(X[[worst]])[0]) ** 2
    at = np.unravel_index(squared.argmax(), squared.shape)
    overlay = pixels(opened, ".subject > figure:nth-of-type(3) canvas").astype(int)
    np.testing.assert_allclose(overlay[at], [230, 120, 0], atol=2)
    least = np.unravel_index(squared.argmin(), squared.shape)
    assert np.ptp(overlay[least]) < 40  # grey
    opened.page.locator("#anomaly-mark").click()
    assert opened.page.evaluate("app.plots[0].marked.size") == count
    slider.press("ArrowLeft")
    assert opened.count("#anomaly-list li") < count
    opened.quiet()


def test_few_labels_and_curves_of_the_run_are_there(visit: Visiting) -> None:
    opened = visit()
    assert opened.count("#few-labels table.methods tbody tr") >= 4
    assert opened.count("#curve-0 .scatterlayer .js-line") == 2
    opened.page.locator("#log").click()
    assert (
        opened.page.evaluate("document.getElementById('curve-0')._fullLayout.yaxis.type") == "log"
    )
    opened.quiet()


def test_two_runs_show_the_same_image_side_by_side(visit: Visiting, made: Made) -> None:
    opened = visit("four strip", **HAND)
    assert opened.count(".latent-plot") == 2
    find(opened, 31)
    X = made.run("four").load(made.folder / "digits").X[31:32]
    near(shown(opened, "original"), X[0], 0)
    for name in ("four", "strip"):
        near(shown(opened, name), made.run(name).autoencoder.reconstruct(X)[0], 3)
    assert opened.page.evaluate("app.plots.map(m => m.row)") == [31, 31]
    # A place on the second map: its image through the first.
    view = opened.page.evaluate("app.plots[1].view()")
    click(opened, view["x"][0] * 0.97 + view["x"][1] * 0.03, view["y"][1], 1)
    opened.becomes("app.subject.place", 1)
    opened.page.locator(".subject > figure").nth(1).wait_for()
    there = np.array([opened.page.evaluate("[...app.embedding]")], dtype=np.float32)
    image = made.run("strip").autoencoder.inverse_transform(there)
    near(shown(opened, "decoded here"), image[0], 3)
    near(shown(opened, "four"), made.run("four").autoencoder.reconstruct(image)[0], 3)
    opened.quiet()


def test_everything_by_keyboard(visit: Visiting) -> None:
    opened = visit()
    opened.page.locator("#snap").uncheck()
    chart = opened.page.locator(".latent-plot .chart")
    chart.focus()
    for key in ("ArrowRight", "ArrowRight", "ArrowUp", "Enter"):
        opened.page.keyboard.press(key)
    comparable(opened, "point")
    x, y = opened.page.evaluate("app.subject.spot")
    assert opened.page.evaluate("app.plots[0].here") == pytest.approx([x, y])
    tab = opened.page.locator("#tab-decode")
    tab.focus()
    opened.page.keyboard.press("ArrowRight")
    assert opened.page.locator("#input").is_visible()
    assert not opened.page.locator("#decode").is_visible()
    assert opened.page.evaluate("document.activeElement.id") == "tab-input"
    opened.quiet()


def test_labelling_saves_what_fit_reads_and_refits_in_place(visit: Visiting, made: Made) -> None:
    from cuello.data.labels import with_labels

    opened = visit("four", last=True)
    codes, data = embeddings_of(made, "four"), made.run("four").load(made.folder / "digits")
    assert data.y is None or data.classes
    truth = np.array(opened.page.evaluate("[...app.runs[0].classes.values]"))
    classes = opened.page.evaluate("app.runs[0].classes.classes")
    opened.page.locator("#tab-label").click()
    for code, name in enumerate(classes):  # five rows of each class, marked and labelled together
        rows = np.flatnonzero(truth == code)[:5].tolist()
        opened.page.evaluate(f"setMarked({rows})")
        opened.page.locator("#classes").get_by_text(name, exact=True).click()
    assert opened.page.locator("#labels-text").inner_text().startswith("15 labels: ")
    with opened.page.expect_download() as download:
        opened.page.locator("#labels-save").click()
    saved = made.folder / "labels.csv"
    download.value.save_as(saved)
    read = with_labels(saved, data)
    assert sum(read.y >= 0) == 15
    opened.page.locator("#refit").click()
    opened.page.locator("#refit-text", has_text="15 labels").wait_for()
    mine = np.concatenate([np.flatnonzero(truth == c)[:5] for c in range(3)])
    scale = codes.std(axis=0)
    oracle = LogisticRegression(max_iter=5000, tol=1e-8).fit(codes[mine] / scale, truth[mine])
    given = opened.page.evaluate(
        "Array.from({length: 150}, (_, i) => app.refit.probabilities(app.runs[0].embedding(i)))"
    )
    order = [opened.page.evaluate("app.refit.classes").index(name) for name in classes]
    np.testing.assert_allclose(
        np.array(given)[:, order], oracle.predict_proba(codes / scale), atol=2e-3
    )
    others = np.setdiff1d(np.arange(150), mine)
    right = (oracle.predict(codes[others] / scale) == truth[others]).mean()
    assert f"it gets {100 * right:.0f} % right" in opened.page.locator("#refit-text").inner_text()
    assert opened.page.locator("#colour").input_value() == "refit class"
    opened.page.locator("#labels-undo").click()
    assert opened.page.locator("#labels-text").inner_text().startswith("10 labels: ")
    opened.quiet()


def test_a_new_class_for_a_suggested_row(visit: Visiting) -> None:
    opened = visit()
    opened.page.locator("#tab-label").click()
    opened.page.locator("#new-name").fill("<b>odd</b>")
    opened.page.locator("#new-name").press("Enter")
    opened.page.locator("#suggest").click()
    opened.becomes("app.subject.row === labels.suggested", True)
    first = opened.page.evaluate("labels.suggested")
    opened.page.get_by_role("button", name="<b>odd</b>").click()
    assert "<b>odd</b> 1" in opened.page.locator("#labels-text").inner_text()
    opened.becomes(f"app.subject.row !== {first}", True)  # the next one is suggested by itself
    opened.page.locator("#refit").click()
    assert "two classes" in opened.page.locator("#refit-text").inner_text()
    opened.quiet()


def test_a_table_is_decoded_typed_in_and_explained_by_column(visit: Visiting, made: Made) -> None:
    opened = visit("table", **PHONE)
    run = made.run("table")
    X = run.load(made.folder / "wine.csv").X
    find(opened, 8)
    table = opened.page.locator(".columns-table tbody tr")
    assert table.count() == 6
    back = run.autoencoder.reconstruct(X[8:9])[0]
    squared = ((X[8] - back) / np.array(run.autoencoder.scaling_.width)) ** 2
    assert EVIL in opened.page.locator(".columns-table").inner_text()
    worst = table.first.inner_text().split("\t")
    k = opened.page.evaluate("app.runs[0].columns").index(worst[0])
    assert k == squared.argmax()
    assert float(worst[1]) == pytest.approx(X[8, k], rel=5e-3)
    assert float(worst[2]) == pytest.approx(back[k], rel=5e-3)
    assert float(worst[3]) == pytest.approx(squared[k], rel=1e-2)
    opened.page.locator("#latent-0").evaluate(
        "i => { i.value = i.min; i.dispatchEvent(new Event('input')); }"
    )
    comparable(opened, "point")
    assert opened.page.locator(".columns-table thead").inner_text().split() == ["column", "decoded"]
    opened.page.locator("#tab-input").click()
    opened.page.locator("#input-0").fill("30")
    comparable(opened, "typed in")
    row = np.median(X, axis=0)[None]
    row[0, 0] = 30
    np.testing.assert_allclose(
        opened.page.evaluate("[...app.embedding]"), run.autoencoder.transform(row)[0], atol=0.05
    )
    assert not opened.page.locator("#grid").is_visible()
    opened.quiet()


def test_one_latent_is_a_strip(visit: Visiting, made: Made) -> None:
    opened = visit("four strip", **HAND)
    codes = embeddings_of(made, "strip")
    assert np.abs(opened.page.evaluate("[...app.runs[1].y]")).max() <= 0.5
    view = opened.page.evaluate("app.plots[1].view()")
    x = (view["x"][0] + view["x"][1]) / 2
    click(opened, x, 0.75, 1)
    comparable(opened, "point")
    code = opened.page.evaluate("[...app.embedding]")
    assert len(code) == 1
    assert code[0] == pytest.approx(x, abs=0.01 * float(np.ptp(codes)))
    expected = made.run("strip").autoencoder.inverse_transform(np.float32([code]))[0]
    near(shown(opened, "decoded here"), expected)
    opened.page.locator("#grid").check()
    opened.becomes(
        "document.querySelectorAll('.latent-plot .chart')[1]._fullLayout.images.length", 1
    )
    opened.quiet()


def test_sequences_say_what_is_not_there(visit: Visiting) -> None:
    opened = visit("waves")
    assert opened.page.evaluate("app.runs[0].n") == 40
    assert "sequences" in opened.page.locator("#left-out").inner_text()
    assert "Nothing can be decoded" in opened.page.locator("#decode").inner_text()
    opened.page.locator("#wanted").fill("3")
    opened.page.locator("#wanted").press("Enter")
    comparable(opened, "row 3")
    opened.quiet()


def test_a_finger_decodes_by_a_tap_and_scrolls_otherwise(visit: Visiting) -> None:
    opened = visit("four strip", **HAND)
    assert opened.count("[data-mode][aria-pressed='true']") == 0
    opened.page.locator("#snap").uncheck()
    view = opened.page.evaluate("app.plots[0].view()")
    x, y = (sum(view[axis]) / 2 for axis in "xy")
    opened.page.touchscreen.tap(*screen(opened, x, y))
    comparable(opened, "point")
    assert opened.page.evaluate("app.subject.spot") == pytest.approx(
        [x, y], abs=0.02 * (view["x"][1] - view["x"][0])
    )
    lasso = opened.page.get_by_role("button", name="Lasso")
    lasso.tap()
    assert opened.page.locator(".chart.lasso").count() == 2
    lasso.tap()
    assert opened.page.locator(".chart.lasso").count() == 0
    opened.quiet()


@pytest.mark.parametrize("names", ["plane", "table", "four strip"])
def test_nothing_is_wider_than_a_phone(visit: Visiting, names: str) -> None:
    options = {"plane": {}, "table": PHONE, "four strip": HAND}[names]
    opened = visit(names, last=True, **options)
    opened.page.set_viewport_size({"width": 390, "height": 844})
    paper = "document.querySelector('.latent-plot .chart')._fullLayout.paper_bgcolor"
    for scheme, colour in (("dark", "#14171a"), ("light", "#ffffff")):
        opened.page.emulate_media(color_scheme=scheme)
        opened.becomes(paper, colour)
        for tab in ("input", "anomalies", "label", "decode"):
            opened.page.locator(f"#tab-{tab}").click()
            assert opened.page.evaluate("document.documentElement.scrollWidth") <= 390, tab
    opened.quiet()


@pytest.fixture(scope="module")
def served(
    chromium: Any, made: Made, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Visit, Path]]:
    """Serve a copy of a run as ``cuello app`` does; give its page, open, and the copy."""
    from cuello.server import BackgroundServer

    run = tmp_path_factory.mktemp("served") / "run"
    shutil.copytree(made.folder / "four", run)
    server = BackgroundServer(run)
    server.start()
    context = chromium.new_context(viewport={"width": 1280, "height": 800})
    context.set_default_timeout(PATIENCE)
    # It asks every few seconds.
    context.add_init_script(
        "(ask => { window.setInterval = (f, t) => ask(f, t / 20); })(setInterval)"
    )
    opened = Visit(context.new_page(), f"{server.address}/")
    opened.page.on("request", lambda request: opened.requests.append(request.url))
    opened.page.goto(opened.address)
    opened.page.wait_for_selector("html[data-models]")
    yield opened, run
    context.close()
    server.close()


def test_served_what_is_drawn_is_scored_by_the_detector_of_the_run(
    served: tuple[Visit, Path], made: Made
) -> None:
    opened, _ = served
    draw_a_bar(opened)
    opened.becomes("app.subject.anomaly !== undefined", True)
    X = np.array(opened.page.evaluate("[...app.subject.values]"), np.float32).reshape(1, 8, 8)
    detector = made.run("four").detector
    assert detector is not None
    parts = detector.single_scores(X)
    found = opened.page.evaluate("app.subject.anomaly")
    assert found["scores"] == pytest.approx(parts["combined"].tolist(), abs=1e-3)
    assert found["single_scores"]["edges"] == pytest.approx(parts["edges"].tolist(), abs=1e-3)
    text = opened.page.locator(".facts").inner_text()
    said = "an anomaly" if detector.predict(X)[0] < 0 else "no anomaly"
    assert re.search(rf"anomaly score\s+[\d.]+, {said}: one normal sample in", text), text


def test_served_labels_are_saved_and_refits_are_those_of_the_run(
    served: tuple[Visit, Path], made: Made
) -> None:
    from cuello.data.labels import with_labels

    opened, run = served
    truth = np.array(opened.page.evaluate("[...app.runs[0].classes.values]"))
    opened.page.locator("#tab-label").click()
    rows = {}
    for code, name in enumerate(opened.page.evaluate("app.runs[0].classes.classes")):
        rows |= dict.fromkeys(np.flatnonzero(truth == code)[:6].tolist(), name)
        opened.page.evaluate(f"setMarked({[row for row, other in rows.items() if other == name]})")
        opened.page.locator("#classes").get_by_text(name, exact=True).click()
    opened.page.locator("#refit").click()
    opened.page.locator("#refit-text", has_text="It is done").wait_for()
    data = made.run("four").load(made.folder / "digits")
    read = with_labels(run / "labels.csv", data)
    assert read.y is not None
    assert {int(i): read.classes[read.y[i]] for i in np.flatnonzero(read.y >= 0)} == rows
    assert opened.page.locator("#colour").input_value() == "served class"
    found = np.array(
        opened.page.evaluate(
            "app.runs[0].colourings.find(c => c.name === 'served class').values.join()"
        ).split(",")
    )
    assert (found.astype(int) == truth).mean() > 0.8
    # What was given is there again at the next visit, and can be taken back.
    opened.page.locator("#labels-undo").click()
    opened.becomes("labels.of.size", 12)
    while len((run / "labels.csv").read_text().splitlines()) != 1 + 12:
        opened.page.wait_for_timeout(50)  # until the server has kept it
    opened.page.reload()
    opened.page.wait_for_selector("html[data-models]")
    assert opened.page.evaluate("labels.of.size") == 12
    assert all(url.startswith((opened.address, "data:", "blob:")) for url in opened.requests)


def test_curves_follow_a_training(served: tuple[Visit, Path]) -> None:
    opened, run = served
    chart = "document.getElementById('curve-0').data.map(t => t.y.length)"
    assert opened.page.evaluate(chart) == [40, 40]
    history = run / "history.jsonl"
    more = {"epoch": 41, "train": {"a": 1, "b": 0.5}, "validation": {"a": 3}}
    history.write_text(history.read_text(encoding="utf-8") + json.dumps(more) + "\n")
    opened.becomes(chart, [41, 41])
    assert opened.page.evaluate("document.getElementById('curve-0').data.map(t => t.y.at(-1))") == [
        1.5,
        3,
    ]
