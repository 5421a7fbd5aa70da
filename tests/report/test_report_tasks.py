"""The page of a run whose labels are numbers or properties, instead of classes."""

from __future__ import annotations

import html
from dataclasses import replace

import numpy as np
import pytest
import report_samples as samples
from report_reading import chart_data, section

from cuello.report.measures import Measure
from cuello.report.page import render


@pytest.fixture(scope="module")
def numbers():
    return samples.numbers()


@pytest.fixture(scope="module")
def several():
    return samples.several()


def test_numbers_are_measured_by_r2_and_the_error(numbers):
    page = render(numbers)
    part = section(page, "few-labels")
    for text in (
        "R²",
        "Mean absolute error",
        "Cross-validated (R²)",
        "0.467 ± 0.020",
        "43.3 ± 1.25",
    ):
        assert text in part
    assert "PCA + ridge regression" in part
    assert "%" not in part
    assert "onfusion" not in part
    assert "R² with 150 labels" in page
    chart = chart_data(page)["few-labels"]
    assert (chart["unit"], chart["axis"]) == ("", "R² on the test split")
    assert [row["mean"] for row in chart["rows"]] == list(samples.NUMBERS.values())
    assert [row["ours"] for row in chart["rows"]] == [False, False, True, True, True, True]


def test_predicted_beside_true_numbers(numbers):
    page = render(numbers)
    chart = chart_data(page)["few-labels"]["scatter"]
    assert chart == {"name": "a < b & c", "true": [1, 2, 30], "predicted": [1.5, 2, 28.12]}
    part = section(page, "few-labels")
    assert "Each of the 3 points" in part
    assert 'id="scatter-chart"' in part
    assert "Fine-tuned, slow encoder" in part


def test_points_have_the_colour_of_their_number(numbers, several):
    page = render(numbers)
    latent = chart_data(page)["latent"]
    assert latent["value"][:4] == [0.0, None, 0.25, 0.375]
    assert latent["label"] is None
    assert "The colour is the sample's label" in html.unescape(section(page, "latent"))
    assert chart_data(render(several))["latent"]["value"] is None


def test_one_draw_of_numbers_has_no_spread(numbers):
    metrics = numbers.metrics | {"few_labels": samples.number_rows(repeats=1)}
    part = section(render(replace(numbers, metrics=metrics)), "few-labels")
    assert "±" not in part
    assert "ran once" in part


def test_properties_are_shown_one_by_one(several):
    page = render(several)
    part = section(page, "few-labels")
    even = part.split('title="even"')[1].split("</tr>")[0]
    figures = [text.split("<")[0] for text in even.split('<td class="n">')[1:]]
    # 50 of 100 have it; 85 right; 45 of 55 predicted; 45 of 50 found
    assert figures == ["50.0", "85.0", "81.8", "90.0", "85.7"]
    assert (
        part.count("–") >= 2
    )  # a property that no row has, or that is never predicted, has no share
    assert "prime" in part
    assert samples.HOSTILE not in page
    assert "Both are means over the properties" in part
    assert "scatter" not in chart_data(page)["few-labels"]


def test_labels_that_were_not_kept_are_no_missing_classes(numbers):
    metrics = numbers.metrics | {"few_labels": []}
    part = section(render(replace(numbers, metrics=metrics)), "few-labels")
    assert "No classifier was trained" in part
    assert "no classes" not in part


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
    assert measure.value_text(value) == text
    assert measure.text({"a_mean": value, "a_sd": np.nan, "repeats": 1}) == text
    assert measure.text({"cv_a_mean": value}, cross_validated=True) == text
