"""Asking a run for anomalies leaves what the run has learned as it is."""

from __future__ import annotations

import csv

import numpy as np
import pytest

import cuello


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("found")
    rng = np.random.default_rng(0)
    np.save(place / "rows.npy", rng.normal(size=(300, 5)).astype(np.float32))
    options = {"kind": "plain", "hidden": (8,), "latent_dim": 2, "epochs": 3}
    return cuello.fit(place / "rows.npy", out=place / "run", **options).path


def flags(path):
    with path.open(newline="", encoding="utf-8") as f:
        return [(line["score"], line["anomaly"]) for line in csv.DictReader(f)]


def test_other_options_change_no_later_answer(folder, tmp_path):
    run = cuello.open_run(folder)
    data = run.load(folder.parent / "rows.npy")
    threshold, offset = run.detector.threshold_, run.detector.offset_
    params = run.detector.get_params(deep=False)
    run.anomalies(data, tmp_path / "before.csv")
    for options in ({"false_positive_rate": 0.2}, {"contamination": 0.1}, {"method": "neighbours"}):
        run.anomalies(data, tmp_path / "other.csv", **options)
        assert flags(tmp_path / "other.csv") != flags(tmp_path / "before.csv")
        assert (run.detector.threshold_, run.detector.offset_) == (threshold, offset)
        assert run.detector.get_params(deep=False) == params
    run.anomalies(data, tmp_path / "after.csv")
    assert (tmp_path / "after.csv").read_bytes() == (tmp_path / "before.csv").read_bytes()
