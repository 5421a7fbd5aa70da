"""Intervals hold the truth as often as they say."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom, binomtest

from cuello.errors import InputError
from cuello.metrics import accuracy_interval, lower_bound, stratified_interval

counts = st.integers(1, 400).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))
levels = st.floats(0.5, 0.999)
methods = st.sampled_from(["wilson", "exact"])


@given(counts=counts, level=levels)
def test_intervals_are_those_of_scipy(counts, level):
    for method in ("wilson", "exact"):
        ours = accuracy_interval(*counts, level=level, method=method)
        theirs = binomtest(*counts).proportion_ci(level, method)
        assert ours[1:] == pytest.approx((theirs.low, theirs.high), abs=1e-9)
    one_sided = binomtest(*counts, alternative="greater").proportion_ci(level, "exact")
    assert lower_bound(*counts, level=level) == pytest.approx(one_sided.low, abs=1e-9)


@given(counts=counts, level=levels, method=methods)
def test_interval_holds_the_share_stays_inside_and_mirrors(counts, level, method):
    k, n = counts
    share, low, high = accuracy_interval(k, n, level=level, method=method)
    assert 0.0 <= low <= share == k / n <= high <= 1.0
    mirrored = accuracy_interval(n - k, n, level=level, method=method)
    assert (1 - mirrored.high, 1 - mirrored.low) == pytest.approx((low, high), abs=1e-9)


@given(counts=counts, level=levels, method=methods)
def test_more_right_is_higher_and_more_rows_are_narrower(counts, level, method):
    k, n = counts
    one = accuracy_interval(k, n, level=level, method=method)
    if k < n:
        more = accuracy_interval(k + 1, n, level=level, method=method)
        assert more.low >= one.low - 1e-12
        assert more.high >= one.high - 1e-12
    wide = accuracy_interval(10 * k, 10 * n, level=level, method=method)
    assert wide.high - wide.low <= one.high - one.low


def coverage(n, method, shares, level=0.95):
    """Exact: over every count there can be, how likely it is and whether its interval holds."""
    k = np.arange(n + 1)
    intervals = np.array([accuracy_interval(int(i), n, level=level, method=method) for i in k])
    inside = (intervals[:, 1] <= shares[:, None]) & (shares[:, None] <= intervals[:, 2])
    return (binom.pmf(k, n, shares[:, None]) * inside).sum(axis=1)


@pytest.mark.parametrize("n", [10, 30, 100, 300])
def test_coverage(n):
    shares = np.linspace(0.005, 0.995, 199)
    assert coverage(n, "exact", shares).min() >= 0.95 - 1e-12
    wilson = coverage(n, "wilson", shares)
    assert wilson.mean() == pytest.approx(0.95, abs=0.01)
    assert wilson.min() > 0.8


@pytest.mark.parametrize("n", [10, 30, 100, 300])
def test_lower_bound_is_above_the_truth_as_rarely_as_it_says(n):
    bounds = np.array([lower_bound(k, n, level=0.9) for k in range(n + 1)])
    assert (np.diff(bounds) > 0).all()
    for share in np.linspace(0.01, 0.99, 99):
        assert binom.pmf(np.arange(n + 1), n, share)[bounds > share].sum() <= 0.1 + 1e-12


@given(
    counts=st.lists(counts, min_size=1, max_size=6),
    scale=st.floats(0.01, 100.0),
    level=levels,
)
def test_classes_labelled_as_they_occur_give_the_plain_interval(counts, scale, level):
    k, n = np.array(counts).T
    plain = accuracy_interval(int(k.sum()), int(n.sum()), level=level)
    assert stratified_interval(k, n, scale * n, level=level) == pytest.approx(plain, abs=1e-9)


@pytest.mark.parametrize(
    ("shares", "most"),
    [
        ([0.9, 0.9, 0.9, 0.9], 0.97),
        ([0.6, 0.8, 0.95, 0.99], 0.97),
        ([0.99, 0.9, 0.7, 0.5], 1.0),  # hard classes that are rare: wider than need be
    ],
)
@pytest.mark.parametrize("n", [10, 40])
def test_stratified_coverage(shares, most, n):
    proportions = np.array([0.5, 0.3, 0.15, 0.05])
    truth = proportions @ np.array(shares)
    draws = np.random.default_rng(0).binomial(n, shares, (2000, 4))
    held = [
        low <= truth <= high
        for _, low, high in (stratified_interval(k, [n] * 4, proportions) for k in draws)
    ]
    assert 0.935 <= np.mean(held) <= most  # 0.95, Monte Carlo error 0.005


def test_labels_drawn_equally_per_class_are_weighted_back():
    # Class 0 is 9 of 10 rows and always right; the plain share of right labels is far off.
    interval = stratified_interval([50, 25], [50, 50], [0.9, 0.1])
    assert interval.estimate == pytest.approx(0.95)
    assert interval.low < 0.95 < interval.high
    assert accuracy_interval(75, 100).high < 0.95
    assert stratified_interval([5, 0], [5, 0], [1, 0]) == accuracy_interval(5, 5)


@pytest.mark.parametrize(
    ("arguments", "saying"),
    [
        ((0, 0), "n=0"),
        ((5, 4), r"right=5 must be from 0 to n=4"),
        ((-1, 4), "right=-1"),
    ],
)
def test_counts_that_cannot_be(arguments, saying):
    for function in (accuracy_interval, lower_bound):
        with pytest.raises(InputError, match=saying):
            function(*arguments)


@pytest.mark.parametrize("level", [0.0, 1.0, 95.0, float("nan")])
def test_level_outside_its_range(level):
    with pytest.raises(InputError, match="level="):
        accuracy_interval(1, 2, level=level)
    with pytest.raises(InputError, match="level="):
        stratified_interval([1], [2], [1], level=level)


def test_method_that_is_not_known():
    with pytest.raises(InputError, match="'normal' is not known; use 'wilson' or 'exact'"):
        accuracy_interval(1, 2, method="normal")


@pytest.mark.parametrize(
    ("right", "n", "proportions", "saying"),
    [
        ([1, 2], [3, 3], [1], "shapes"),
        ([], [], [], "shapes"),
        ([1, 0], [3, 0], [0.5, 0.5], "label one row"),
        ([1, 2], [3, 3], [0, 0], "not all 0"),
        ([1, 2], [3, 3], [1, -1], "0 or more"),
        ([1, 4], [3, 3], [1, 1], "right=4"),
    ],
)
def test_classes_that_do_not_fit(right, n, proportions, saying):
    with pytest.raises(InputError, match=saying):
        stratified_interval(right, n, proportions)
