"""Each section, with all of its content and with some of it missing."""

from __future__ import annotations

import base64
import io
import re
from dataclasses import replace

import numpy as np
import pytest
import report_samples as samples
from PIL import Image
from report_reading import Tree, chart_data, section

from cuello.few_label import METHODS
from cuello.metrics import accuracy_interval
from cuello.report.content import Gallery, ReportContent
from cuello.report.page import render
from cuello.run.sheets import to_pixels


def test_few_labels_table_and_chart_say_the_same(page: str) -> None:
    part, rows = section(page, "few-labels"), chart_data(page)["few-labels"]["rows"]
    assert [row["name"] for row in rows] == [
        "PCA + logistic regression",
        "5-NN on pixels",
        "From scratch",
        "Linear probe",
        "Fine-tuned, slow encoder",
        "Fine-tuned",
    ]
    assert [row["ours"] for row in rows] == [False] * 2 + [True] * 4
    for row in rows:
        assert row["name"] in part
        assert f"{row['mean']:.1f} ± {row['sd']:.1f}" in part
        assert len(row["draws"]) == 5
    assert part.count('class="chosen"') == 1
    assert "test split (500 samples)" in part
    assert "is kept; the samples that it is measured on played no part in any choice" in part
    assert "standard deviation over 5 repeats" in part


def test_neighbours_in_a_table_are_found_on_its_columns() -> None:
    part = section(render(samples.wine()), "few-labels")
    assert "5-NN on the columns" in part
    assert "pixels" not in part


def test_one_draw_has_no_spread(digits: ReportContent) -> None:
    rows = samples.few_label_rows(repeats=1)
    page = render(replace(digits, metrics=digits.metrics | {"few_labels": rows}))
    assert "±" not in section(page, "few-labels")
    assert "ran once" in section(page, "few-labels")
    assert {row["sd"] for row in chart_data(page)["few-labels"]["rows"]} == {None}


def test_several_numbers_of_labels_are_told_apart(digits: ReportContent) -> None:
    rows = samples.few_label_rows(300) + samples.few_label_rows(30)
    page = render(replace(digits, metrics=digits.metrics | {"few_labels": rows}))
    labels = [row["labels"] for row in chart_data(page)["few-labels"]["rows"]]
    assert labels == ["30 labels"] * 6 + ["300 labels"] * 6
    assert "Accuracy with 300 labels" in page


def test_headline(page: str, digits: ReportContent) -> None:
    head = page[page.index('<dl class="headline">') : page.index("</dl>")]
    row = digits.metrics["few_labels"][4]
    for figure in (f"{100 * row['accuracy_mean']:.1f} ± ", "0.0123", "PCA: 0.0201", "41 s"):
        assert figure in head
    best = max(digits.metrics["few_labels"][:2], key=lambda row: row["accuracy_mean"])
    assert (
        f'The best baseline</dt><dd><span class="figure">{100 * best["accuracy_mean"]:.1f}' in head
    )
    assert "<code>cuello classify RUN DATA</code>" in page


def test_the_headline_has_an_interval_where_all_is_measured_once(digits: ReportContent) -> None:
    rows = [row | {"repeats": 1, "accuracy_sd": 0.0} for row in samples.few_label_rows()]
    confusion = digits.metrics["confusion"] | {"matrix": np.diag([90] + [0] * 9).tolist()}
    confusion["matrix"][0][1] = 10
    page = render(
        replace(digits, metrics=digits.metrics | {"few_labels": rows, "confusion": confusion})
    )
    low, high = accuracy_interval(90, 100)[1:]
    assert f"95 % interval {100 * low:.1f} to {100 * high:.1f} %" in page


def test_findings_are_at_the_head(digits: ReportContent) -> None:
    findings = ["every sample has <the> same embedding"]
    page = render(replace(digits, metrics=digits.metrics | {"findings": findings}))
    assert page.index("every sample has &lt;the&gt; same embedding") < page.index("<main")


def test_one_label_draw_has_no_spread(digits: ReportContent) -> None:
    rows = [row | {"repeats": 1, "accuracy_sd": 0.0} for row in samples.few_label_rows()]
    page = render(replace(digits, metrics=digits.metrics | {"few_labels": rows}))
    assert "±" not in page[page.index('<dl class="headline">') : page.index("</dl>")]


def test_a_better_baseline_is_not_hidden(digits: ReportContent) -> None:
    rows = samples.few_label_rows()
    assert "was more accurate here" not in section(render(digits), "few-labels")
    rows[0]["accuracy_mean"] = 0.987
    page = render(replace(digits, metrics=digits.metrics | {"few_labels": rows}))
    assert "“PCA + logistic regression” was more accurate here" in section(page, "few-labels")


def test_choice_without_cross_validation(digits: ReportContent) -> None:
    rows = [row | {"cv_accuracy_mean": None} for row in samples.few_label_rows()]
    page = render(replace(digits, metrics=digits.metrics | {"few_labels": rows}))
    part = section(page, "few-labels")
    assert "on folds of" not in part


@pytest.mark.parametrize(("method", "name"), [("ladder", "Ladder network"), ("auto", "Auto")])
def test_the_kept_method_is_named(digits: ReportContent, method: str, name: str) -> None:
    rows = samples.few_label_rows()
    rows.append(rows[-1] | {"method": method, "display_name": METHODS[method].display_name})
    metrics = digits.metrics | {"few_labels": rows, "method": method}
    part = section(render(replace(digits, metrics=metrics)), "few-labels")
    assert re.search(f"“{name}[a-z]*” is kept; the samples", part)
    chart = chart_data(render(replace(digits, metrics=metrics)))["few-labels"]["rows"]
    (asked,) = (row for row in chart if row["name"].startswith(name))
    assert asked["ours"]


@pytest.mark.parametrize(
    ("where", "text"),
    [
        ("official test split (10,000 samples)", "on the official test split (10,000 samples)."),
        ("a third of the 60 labelled samples", "on a third of the 60 labelled samples."),
    ],
)
def test_where_it_was_measured(digits: ReportContent, where: str, text: str) -> None:
    page = render(replace(digits, metrics=digits.metrics | {"evaluated_on": where}))
    assert text in section(page, "few-labels")


@pytest.mark.parametrize("count", [1, 2, 20, 50])
def test_confusion_matrix(digits: ReportContent, count: int) -> None:
    names = tuple(f"kind {i}" for i in range(count))
    confusion = samples.confusion(names)
    page = render(replace(digits, metrics=digits.metrics | {"confusion": confusion}))
    part = section(page, "few-labels")
    assert part.count('class="hit"') == count
    assert part.count('class="miss"') == count * (count - 1)
    matrix = np.array(confusion["matrix"])
    titles = re.findall(r'title="true kind (\d+), predicted kind (\d+): ([\d,]+) ', part)
    found = {(int(t), int(p)): int(n) for t, p, n in titles}
    assert found == {(t, p): matrix[t, p] for t in range(count) for p in range(count)}


def test_reconstruction_beside_pca(page: str, digits: ReportContent) -> None:
    assert "38.7 % lower than PCA" in section(page, "reconstruction")
    worse = {"reconstruction": {"test_mse": 0.03, "pca_test_mse": 0.02, "latent_dim": 1}}
    part = section(render(replace(digits, metrics=digits.metrics | worse)), "reconstruction")
    assert "50.0 % higher than PCA" in part
    assert "as many components (1)" in part


def test_gallery_shows_the_pixels(page: str, digits: ReportContent) -> None:
    images = [a for t, a in Tree(section(page, "reconstruction")).tags if t == "img"]
    assert len(images) == 3 * (12 + 8 + 8)
    assert all(a["alt"] and a["width"] == a["height"] == "56" for a in images)
    first = images[0]["src"] or ""
    pixels = np.asarray(Image.open(io.BytesIO(base64.b64decode(first.partition(",")[2]))))
    np.testing.assert_array_equal(pixels, to_pixels(digits.galleries[0].first)[0])


@pytest.mark.parametrize("shape", [(4, 9, 30), (4, 1, 28, 28), (4, 3, 150, 200), (4, 5, 16, 16)])
def test_galleries_of_any_image(digits: ReportContent, shape: tuple[int, ...]) -> None:
    images = np.random.default_rng(0).random(shape) * 1.4 - 0.2
    images[0, 0] = np.nan
    gallery = Gallery(
        title="t", caption="c", versions={"original": images, "model": images},
        figures={"MSE": np.full(4, np.nan)}, names=tuple("abcd"),
    )  # fmt: skip
    part = section(render(replace(digits, galleries=(gallery,))), "reconstruction")
    assert part.count("<img") == 8
    assert "PCA: row" not in part


def test_table_gallery_marks_the_largest_deviation() -> None:
    table = samples.wine()
    original = np.tile(np.arange(20.0), (3, 1)) + np.arange(3)[:, None]
    made = original + 0.01
    made[1, 17] += 5
    gallery = Gallery(
        title="t", caption="c", versions={"original": original, "model": made},
        figures={"MSE": np.ones(3)}, names=("a", "b", "c"),
    )  # fmt: skip
    columns = tuple(f"column_{i}" for i in range(20))
    part = section(render(replace(table, columns=columns, galleries=(gallery,))), "reconstruction")
    assert "<mark>23.0</mark>" in part
    assert part.count("<mark>") == 6
    assert 'title="column_17"' in part
    assert "14 more are left out" in part


def test_latent_data(page: str, digits: ReportContent) -> None:
    data, latent = chart_data(page)["latent"], digits.latent
    assert latent is not None
    np.testing.assert_allclose(data["x"], latent.xy[:, 0], rtol=5e-4)
    assert latent.label is not None
    assert data["label"] == latent.label.tolist()
    assert data["classes"] == list(digits.classes)


def test_latent_space_with_gaps(digits: ReportContent) -> None:
    assert digits.latent is not None
    xy = digits.latent.xy.copy()
    xy[3] = np.nan
    label = np.full(500, -1)
    data = chart_data(
        render(replace(digits, latent=replace(digits.latent, xy=xy, label=label, images=None)))
    )["latent"]
    assert data["x"][3] is None
    assert set(data["label"]) == {-1}
    assert data["sprite"] is None


def test_curves(page: str) -> None:
    data = chart_data(page)["curves"]
    assert [panel["title"] for panel in data["panels"]] == ["Total loss", "reconstruction", "kl"]
    total, *terms = data["panels"]
    summed = np.sum([term["train"] for term in terms], axis=0)
    np.testing.assert_allclose(total["train"], summed, rtol=2e-3)
    assert data["best"] == data["epochs"][int(np.argmin(total["validation"]))]
    assert data["rate"] is not None


def test_curves_with_gaps(digits: ReportContent) -> None:
    history = samples.curves(5, terms=("loss",))
    for record in history:
        record["validation"] = None
        record["learning_rate"] = 0.01
    history[2]["train"] = {"loss": float("nan")}
    history[4]["train"] = {"loss": float("inf")}
    page = render(replace(digits, history=history))
    data, part = chart_data(page)["curves"], section(page, "curves")
    assert [panel["title"] for panel in data["panels"]] == ["Total loss"]
    assert [v is None for v in data["panels"][0]["train"]] == [False, False, True, False, True]
    assert data["best"] is None
    assert data["rate"] is None
    assert "not finite in epochs 3, 5" in part
    assert "no validation split" in part
    assert "0.01 throughout" in part


def test_curves_of_terms_that_are_trained_in_turn(digits: ReportContent) -> None:
    history = samples.curves(5, terms=("reconstruction",))
    for record, term in zip(history, ("layer 1", "layer 1", "layer 2"), strict=False):
        record["train"] = {term: 0.25}
    page = render(replace(digits, history=history))
    data, part = chart_data(page)["curves"], section(page, "curves")
    panels = {panel["title"]: panel for panel in data["panels"]}
    assert list(panels) == ["Total loss", "layer 1", "layer 2", "reconstruction"]
    assert panels["layer 1"]["train"] == [0.25, 0.25, None, None, None]
    assert panels["layer 2"]["train"] == [None, None, 0.25, None, None]
    assert panels["layer 1"]["validation"] is None
    assert [v is None for v in panels["reconstruction"]["train"]] == [True] * 3 + [False] * 2
    assert None not in panels["Total loss"]["train"] + panels["reconstruction"]["validation"]
    turns = "layer 1 (epochs 1 to 2), layer 2 (epoch 3), reconstruction (epochs 4 to 5)"
    assert f"Trained in turn: {turns}." in part
    assert "not finite" not in part


def test_curves_of_terms_that_are_trained_at_once_have_no_turns(page: str) -> None:
    assert "Trained in turn" not in section(page, "curves")


@pytest.mark.parametrize("value", [float("nan"), -2.5])
def test_no_logarithm_without_positive_values(digits: ReportContent, value: float) -> None:
    history = samples.curves(1)
    history[0] |= {"train": {"loss": value}, "validation": None}
    assert 'id="log"' not in render(replace(digits, history=history))


def test_timing_and_reproduction(page: str) -> None:
    part = section(page, "timing")
    for text in ("41 s", "1 min 23 s", "612 MB", "torch", "cuello fit digits --kind denoising"):
        assert text in part
    assert "torch" not in section(page, "configuration")
    assert "cuello fit" not in section(page, "configuration")
