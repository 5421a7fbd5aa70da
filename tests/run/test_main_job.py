"""The main job end to end on small real data."""

from __future__ import annotations

import json

import numpy as np
import pyarrow.parquet as pq
import pytest
from sklearn.decomposition import PCA
from sklearn.metrics import f1_score
from sklearn.neighbors import KNeighborsClassifier

import cuello
from cuello.data import UNLABELLED, load
from cuello.data.splits import draw_by_class, make_split
from cuello.errors import DataError, InputError
from cuello.few_label import FewLabelClassifier
from cuello.run import Job, resume
from cuello.run.few_labels import compared_methods
from cuello.run.prepare import prepare

COMPARED = compared_methods("multiclass")
QUICK = {"hidden": (64,), "latent_dim": 8, "epochs": 40}


@pytest.fixture(scope="module", autouse=True)
def _short_fine_tuning():
    # How long to learn is chosen elsewhere; here it is what a job does and keeps.
    with pytest.MonkeyPatch.context() as patch:
        defaults = FewLabelClassifier.__init__.__kwdefaults__
        patch.setitem(defaults, "epochs", 20)
        patch.setitem(defaults, "learning_rates", (0.03,))
        patch.setitem(defaults, "weight_decay", 0.01)
        patch.setitem(defaults, "augment", None)
        yield


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    out = tmp_path_factory.mktemp("digits") / "run"
    return cuello.fit("digits", labels=60, repeats=2, out=out, **QUICK)


@pytest.fixture(scope="module")
def metrics(folder):
    return folder.read_json("metrics.json")


def test_run_folder_is_complete(folder):
    names = {path.name for path in folder.path.iterdir()}
    assert names == {
        "config.json",
        "embeddings.parquet",
        "examples.npz",
        "few_labels.jsonl",
        "history.jsonl",
        "metrics.json",
        "model.safetensors",
        "report.html",
    }
    config = folder.read_json("config.json")
    assert config["status"] == "finished"
    assert config["job"]["seed"] == 0
    assert {"torch", "cuello", "numpy", "python"} <= config["versions"].keys()
    assert len(folder.read_lines("history.jsonl")) == 40


def test_metrics_hold_what_is_promised(metrics):
    assert metrics["reconstruction"].keys() >= {"test_mse", "pca_test_mse", "latent_dim"}
    assert [r["method"] for r in metrics["few_labels"]] == list(COMPARED)
    for row in metrics["few_labels"]:
        assert row["labels"] == 60
        assert row["repeats"] == 2
        assert row["accuracy_mean"] == pytest.approx(np.mean(row["accuracy"]))
        assert row["accuracy_sd"] == pytest.approx(np.std(row["accuracy"], ddof=1))
        assert row["method"] == "majority" or 0.5 < row["macro_f1_mean"] <= 1.0
    assert metrics["timing"].keys() >= {"train_seconds", "epochs", "rows_per_second"}
    confusion = np.array(metrics["confusion"]["matrix"])
    assert confusion.shape == (10, 10)
    assert confusion.sum() == 2 * metrics["data"]["rows"]["test"]
    best = next(r for r in metrics["few_labels"] if r["method"] == metrics["method"])
    assert np.trace(confusion) / confusion.sum() == pytest.approx(best["accuracy_mean"])


def test_reconstruction_error_against_an_own_computation(folder, metrics):
    data = load("digits")
    rows = make_split(data)
    test = data.X[rows.test] / 255.0
    train = data.X[rows.train].reshape(len(rows.train), -1) / 255.0
    run = cuello.open_run(folder.path)
    back = run.autoencoder.reconstruct(data.X[rows.test]) / 255.0
    assert metrics["reconstruction"]["test_mse"] == pytest.approx(((test - back) ** 2).mean())
    pca = PCA(8).fit(train)
    flat = test.reshape(len(test), -1)
    projected = pca.inverse_transform(pca.transform(flat))
    assert metrics["reconstruction"]["pca_test_mse"] == pytest.approx(
        ((flat - projected) ** 2).mean(), rel=1e-3
    )


def test_knn_baseline_against_an_own_computation(metrics):
    data = load("digits")
    rows = make_split(data)
    X, y = data.X.reshape(len(data), -1) / 255.0, data.y
    expected = []
    for draw in range(2):
        rng = np.random.default_rng([0, draw])
        known = rows.train[draw_by_class(y[rows.train], 60, rng, data.classes)]
        assert np.bincount(y[known]).tolist() == [6] * 10
        model = KNeighborsClassifier(5).fit(X[known], y[known])
        expected.append((model.predict(X[rows.test]), y[rows.test]))
    row = next(r for r in metrics["few_labels"] if r["method"] == "knn_pixels")
    assert row["accuracy"] == pytest.approx([(p == t).mean() for p, t in expected])
    assert row["macro_f1_mean"] == pytest.approx(
        np.mean([f1_score(t, p, average="macro") for p, t in expected])
    )


def test_the_kept_classifier_is_the_chosen_method_on_the_first_draw(folder, metrics, tmp_path):
    run = cuello.open_run(folder.path)
    assert run.classifier.method == metrics["method"] == "auto"
    assert run.classifier.method_ == metrics["kept_method"]
    data = load("digits")
    rows = make_split(data)
    accuracy = (run.classifier.predict(data.X[rows.test]) == data.y[rows.test]).mean()
    row = next(r for r in metrics["few_labels"] if r["method"] == metrics["method"])
    assert accuracy == pytest.approx(row["accuracy"][0])


def test_embeddings_are_those_of_all_samples(folder):
    table = pq.read_table(folder.path / "embeddings.parquet").to_pydict()
    data = load("digits")
    run = cuello.open_run(folder.path)
    codes = np.column_stack([table[f"z{k}"] for k in range(8)])
    assert np.array_equal(codes, run.autoencoder.transform(data.X))
    np.testing.assert_allclose(table["anomaly_score"], run.detector.anomaly_scores(data.X))
    assert table["label"] == [data.classes[i] for i in data.y]
    rows = make_split(data)
    assert np.flatnonzero(np.array(table["split"]) == "test").tolist() == rows.test.tolist()


def test_same_seed_same_result(folder, metrics, tmp_path):
    again = cuello.fit("digits", labels=60, repeats=2, out=tmp_path / "again", **QUICK)
    new = again.read_json("metrics.json")
    assert new["reconstruction"] == metrics["reconstruction"]
    assert new["confusion"] == metrics["confusion"]
    weights = [f.path / "model.safetensors" for f in (folder, again)]
    assert weights[0].read_bytes() == weights[1].read_bytes()


def test_without_labels_there_is_no_classifier(tmp_path):
    folder = cuello.fit("digits", out=tmp_path / "run", **QUICK | {"epochs": 2})
    assert folder.read_json("metrics.json")["few_labels"] == []
    assert cuello.open_run(folder.path).classifier is None


def write_partly_labelled(tmp_path, known=90):
    data = load("digits")
    y = np.full(len(data), UNLABELLED)
    rng = np.random.default_rng(0)
    chosen = rng.choice(len(data), known, replace=False)
    y[chosen] = data.y[chosen]
    np.savez(tmp_path / "some.npz", X=data.X, y=y)
    return tmp_path / "some.npz", np.sort(chosen)


def test_partly_labelled_data_holds_out_labelled_rows(tmp_path):
    path, known = write_partly_labelled(tmp_path)
    plan = prepare(Job(data=str(path), repeats=3)).plan
    assert plan.final.tolist() == known.tolist()
    for draw, held in zip(plan.draws, plan.held_out, strict=True):
        assert not set(draw) & set(held)
        assert sorted([*draw, *held]) == known.tolist()
        assert len(held) == 30
    assert "held-out third of the 90 labelled samples" in plan.evaluated_on


def test_labels_from_a_csv(tmp_path):
    data = load("digits")
    np.save(tmp_path / "images.npy", data.X)
    chosen = np.random.default_rng(1).choice(len(data), 60, replace=False)
    lines = [f"{i},{data.classes[data.y[i]]}" for i in chosen]
    (tmp_path / "labels.csv").write_text("row,label\n" + "\n".join(lines) + "\n")
    folder = cuello.fit(
        tmp_path / "images.npy",
        labels=tmp_path / "labels.csv",
        repeats=1,
        out=tmp_path / "run",
        **QUICK,
    )
    run = cuello.open_run(folder.path)
    assert run.classes == data.classes
    assert folder.read_json("metrics.json")["few_labels"][0]["labels"] == 41
    assert (run.classifier.predict(data.X) == data.y).mean() > 0.5


def test_a_class_with_few_labels_is_learned_from_but_not_measured_on(tmp_path):
    X = np.random.default_rng(0).random((60, 4), dtype=np.float32)
    y = np.full(60, -1)
    y[:12], y[20:32], y[40] = 0, 1, 2
    np.savez(tmp_path / "t.npz", X=X, y=y)
    plan = prepare(Job(data=str(tmp_path / "t.npz"), repeats=4)).plan
    assert all(40 in draw for draw in plan.draws)
    assert all(40 not in held and len(held) == 8 for held in plan.held_out)


def test_medians_come_from_training_rows_only(tmp_path):
    rng = np.random.default_rng(0)
    table = rng.normal(size=(100, 3)).round(3)
    text = ["a,b,c"] + [",".join(map(str, row)) for row in table]
    text[5] = text[5].split(",")[0] + ",," + text[5].split(",")[2]
    (tmp_path / "t.csv").write_text("\n".join(text) + "\n")
    prepared = prepare(Job(data=str(tmp_path / "t.csv")))
    column = table[:, 1].copy()
    column[4] = np.nan
    expected = np.nanmedian(column[prepared.rows.train])
    assert prepared.data.X[4, 1] == pytest.approx(expected, rel=1e-5)


def test_finished_lines_are_not_computed_again(tmp_path, monkeypatch):
    from cuello.run import few_labels

    path, _ = write_partly_labelled(tmp_path)
    fitted = []
    real = few_labels.fit_method

    def counted(method, *args, **kwargs):
        fitted.append(method)
        if len(fitted) == 3:
            raise KeyboardInterrupt
        return real(method, *args, **kwargs)

    monkeypatch.setattr(few_labels, "fit_method", counted)
    out = tmp_path / "run"
    compared = compared_methods("multiclass", kept="label_spreading", in_full=True)
    with pytest.raises(KeyboardInterrupt):
        cuello.fit(path, repeats=1, method=compared[-1], compare=True, out=out, **QUICK)
    lines = (out / "few_labels.jsonl").read_text().splitlines()
    assert [json.loads(line)["method"] for line in lines] == list(compared[:5])
    fitted.clear()
    fitted.extend(["x"] * 10)
    resume(out)
    # And the kept one once more, on all labelled samples.
    assert fitted[10:] == [*compared[5:], "label_spreading"]


@pytest.fixture(scope="module")
def waves(tmp_path_factory):
    """A file of slow and fast waves, 4 to 9 steps long, and what was made of it."""
    path = tmp_path_factory.mktemp("waves")
    rng = np.random.default_rng(0)
    y = np.arange(90) % 2
    time = np.arange(9)
    X = np.sin(time * (0.3 + y[:, None]) + rng.random((90, 1)))[..., None].astype(np.float32)
    X[time >= rng.integers(4, 10, 90)[:, None]] = np.nan
    X[0] = np.sin(time)[:, None]
    np.savez(path / "waves.npz", X=X, y=y)
    options = {"network": "sequence", "latent_dim": 2, "hidden": (8,), "epochs": 2}
    cuello.fit(path / "waves.npz", labels=10, repeats=1, out=path / "run", **options)
    return path, X


def test_sequences_of_different_lengths_from_a_file(waves):
    path, X = waves
    run = cuello.open_run(path / "run")
    metrics = run.folder.read_json("metrics.json")
    assert 0 < metrics["reconstruction"]["pca_test_mse"] < 1
    assert [r["method"] for r in metrics["few_labels"]] == list(COMPARED)
    short = X[1:5, :8].copy()
    short[:, 6:] = np.nan
    np.save(path / "short.npy", short)
    data = run.load(path / "short.npy")
    assert data.X.shape == (4, 9, 1)
    run.classify(data, path / "c.csv")
    run.reconstruct(data, path / "r.npz")
    assert np.isfinite(np.load(path / "r.npz")["error"]).all()
    assert len((path / "c.csv").read_text().splitlines()) == 5


def test_sequences_that_do_not_fit(waves):
    path, _ = waves
    with pytest.raises(DataError, match=r"different lengths.*network='dense'.*network='sequence'"):
        cuello.fit(path / "waves.npz", out=path / "other")
    np.save(path / "long.npy", np.zeros((2, 12, 1), np.float32))
    with pytest.raises(InputError, match=r"a sequence of 12 steps.*up to 9"):
        cuello.open_run(path / "run").load(path / "long.npy")
