"""The projection of a run: of training embeddings, measured on test samples, kept."""

from __future__ import annotations

import csv
import json

import numpy as np
import pyarrow.parquet as pq
import pytest
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA

import cuello
from cuello.errors import DivergedError, InputError, RunError
from cuello.estimators.projection import fit_projector
from cuello.metrics import projection_quality
from cuello.run.folder import RunFolder
from cuello.run.generation import write_projection
from cuello.run.models import Models, save_models
from cuello.server.serving import app_for

SMALL = {"hidden": (16,), "epochs": 3, "kind": "plain"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("maps")
    digits = load_digits(n_class=4)
    np.savez(place / "digits.npz", X=digits.images[:400] / 16, y=digits.target[:400])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("cuello.run.examples.PROJECTED", 30)  # of 80 test samples
        return cuello.fit(place / "digits.npz", latent_dim=5, out=place / "run", **SMALL).path


@pytest.fixture
def run(folder):
    return cuello.open_run(folder)


def lines(path):
    with path.open(newline="", encoding="utf-8") as f:
        return list(csv.DictReader(f))


def test_a_run_keeps_a_projection_of_its_training_embeddings(run, folder):
    data = run.load(folder.parent / "digits.npz")
    table = run.folder.read_arrays("examples.npz")
    splits = _splits(folder)
    codes = run.autoencoder.transform(data.X)
    again = fit_projector(cuello.Autoencoder, codes[splits == "train"], seed=0)
    places = run.projection.transform(codes)
    np.testing.assert_allclose(again.transform(codes), places, atol=1e-4)
    tested = np.flatnonzero(splits == "test")[table["projection_rows"]]
    np.testing.assert_allclose(table["projection_coordinates"], places[tested], atol=1e-4)


def test_the_projection_is_measured_on_test_rows_beside_pca(run, folder):
    data = run.load(folder.parent / "digits.npz")
    tested = _splits(folder) == "test"
    measured = json.loads((folder / "metrics.json").read_text())["projection"]
    assert measured["rows"] == tested.sum()
    places = run.projection.transform(run.autoencoder.transform(data.X[tested]))
    flat = data.X[tested].reshape(-1, 64)
    expected = projection_quality(flat, places, data.y[tested])
    assert measured["methods"]["learned projection"] == pytest.approx(expected._asdict(), abs=1e-4)
    pca = projection_quality(flat, PCA(2).fit_transform(flat), data.y[tested])
    assert measured["methods"]["PCA"] == pytest.approx(pca._asdict(), abs=0.02)
    assert set(measured["methods"]) == {"learned projection", "PCA"}
    report = (folder / "report.html").read_text(encoding="utf-8")
    assert "Trustworthiness" in report
    assert "learned projection of the embeddings" in report


def test_reduce_writes_a_place_and_the_label_of_every_row(run, folder, tmp_path):
    data = run.load(folder.parent / "digits.npz")
    count, measured, quality = write_projection(run, data, tmp_path / "map.csv")
    found = lines(tmp_path / "map.csv")
    assert count == measured == len(found) == 400
    assert list(found[0]) == ["row", "x", "y", "label"]
    places = run.projection.transform(run.autoencoder.transform(data.X))
    got = np.array([[float(line["x"]), float(line["y"])] for line in found])
    np.testing.assert_allclose(got, places, rtol=1e-4, atol=1e-4)
    assert [line["label"] for line in found] == [data.classes[k] for k in data.y]
    assert set(quality) == {"learned projection", "PCA"}


def test_a_run_without_a_projection_gets_one_of_the_rows(folder, tmp_path):
    old = _copy(folder, tmp_path, lambda config: config.update(projection=None))
    run = cuello.open_run(old)
    assert run.projection is None
    data = run.load(folder.parent / "digits.npz")
    assert write_projection(run, data, tmp_path / "map.csv")[0] == 400
    few = cuello.data.Dataset(X=data.X[:20], source="few", name="few")
    with pytest.raises(InputError, match="20 samples are too few"):
        write_projection(run, few, tmp_path / "few.csv")
    assert not (tmp_path / "few.csv").exists()


def test_a_projection_that_diverges_costs_no_run(folder, tmp_path, monkeypatch):
    def diverge(*_, **__):
        raise DivergedError("a loss became NaN")

    monkeypatch.setattr("cuello.run.embeddings.fit_projector", diverge)
    cuello.fit(folder.parent / "digits.npz", latent_dim=5, out=tmp_path / "run", **SMALL)
    run = cuello.open_run(tmp_path / "run")
    assert run.projection is None
    assert (
        "The run keeps no projection of its embeddings: a loss became NaN." in run.config["notes"]
    )
    assert "first principal component" in (tmp_path / "run" / "report.html").read_text("utf-8")


@pytest.mark.parametrize("latents", [1, 2])
def test_embeddings_of_one_or_two_latents_are_the_projection(folder, tmp_path, latents):
    out = tmp_path / "run"
    cuello.fit(folder.parent / "digits.npz", latent_dim=latents, out=out, **SMALL)
    run = cuello.open_run(out)
    assert run.projection is None
    *_, quality = write_projection(
        run, run.load(folder.parent / "digits.npz"), tmp_path / "map.csv"
    )
    assert list(lines(tmp_path / "map.csv")[0]) == ["row", *"xy"[:latents], "label"]
    assert set(quality) == {"embedding", "PCA"}


def test_rows_without_classes_and_too_few_to_measure(tmp_path):
    rng = np.random.default_rng(0)
    np.save(tmp_path / "rows.npy", rng.normal(size=(12, 6)).astype(np.float32))
    cuello.fit(tmp_path / "rows.npy", latent_dim=3, out=tmp_path / "run", **SMALL)
    run = cuello.open_run(tmp_path / "run")
    assert run.projection is None
    assert "projection" not in json.loads((tmp_path / "run" / "metrics.json").read_text())
    with pytest.raises(InputError, match="12 samples are too few"):
        write_projection(run, run.load(tmp_path / "rows.npy"), tmp_path / "map.csv")


@pytest.mark.parametrize(
    "change",
    [
        lambda record: record["params"].update(encoder="os:system"),
        lambda record: record["params"].update(latent_dim=3),
        lambda record: record["params"].update(hidden=[10**7, 10**7]),
        lambda record: record.update(shape=[4]),
        lambda record: record.pop("scaling"),
    ],
)
def test_a_projection_that_was_changed_by_hand_is_refused(folder, tmp_path, change):
    changed = _copy(folder, tmp_path, lambda config: change(config["projection"]))
    with pytest.raises(RunError, match="cannot be used together"):
        cuello.open_run(changed)


def test_a_projection_that_leads_nowhere_is_not_served(folder, tmp_path):
    def change(config):
        config["projection"]["scaling"]["width"] = [0.0] * 5

    with pytest.raises(RunError, match=r"config\.json is damaged"):
        app_for(_copy(folder, tmp_path, change))


def test_a_projection_imports_no_network_of_its_own(folder, tmp_path, monkeypatch):
    ran = tmp_path / "ran"
    (tmp_path / "sly.py").write_text(f"open({str(ran)!r}, 'w').close()\n")
    monkeypatch.syspath_prepend(tmp_path)
    changed = _copy(
        folder, tmp_path, lambda c: c["projection"]["params"].update(encoder="sly:build")
    )
    for trust_remote_code in (False, True):
        with pytest.raises(RunError, match="cannot be used together"):
            cuello.open_run(changed, trust_remote_code=trust_remote_code)
    assert not ran.exists()


def test_the_projection_of_another_run_is_refused(run, tmp_path):
    copy = _copy(run.folder.path, tmp_path, lambda config: None)
    codes = np.random.default_rng(0).normal(size=(60, 4)).astype(np.float32)
    models = Models(
        run.autoencoder, run.classifier, run.detector, fit_projector(cuello.Autoencoder, codes, 0)
    )
    save_models(RunFolder(copy), models)
    with pytest.raises(RunError, match="the projector is of another autoencoder"):
        cuello.open_run(copy)


def test_a_model_too_large_for_any_memory_is_refused_before_it_is_built(folder, tmp_path):
    layers = [10**9, 10**9]
    changed = _copy(folder, tmp_path, lambda c: c["autoencoder"]["params"].update(hidden=layers))
    with pytest.raises(RunError, match=r"weights .* have shape"):
        cuello.open_run(changed)


def _copy(folder, tmp_path, change):
    copy = tmp_path / "copy"
    copy.mkdir()
    for file in folder.iterdir():
        (copy / file.name).write_bytes(file.read_bytes())
    config = json.loads((copy / "config.json").read_text())
    change(config)
    (copy / "config.json").write_text(json.dumps(config))
    return copy


def _splits(folder):
    return np.array(pq.read_table(folder / "embeddings.parquet")["split"].to_pylist())
