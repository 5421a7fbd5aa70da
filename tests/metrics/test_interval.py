"""Intervals hold the truth as often as they say."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import beta, binom, norm

from cuello.errors import InputError
from cuello.metrics import accuracy_interval, lower_bound, mean_sd

counts = st.integers(1, 400).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))
levels = st.floats(0.5, 0.999)
methods = st.sampled_from(["wilson", "exact"])


@settings(max_examples=30)
@given(counts=counts, level=levels)
def test_exact_bounds_are_quantiles_of_the_beta_distribution(counts, level):
    k, n = counts
    _, low, high = accuracy_interval(k, n, level=level, method="exact")
    tail = (1 - level) / 2
    assert low == pytest.approx(beta.ppf(tail, k, n - k + 1) if k else 0.0, abs=1e-9)
    assert high == pytest.approx(beta.ppf(1 - tail, k + 1, n - k) if k < n else 1.0, abs=1e-9)
    one_sided = beta.ppf(1 - level, k, n - k + 1) if k else 0.0
    assert lower_bound(k, n, level=level) == pytest.approx(one_sided, abs=1e-9)


@settings(max_examples=30)
@given(counts=counts, level=levels)
def test_wilsons_bounds_are_one_quantile_of_the_score_away(counts, level):
    k, n = counts
    quantile = norm.ppf((1 + level) / 2)
    for bound in accuracy_interval(k, n, level=level)[1:]:
        score = abs(k / n - bound) * np.sqrt(n)
        assert score == pytest.approx(quantile * np.sqrt(bound * (1 - bound)), abs=1e-6)


@settings(max_examples=30)
@given(counts=counts, level=levels, method=methods)
def test_interval_holds_the_share_stays_inside_and_mirrors(counts, level, method):
    k, n = counts
    share, low, high = accuracy_interval(k, n, level=level, method=method)
    assert 0.0 <= low <= share == k / n <= high <= 1.0
    mirrored = accuracy_interval(n - k, n, level=level, method=method)
    assert (1 - mirrored.high, 1 - mirrored.low) == pytest.approx((low, high), abs=1e-9)


@settings(max_examples=30)
@given(counts=counts, level=levels, method=methods)
def test_more_right_is_higher_and_more_samples_are_narrower(counts, level, method):
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


@pytest.mark.parametrize("n", [10, 40, 150])
def test_coverage(n):
    shares = np.linspace(0.005, 0.995, 199)
    assert coverage(n, "exact", shares).min() >= 0.95 - 1e-12
    wilson = coverage(n, "wilson", shares)
    assert wilson.mean() == pytest.approx(0.95, abs=0.01)
    assert wilson.min() > 0.8


@pytest.mark.parametrize("n", [10, 40, 150])
def test_lower_bound_is_above_the_truth_as_rarely_as_it_says(n):
    bounds = np.array([lower_bound(k, n, level=0.9) for k in range(n + 1)])
    assert (np.diff(bounds) > 0).all()
    for share in np.linspace(0.01, 0.99, 99):
        assert binom.pmf(np.arange(n + 1), n, share)[bounds > share].sum() <= 0.1 + 1e-12


@given(values=st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=20))
def test_mean_and_sample_standard_deviation(values):
    mean, sd = mean_sd(values)
    assert mean == pytest.approx(sum(values) / len(values), abs=1e-9)
    squares = sum((v - mean) ** 2 for v in values)
    assert sd == pytest.approx((squares / max(len(values) - 1, 1)) ** 0.5, abs=1e-9)


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
        lower_bound(1, 2, level=level)


def test_method_that_is_not_known():
    with pytest.raises(InputError, match=r"method='normal' is not known\. Allowed: exact, wilson"):
        accuracy_interval(1, 2, method="normal")
