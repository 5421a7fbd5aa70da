"""`cuello anomalies`: what it writes of a run, and what it refuses."""

from __future__ import annotations

import csv
import json

import numpy as np
import pyarrow.parquet as pq
import pytest
from cli_samples import run
from safetensors.numpy import load_file, save_file


def read(path):
    with path.open(newline="", encoding="utf-8") as f:
        return list(csv.DictReader(f))


def test_each_row_has_its_score_and_whether_it_is_an_anomaly(unlabelled, tmp_path):
    outcome = run(
        tmp_path, "anomalies", "bare", "rows.npz", "--false-positive-rate", "50%", "-o", "a.csv"
    )
    assert outcome.code == 0, outcome
    lines = read(tmp_path / "a.csv")
    assert [int(line["row"]) for line in lines] == list(range(60))
    scores = np.array([float(line["score"]) for line in lines])
    anomalous = np.array([line["anomaly"] == "yes" for line in lines])
    assert anomalous.any()
    assert (anomalous == (scores > -np.log10(0.5))).all()
    assert f"{anomalous.sum()} of 60 samples are anomalies" in outcome.out
    parts = ("reconstruction", "mahalanobis", "neighbours", "samples", "nearest")
    assert all(float(line[name]) >= 0.0 for line in lines for name in parts)
    # Shares of three of six columns, the largest first.
    for line in lines:
        shares = [int(part.split()[-1].rstrip("%")) for part in line["why"].split(", ")]
        assert shares == sorted(shares, reverse=True)
        assert 50 <= sum(shares) <= 101
    stored = pq.read_table(unlabelled / "embeddings.parquet").column("anomaly_score").to_numpy()
    np.testing.assert_allclose(stored, scores, atol=1e-4)


def test_a_single_score_and_a_share_of_the_rows(unlabelled, tmp_path):
    for method in ("reconstruction", "nearest"):
        command = ("anomalies", "bare", "rows.npz", "--method", method, "--contamination", 0.1)
        outcome = run(tmp_path, *command, "-o", "a.csv")
        assert outcome.code == 0, outcome
        lines = read(tmp_path / "a.csv")
        assert all(line["score"] == line[method] for line in lines)
        anomalous = {line["row"] for line in lines if line["anomaly"] == "yes"}
        assert len(anomalous) == 6
        most = sorted(lines, key=lambda line: -float(line["score"]))[:6]
        assert anomalous == {line["row"] for line in most}


def test_columns_are_called_by_their_names(tmp_path):
    rng = np.random.default_rng(0)
    table = np.hstack([np.repeat(rng.normal(size=(80, 1)), 3, axis=1), rng.normal(size=(80, 1))])
    table[7, 1] = 9.0
    text = "width,height,depth,weight\n" + "\n".join(",".join(map(str, row)) for row in table)
    (tmp_path / "t.csv").write_text(text)
    small = ("--latent", 2, "--hidden", 8, "--epochs", 30)
    assert run(tmp_path, "fit", "t.csv", *small, "--out", "r").code == 0
    assert run(tmp_path, "anomalies", "r", "t.csv", "-o", "a.csv").code == 0
    lines = read(tmp_path / "a.csv")
    strangest = max(lines, key=lambda line: float(line["score"]))
    assert strangest["row"] == "7"
    assert strangest["why"].startswith("height ")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--false-positive-rate", "0%"), "such as 1% or 0.01"),
        (("--false-positive-rate", "many"), "many must be a share"),
        (("--contamination", "60%"), "at most 0.5"),
        (("--method", "neighbors"), "did you mean 'neighbours'"),
        (("--method", "likelihood"), "needs a likelihood"),
        (("-o", "a.npz"), "write a.csv"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(unlabelled, tmp_path, options, message):
    given = ("anomalies", "bare", "rows.npz", "-o", "a.csv", *options)
    outcome = run(tmp_path, *given)
    assert outcome.code == 2
    assert message in outcome.complaint
    assert not list(tmp_path.glob("a.*"))


def test_a_run_without_a_detector_says_how_to_get_one(unlabelled, tmp_path):
    config = json.loads((unlabelled / "config.json").read_text())
    config["detector"] = None
    (unlabelled / "config.json").write_text(json.dumps(config))
    outcome = run(tmp_path, "anomalies", "bare", "rows.npz", "-o", "a.csv")
    assert outcome.code == 2
    assert "holds no anomaly detector" in outcome.complaint


@pytest.mark.parametrize("what", ["learned/neighbours/reference", "tails/combined"])
def test_a_detector_of_another_model_is_refused(unlabelled, tmp_path, what):
    file = unlabelled / "model.safetensors"
    arrays = load_file(file)
    if what == "tails/combined":
        del arrays[f"detector/{what}"]
    else:
        arrays[f"detector/{what}"] = np.zeros((5, 3), dtype=np.float32)  # the run has 2 latents
    save_file(arrays, file)
    outcome = run(tmp_path, "anomalies", "bare", "rows.npz", "-o", "a.csv")
    assert outcome.code == 2
    assert "cannot be used together" in outcome.complaint
