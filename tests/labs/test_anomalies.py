"""Scores of data with labelled anomalies, and the verdict both ways."""

from __future__ import annotations

import numpy as np
import pytest

from cuello.errors import DataError
from cuello_labs import _anomaly_data
from cuello_labs import anomalies as lab

RNG = np.random.default_rng(0)


def test_components_see_what_leaves_their_plane_only():
    train = RNG.normal(size=(200, 3)) * np.array([5.0, 3.0, 0.0])
    test = np.array([[20.0, -9.0, 0.0], [0.0, 0.0, 3.0]])
    assert lab.by_components(train, test, 2) == pytest.approx([0.0, 3.0], abs=1e-9)


def test_covariance_measures_in_deviations():
    train = RNG.normal(size=(400, 2)) * np.array([10.0, 0.1])
    middle, sd = train.mean(axis=0), train.std(axis=0)
    train[:, 1] -= np.polyfit(train[:, 0], train[:, 1], 1)[0] * (train[:, 0] - middle[0])
    sd = train.std(axis=0)
    test = train.mean(axis=0) + np.array([[2.0, 0.0], [0.0, 3.0]]) * sd
    assert lab.by_covariance(train, test) == pytest.approx([4.0, 9.0])


def test_neighbours_are_the_fifth():
    train = np.arange(10.0)[:, None]
    assert lab.by_neighbours(train, np.array([[0.0], [20.0]])).tolist() == [4.0, 15.0]


def test_forest_finds_the_far_row():
    train = RNG.normal(size=(100, 2))
    near, far = lab.by_forest(train, np.array([[0.0, 0.0], [9.0, 9.0]]), 0)
    assert far > near


def test_a_table_that_is_not_here_is_told_with_the_way_out(monkeypatch, tmp_path):
    monkeypatch.setenv("CUELLO_DATA", str(tmp_path))
    with pytest.raises(DataError, match=r"odds/cardio\.npz.*CUELLO_DATA"):
        _anomaly_data.read_table("cardio")


def test_bundled_table_has_one_anomaly_in_ten():
    X, anomalous = _anomaly_data.read_table("breast-cancer")
    assert len(X) == len(anomalous)
    assert anomalous.mean() == pytest.approx(0.1, abs=0.005)


def test_one_class_trains_on_itself_alone():
    train, test, truth = _anomaly_data.read_images_of("digits", 3)
    assert len(test) == len(truth)
    assert 0.8 < truth.mean() < 0.95
    assert train.shape[1:] == (8, 8)


def record(options, seed, area):
    others = {method: 0.7 for method in lab.METHODS[1:]}
    own = {"autoencoder": area + 0.01 * seed, **others, "share": 0.1, "train_size": 9}
    return {"options": options, "seed": seed, **own}


@pytest.mark.parametrize(
    ("table", "digit", "holds", "best"),
    [(0.9, 0.8, True, 2), (0.9, 0.5, None, 1), (0.5, 0.4, False, 0)],
)
def test_verdict(table, digit, holds, best):
    records = [record({"table": "wbc"}, s, table) for s in (0, 1)]
    records += [record({"images": "mnist", "normal": 1}, s, digit) for s in (0, 1)]
    findings = lab.show(records)
    assert findings.holds is holds
    assert f"baselines in {best};" in findings.verdict
