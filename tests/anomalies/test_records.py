"""Every score survives its run folder, a new one in one file as well."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest
import torch

import cuello
from cuello import AnomalyDetector, Autoencoder
from cuello.anomalies import SCORES, Score, register_score
from cuello.errors import CuelloWarning, RunError
from cuello.run.models import arrays_of_detector, detector_of, record_detector

pytestmark = pytest.mark.filterwarnings("ignore::cuello.CuelloWarning")  # of two epochs

SMALL = {"latent_dim": 2, "epochs": 2}


def cases():
    rng = np.random.default_rng(0)
    return {
        "table": (Autoencoder("variational", hidden=(8,), **SMALL), rng.normal(size=(90, 5))),
        "images": (Autoencoder("variational", hidden=(8,), **SMALL), rng.random((90, 6, 7))),
        "sequences": (
            Autoencoder("plain", network="sequence", hidden=(8,), **SMALL),
            rng.normal(size=(90, 6, 2)),
        ),
    }


@pytest.mark.parametrize("name", ["table", "images", "sequences"])
def test_every_score_is_equal_to_the_bit_after_its_record_and_arrays(name):
    model, X = cases()[name]
    fitted = AnomalyDetector(model).fit(X)
    record = json.loads(json.dumps(record_detector(fitted)))
    arrays = {k: torch.clone(v) for k, v in arrays_of_detector(fitted).items()}
    again = detector_of(record, arrays, fitted.autoencoder_)
    expected = fitted.single_scores(X)
    missing = {"table": {"edges"}, "images": set(), "sequences": {"edges", "likelihood"}}[name]
    assert set(expected) == {"combined", *SCORES} - missing
    for key, found in again.single_scores(X).items():
        np.testing.assert_array_equal(found, expected[key])
    for attribute in ("threshold_", "offset_", "false_positive_rate_"):
        assert getattr(again, attribute) == getattr(fitted, attribute)
    assert again.scores_.members == fitted.scores_.members


class LargestValue(Score):
    """Largest scaled value, in units of that of the reference samples."""

    combined_for = ("tables",)

    def learn(self, samples, seed):
        return {"largest": np.abs(samples.scaled).max(axis=0), "rank": np.array(3)}

    def __call__(self, samples, learned):
        return np.log((np.abs(samples.scaled) / learned["largest"]).max(axis=1) + 1e-12)


@pytest.fixture
def toy():
    register_score("largest")(LargestValue)
    yield "largest"
    if "largest" in SCORES:
        SCORES.remove("largest")


@pytest.fixture
def folder(toy, tmp_path):
    rng = np.random.default_rng(0)
    np.save(tmp_path / "rows.npy", rng.normal(size=(120, 5)).astype(np.float32))
    return cuello.fit(tmp_path / "rows.npy", out=tmp_path / "run", hidden=(8,), **SMALL)


def test_a_new_score_in_one_file_goes_through_run_folder_commands_report_and_page(
    folder, tmp_path, toy
):
    from cuello.report.page import write_report
    from cuello.web import page_html

    run = cuello.open_run(folder.path)
    data = run.load(tmp_path / "rows.npy")
    learned = run.detector.scores_.learned[toy]
    assert learned["rank"] == 3
    assert learned["largest"].shape == (5,)
    assert run.detector.scores_.members == ("reconstruction", "samples", toy)
    run.anomalies(data, tmp_path / "a.csv", method=toy)
    with (tmp_path / "a.csv").open(newline="", encoding="utf-8") as f:
        lines = list(csv.DictReader(f))
    assert all(line["score"] == line[toy] for line in lines)
    scores = run.detector.single_scores(data.X)[toy]
    np.testing.assert_allclose([float(line[toy]) for line in lines], scores, atol=1e-4)
    write_report(folder)
    assert folder.report.is_file()
    assert "<html" in page_html(run)


def test_a_score_that_is_not_registered_is_left_out_unless_it_is_combined(folder, toy):
    config = folder.read_json("config.json")
    SCORES.remove(toy)
    with pytest.raises(RunError, match="'largest' is not registered; import the module"):
        cuello.open_run(folder.path)
    config["detector"]["combined"].remove(toy)
    folder.write_json("config.json", config)
    with pytest.warns(CuelloWarning, match="'largest' is not registered"):
        run = cuello.open_run(folder.path)
    assert toy not in run.detector.scores_.learned


@pytest.mark.parametrize("name", ["mahalanobis", "neighbours", "samples", "nearest", "edges"])
def test_arrays_of_another_model_are_refused(name):
    model, X = cases()["images"]
    wider = Autoencoder("plain", hidden=(8,), latent_dim=3, epochs=1)
    detector, other = AnomalyDetector(model).fit(X), AnomalyDetector(wider).fit(X[:, :4])
    record, arrays = record_detector(detector), arrays_of_detector(detector)
    elsewhere = arrays_of_detector(other)
    keys = [key for key in arrays if key.startswith(f"learned/{name}/")]
    with pytest.raises(ValueError, match="of another autoencoder"):
        detector_of(record, arrays | {k: elsewhere[k] for k in keys}, detector.autoencoder_)
    with pytest.raises(KeyError, match=keys[0]):
        detector_of(record, {k: arrays[k] for k in arrays.keys() - keys}, detector.autoencoder_)
    if name != "mahalanobis":
        with pytest.raises(ValueError, match="of another autoencoder"):
            detector_of(record, arrays | {keys[0]: arrays[keys[0]][:0]}, detector.autoencoder_)
