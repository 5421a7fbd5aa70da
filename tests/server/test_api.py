"""Answers of the API are the results of the run."""

from __future__ import annotations

import functools
import json
import shutil
import threading

import numpy as np
import pytest
from server_samples import KINDS, Client, make, rows
from sklearn.frozen import FrozenEstimator
from sklearn.neighbors import NearestNeighbors

from cuello import load, open_run
from cuello.api import start_with_report
from cuello.data.labels import with_labels
from cuello.errors import InputError, Use
from cuello.few_label import FewLabelClassifier
from cuello.run import Job
from cuello.server.serving import app_for


@pytest.fixture(scope="module")
def served(made):
    """Return a function that gives a client of a run that no test changes."""
    return functools.cache(lambda kind: Client(app_for(made(kind))))


@pytest.mark.parametrize("kind", KINDS)
def test_samples_and_embeddings_go_through_the_networks_of_the_run(made, served, kind):
    client, run = served(kind), open_run(made(kind))
    X, model = run.load(run.config["job"]["data"]).X, run.autoencoder
    samples = [client.get(f"/api/samples/{i}")["values"] for i in range(9)]
    for i, row in enumerate(samples):
        kept = X[i][~np.isnan(X[i]).any(axis=-1)] if kind == "sequences" else X[i]
        np.testing.assert_array_equal(np.asarray(row, dtype=np.float32), kept)
    embeddings = client.post("/api/encode", {"samples": samples})["embeddings"]
    np.testing.assert_allclose(embeddings, model.transform(X[:9]), rtol=1e-6)
    decoded = client.post("/api/decode", {"embeddings": embeddings})["samples"]
    expected = model.inverse_transform(np.asarray(embeddings, dtype=np.float32))
    np.testing.assert_allclose(decoded, expected, rtol=1e-6)
    back = client.post("/api/reconstruct", {"samples": samples})["samples"]
    for row, whole, short in zip(back, model.reconstruct(X[:9]), samples, strict=True):
        assert len(row) == len(short)
        np.testing.assert_allclose(row, whole[: len(row)], rtol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_predictions_are_those_of_the_classifier(made, served, kind):
    client, run = served(kind), open_run(made(kind))
    X = run.load(run.config["job"]["data"]).X[:9]
    samples = [client.get(f"/api/samples/{i}")["values"] for i in range(9)]
    info = client.get("/api/info")
    if run.classifier is None:
        assert info["classifier"] is None
        detail = client.post("/api/classify", {"samples": samples}, code=409)["detail"]
        assert "holds no classifier" in detail
        assert "/api/refit" in detail
        return
    answers = client.post("/api/classify", {"samples": samples})
    if kind == "numbers":
        np.testing.assert_allclose(answers["numbers"], run.classifier.predict(X), rtol=1e-6)
        assert answers["labels"] is answers["probabilities"] is None
        return
    np.testing.assert_allclose(answers["probabilities"], run.classifier.predict_proba(X), rtol=1e-5)
    assert answers["classes"] == list(run.classes) == info["classes"]
    best = [run.classes[k] for k in run.classifier.predict(X)]
    assert answers["labels"] == best


@pytest.mark.parametrize("kind", KINDS)
def test_anomaly_scores_are_those_of_the_detector(made, served, kind):
    client, run = served(kind), open_run(made(kind))
    X = run.load(run.config["job"]["data"]).X[:9]
    samples = [client.get(f"/api/samples/{i}")["values"] for i in range(9)]
    answer = client.post("/api/anomalies", {"samples": samples})
    single = run.detector.single_scores(X)
    np.testing.assert_allclose(answer["scores"], single.pop("combined"), rtol=1e-5, atol=1e-6)
    assert answer["single_scores"].keys() == single.keys()
    for name, values in single.items():
        np.testing.assert_allclose(answer["single_scores"][name], values, rtol=1e-5, atol=1e-6)
    assert answer["threshold"] == run.detector.threshold_
    assert answer["anomalies"] == (run.detector.predict(X) < 0).tolist()


def test_a_run_without_a_detector_has_no_anomaly_scores(made, tmp_path):
    copy = shutil.copytree(made("table"), tmp_path / "run")
    config = json.loads((copy / "config.json").read_text())
    (copy / "config.json").write_text(json.dumps(config | {"detector": None}))
    answer = Client(app_for(copy)).post("/api/anomalies", {"samples": [[100.0] * 6]}, code=409)
    assert "holds no anomaly detector" in answer["detail"]


@pytest.mark.parametrize("kind", KINDS)
def test_info(made, served, kind):
    info, run = served(kind).get("/api/info"), open_run(made(kind))
    assert info["status"] == "finished"
    assert tuple(info["shape"]) == run.autoencoder.shape_
    assert info["latent_dim"] == run.autoencoder.latent_dim_
    assert info["samples"] == info["labelable"] == 60
    assert info["task"] == run.task


def test_neighbours_have_the_nearest_embeddings(made, served):
    client, run = served("table"), open_run(made("table"))
    embeddings = run.autoencoder.transform(rows()[0]) / run.autoencoder.embedding_scale_
    distance, index = NearestNeighbors(n_neighbors=6).fit(embeddings).kneighbors(embeddings)
    for i in (0, 17, 59):
        answer = client.get(f"/api/neighbours/{i}?k=5")["neighbours"]
        assert [one["row"] for one in answer] == index[i, 1:].tolist()
        np.testing.assert_allclose([one["distance"] for one in answer], distance[i, 1:], rtol=1e-4)
    assert len(client.get("/api/neighbours/3?k=100")["neighbours"]) == 59


def test_an_official_test_split_comes_after_the_rows(tmp_path):
    X, y = rows()
    np.savez(tmp_path / "rows.npz", X=X[:40], y=y[:40], X_test=X[40:], y_test=y[40:])
    job = Job.of(data=str(tmp_path / "rows.npz"), epochs=1, hidden=(8,), latent_dim=2)
    client = Client(app_for(start_with_report(job, tmp_path / "run").path))
    info = client.get("/api/info")
    assert (info["samples"], info["labelable"]) == (60, 40)
    np.testing.assert_allclose(client.get("/api/samples/45")["values"], X[45])
    assert client.get("/api/samples/45")["split"] == "test"
    client.post("/api/labels", {"labels": [{"row": 40, "label": "1"}]}, code=422)
    told = [{"row": i, "label": str(y[i])} for i in range(12)]
    client.post("/api/labels", {"labels": told})
    assert len(client.post("/api/refit", {})["probabilities"]) == 60


@pytest.mark.parametrize(
    "url", ["/api/samples/60", "/api/neighbours/60", "/api/samples/9999999999999"]
)
def test_samples_that_are_not_there(served, url):
    detail = served("table").get(url, code=404)["detail"]
    assert detail.endswith("does not exist; there are 0 to 59.")


BAD_ROWS = {
    "no rows": ([], "at least 1"),
    "too many": ([[0.0] * 6] * 1001, "at most 1000"),
    "too short": ([[0.0] * 5], "samples[0]: List should have at least 6"),
    "too long": ([[0.0] * 6, [0.0] * 7], "samples[1]: List should have at most 6"),
    "text": ([["1"] * 6], "samples[0][0]: Input should be a valid number"),
    "truth": ([[True] * 6], "samples[0][0]: Input should be a valid number"),
    "nothing": ([[None] * 6], "samples[0][0]: Input should be a valid number"),
    "too large": ([[0.0] * 5 + [1e30]], "samples[0][5]: Input should be less than"),
    "no list": (5, "samples: Input should be a valid list"),
}


@pytest.mark.parametrize("name", BAD_ROWS)
def test_samples_that_do_not_fit(served, name):
    samples, saying = BAD_ROWS[name]
    client = served("table")
    for url in ("/api/encode", "/api/reconstruct", "/api/classify"):
        assert saying in client.post(url, {"samples": samples}, code=422)["detail"]


@pytest.mark.parametrize("text", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_numbers_that_are_not_finite(served, text):
    body = f'{{"embeddings": [[0.0, {text}]]}}'
    json = {"content-type": "application/json"}
    client = served("table")
    detail = client.post("/api/decode", code=422, content=body, headers=json)["detail"]
    assert detail.startswith("embeddings[0][1]: Input should be")


@pytest.mark.parametrize("body", ["", "{", "[" * 100_000, "null", "[]", '"rows"', b"\xff\xfe\x00"])
def test_bodies_that_are_no_request(served, body):
    client = served("table")
    json = {"content-type": "application/json"}
    for url in ("/api/encode", "/api/labels", "/api/refit"):
        response = client.ask("POST", url, content=body, headers=json)
        assert response.status_code in (400, 422)
        assert response.json()["detail"]


def test_labels_are_saved_as_fit_reads_them(client, tmp_path):
    asked = client("table")
    before = asked.get("/api/labels")["labels"]
    assert len(before) == 12
    changes = [{"row": 59, "label": "2"}, {"row": int(next(iter(before))), "label": None}]
    after = asked.post("/api/labels", {"labels": changes})
    assert after["labels"]["59"] == "2"
    assert len(after["labels"]) == 12
    run = open_run(tmp_path / "run")
    data = load(run.config["job"]["data"])
    data = with_labels(tmp_path / "run" / after["file"], data, "multiclass")
    read = {str(i): data.classes[data.y[i]] for i in np.flatnonzero(data.labelled)}
    assert read == after["labels"] == asked.get("/api/labels")["labels"]
    assert Client(app_for(tmp_path / "run")).get("/api/labels")["labels"] == read
    assert asked.get("/api/samples/59")["label"] == "2"


def test_removing_every_label(client):
    asked = client("table")
    gone = [{"row": int(row), "label": None} for row in asked.get("/api/labels")["labels"]]
    assert asked.post("/api/labels", {"labels": gone})["labels"] == {}
    assert asked.get("/api/labels")["labels"] == {}
    detail = asked.post("/api/refit", {}, code=409)["detail"]
    assert "two classes or more" in detail


@pytest.mark.parametrize(
    ("label", "code", "saying"),
    [
        ("d", 200, ""),
        ("grün, «neu»", 200, ""),
        ("A", 409, "differs from 'a'"),
        ("-1", 409, "empty"),
        ("", 422, "match pattern"),
        (" a", 422, "match pattern"),
        ("a\nb", 422, "match pattern"),
        ("x" * 101, 422, "at most 100"),
        (7, 422, "valid string"),
    ],
)
def test_names_of_new_classes(client, tmp_path, label, code, saying):
    asked = client("own classes")
    before = asked.get("/api/labels")["labels"]
    asked.post("/api/labels", {"labels": [{"row": 3, "label": "a"}]})
    change = {"labels": [{"row": 58, "label": label}]}
    answer = asked.post("/api/labels", change, code=code)
    if code == 200:
        assert answer["labels"]["58"] == label
    else:
        assert saying in answer["detail"]
        assert asked.get("/api/labels")["labels"] == before | {"3": "a"}


def test_classes_of_the_data_are_all_that_labels_can_be(client):
    answer = client("table").post("/api/labels", {"labels": [{"row": 3, "label": "7"}]}, code=422)
    assert "'0', '1' or '2'" in answer["detail"]


def test_a_refusal_has_its_facts_as_fields(client, monkeypatch):
    def refuse(self, changes):
        raise InputError(argument="k", value=0, allowed="1 or more", remedy=Use("k", 2))

    monkeypatch.setattr("cuello.server.labels.LabelFile.change", refuse)
    body = {"labels": [{"row": 3, "label": "1"}]}
    assert client("table").post("/api/labels", body, code=422) == {
        "detail": "k=0 must be 1 or more; use k=2.",
        "argument": "k",
        "value": "0",
        "allowed": "1 or more",
        "remedy": "use k=2",
    }


def test_refitting_is_what_the_library_does(client, tmp_path):
    asked = client("one latent")
    X, y = rows()
    asked.post("/api/labels", {"labels": [{"row": i, "label": "abc"[y[i]]} for i in range(24)]})
    answer = asked.post("/api/refit", {"method": "linear_probe"})
    run = open_run(tmp_path / "run")
    told = np.where(np.arange(60) < 24, y, -1)
    model = FewLabelClassifier(
        FrozenEstimator(run.autoencoder), method="linear_probe", task="multiclass"
    )
    model.fit(X[:24], told[:24])
    assert answer["classes"] == ["a", "b", "c"]
    assert answer["labels"] == 24
    assert answer["summary"] == model.summary_
    estimate = (answer["accuracy"], answer["low"], answer["high"])
    assert estimate == pytest.approx(tuple(model.accuracy_estimate_))
    expected = model.predict_proba(X)
    np.testing.assert_allclose(answer["probabilities"], expected, atol=1e-4)
    answers = asked.post("/api/classify", {"samples": X[:5].tolist()})
    np.testing.assert_allclose(answers["probabilities"], expected[:5], rtol=1e-5)
    assert asked.get("/api/info")["refitted"]


@pytest.mark.parametrize(
    "method", ["linear_probe", "fine_tune_slow", "fine_tune", "label_spreading"]
)
def test_every_method_that_can_be_asked_for(client, method):
    answer = client("table").post("/api/refit", {"method": method})
    assert answer["method"] == method
    np.testing.assert_allclose(np.sum(answer["probabilities"], axis=1), 1.0, atol=1e-3)


def test_one_refit_at_a_time(client, monkeypatch):
    asked = client("table")
    begun, go_on = threading.Event(), threading.Event()
    fit = FewLabelClassifier.fit

    def slowly(self, *arguments, **more):
        begun.set()
        assert go_on.wait(60)
        return fit(self, *arguments, **more)

    monkeypatch.setattr(FewLabelClassifier, "fit", slowly)
    first = {}
    thread = threading.Thread(target=lambda: first.update(asked.post("/api/refit", {})))
    thread.start()
    assert begun.wait(60)
    assert "is being fitted" in asked.post("/api/refit", {}, code=409)["detail"]
    asked.get("/api/info")  # the others are answered meanwhile
    go_on.set()
    thread.join()
    assert first["labels"] == 12
    monkeypatch.undo()
    asked.post("/api/refit", {})


def test_labels_that_are_no_classes(client):
    asked = client("numbers")
    body = {"labels": [{"row": 1, "label": "1"}]}
    assert "task 'regression'" in asked.post("/api/labels", body, code=409)["detail"]
    assert "task 'regression'" in asked.post("/api/refit", {}, code=409)["detail"]


def test_without_the_data_the_rest_works(tmp_path):
    path = make(tmp_path, "table")
    (tmp_path / "rows.npz").unlink()
    asked = Client(app_for(path))
    for url in ("/api/samples/1", "/api/samples/2"):
        assert "cannot be read again" in asked.get(url, code=409)["detail"]
    assert "cannot be read again" in asked.post("/api/refit", {}, code=409)["detail"]
    asked.get("/api/neighbours/1")
    asked.post("/api/encode", {"samples": rows()[0][:2].tolist()})
    asked.post("/api/labels", {"labels": [{"row": 1, "label": "1"}]})


def test_data_that_is_not_what_it_was(tmp_path):
    path = make(tmp_path, "table")
    X, y = rows(seed=1)
    np.savez(tmp_path / "rows.npz", X=X, y=y)
    detail = Client(app_for(path)).get("/api/samples/1", code=409)["detail"]
    assert "is not the data that" in detail


def test_history_is_that_of_the_run(made, served):
    asked = served("table")
    kept = open_run(made("table")).folder.read_lines("history.jsonl")
    assert asked.get("/api/history")["epochs"] == kept
    assert asked.get("/api/history?since=1")["epochs"] == kept[1:]
    assert asked.get("/api/history?since=99")["epochs"] == []


def test_the_page_is_served(served):
    page = served("table").get("/")
    assert page.startswith("<!doctype html>")


@pytest.mark.parametrize(
    "path",
    ["/config.json", "/model.safetensors", "/../config.json", "/api/samples/..%2Fconfig.json"],
)
def test_no_file_of_the_run_is_served(served, path):
    response = served("table").ask("GET", path)
    assert response.status_code in (404, 422)
