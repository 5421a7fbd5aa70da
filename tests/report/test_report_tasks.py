"""The page of a run whose labels are numbers or properties, instead of classes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import report_samples as samples
from report_reading import chart_data, section

from cuello.report import Measure, measures, render

NUMBERS = {
    "pca_ridge": 0.412,
    "knn_pixels": 0.301,
    "scratch": 0.254,
    "frozen": 0.433,
    "slow": 0.467,
    "full": -0.055,
}


def number_rows(repeats=3):
    rows = []
    for method, mean in NUMBERS.items():
        values = [mean + 0.02 * (i - (repeats - 1) / 2) for i in range(repeats)]
        rows.append(
            {
                "method": method,
                "labels": 150,
                "repeats": repeats,
                "r2": values,
                "r2_mean": mean,
                "r2_sd": 0.02,
                "mae_mean": 43.256,
                "mae_sd": 1.25,
                "cv_r2_mean": None if method == "full" else mean - 0.01,
            }
        )
    return rows


@pytest.fixture(scope="module")
def numbers():
    base = samples.wine()
    own = {"task": "number", "name": "diabetes", "shape": [10], "rows": {"train": 300, "test": 90}}
    metrics = {key: value for key, value in base.metrics.items() if key != "confusion"} | {
        "data": own,
        "few_labels": number_rows(),
        "scatter": {
            "method": "slow",
            "name": "a < b & c",
            "true": [1.0, 2.0, float("nan"), 30.0],
            "predicted": [1.5, 2.0, 3.0, 28.123456],
        },
    }
    return replace(base, classes=(), metrics=metrics, latent=replace(base.latent, label=None))


@pytest.fixture(scope="module")
def several():
    base = samples.digits()
    counts = [[[40, 10], [5, 45]], [[90, 0], [10, 0]], [[100, 0], [0, 0]]]
    found = {"method": "slow", "names": ["even", samples.HOSTILE], "counts": counts}
    metrics = {key: value for key, value in base.metrics.items() if key != "confusion"} | {
        "data": {"task": "several", "properties": ["even"], "rows": {"test": 100}},
        "properties": found,
    }
    return replace(base, classes=(), metrics=metrics, latent=replace(base.latent, label=None))


def test_numbers_are_measured_by_r2_and_the_error(numbers):
    page = render(numbers)
    part = section(page, "few-labels")
    for text in ("R²", "Mean absolute error", "Estimated (R²)", "0.467 ± 0.020", "43.3 ± 1.25"):
        assert text in part
    assert "PCA + ridge regression" in part
    assert "%" not in part
    assert "onfusion" not in part
    assert "R² with 150 labels" in page
    chart = chart_data(page)["few-labels"]
    assert (chart["unit"], chart["axis"]) == ("", "R² on the test part")
    assert [row["mean"] for row in chart["rows"]] == list(NUMBERS.values())
    assert [row["ours"] for row in chart["rows"]] == [False, False, False, True, True, True]


def test_predicted_beside_true_numbers(numbers):
    page = render(numbers)
    chart = chart_data(page)["few-labels"]["scatter"]
    assert chart == {"name": "a < b & c", "true": [1, 2, 30], "predicted": [1.5, 2, 28.12]}
    part = section(page, "few-labels")
    assert "Each of the 3 points" in part
    assert 'id="scatter-chart"' in part
    assert "Encoder at a slower rate" in part


def test_one_draw_of_numbers_has_no_spread(numbers):
    metrics = numbers.metrics | {"few_labels": number_rows(repeats=1)}
    part = section(render(replace(numbers, metrics=metrics)), "few-labels")
    assert "±" not in part
    assert "ran once" in part


def test_properties_are_told_one_by_one(several):
    page = render(several)
    part = section(page, "few-labels")
    even = part.split('title="even"')[1].split("</tr>")[0]
    figures = [text.split("<")[0] for text in even.split('<td class="n">')[1:]]
    # 50 of 100 have it; 85 right; 45 of 55 said; 45 of 50 found
    assert figures == ["50.0", "85.0", "81.8", "90.0", "85.7"]
    assert part.count("–") >= 2  # a property that no row has, or that is never said, has no share
    assert "property 2" in part
    assert samples.HOSTILE not in page
    assert "Both are means over the properties" in part
    assert "scatter" not in chart_data(page)["few-labels"]


def test_broken_figures_leave_a_page(numbers, several):
    for content, broken in (
        (numbers, {"scatter": {"true": [1.0]}}),
        (several, {"properties": {"counts": [[1, 2], [3, 4]]}}),
        (several, {"properties": {}}),
        (numbers, {"few_labels": []}),
    ):
        assert section(render(replace(content, metrics=content.metrics | broken)), "few-labels")


@pytest.mark.parametrize(
    ("measure", "value", "text"),
    [
        (Measure(key="a", name="accuracy", unit="%"), 0.934, "93.4"),
        (Measure(key="a", name="R²", digits=3), -0.5, "-0.500"),
        (Measure(key="a", name="error"), 43210.0, "43,210"),
        (Measure(key="a", name="error"), float("nan"), "–"),
    ],
)
def test_a_measure_writes_its_values(measure, value, text):
    assert measure.said(value) == text
    assert measure.text({"a_mean": value, "a_sd": np.nan, "repeats": 1}) == text
    assert measure.text({"cv_a_mean": value}, inside=True) == text


def test_runs_of_before_there_were_tasks_are_of_classes():
    assert [m.key for m in measures({})] == ["accuracy", "macro_f1"]
    assert [m.key for m in measures({"data": {"task": "several"}})] == ["accuracy", "macro_f1"]
