"""`cuello export`: a folder that others can use without this program."""

from __future__ import annotations

import json
import shutil
import sys

import numpy as np
import onnxruntime
import pytest
import yaml
from cli_samples import rows_of_three_classes, run

from cuello import open_run

EVERYTHING = {"README.md", "embeddings.parquet", "encoder.onnx", "decoder.onnx", "classifier.onnx"}


def names(folder):
    return {file.name for file in folder.iterdir()}


def head(folder):
    _, text, _ = (folder / "README.md").read_text(encoding="utf-8").split("---\n", 2)
    return yaml.safe_load(text)


@pytest.fixture(scope="module")
def exported(finished_runs, tmp_path_factory):
    """The folder of an exported run, beside that run, and what the command printed."""
    folder = tmp_path_factory.mktemp("exported")
    shutil.copytree(finished_runs / "labelled", folder / "run")
    outcome = run(folder, "export", "run", "--onnx")
    assert outcome.code == 0, outcome
    return folder / "run-export", outcome.out


def test_files_do_what_the_run_does(exported):
    folder, said = exported
    finished = folder.with_name("run")
    assert "compared with PyTorch on 60 samples of rows" in said
    assert said.count("largest difference") == 3
    assert f"export: {folder.name}" in said
    assert names(folder) == EVERYTHING
    kept = (finished / "embeddings.parquet").read_bytes()
    assert (folder / "embeddings.parquet").read_bytes() == kept
    opened, X = open_run(finished), rows_of_three_classes()[0].astype(np.float32)
    codes = opened.autoencoder.transform(X)
    for name, given, expected in (
        ("encoder", X, codes),
        ("decoder", codes, opened.autoencoder.inverse_transform(codes)),
        ("classifier", X, opened.classifier.predict_proba(X)),
    ):
        session = onnxruntime.InferenceSession(folder / f"{name}.onnx")
        found = session.run(None, {session.get_inputs()[0].name: given})[0]
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5 * np.ptp(expected))


def test_the_card_says_what_was_measured_and_its_example_runs(exported):
    folder, _ = exported
    metrics = json.loads((folder.with_name("run") / "metrics.json").read_text())
    best = next(r for r in metrics["few_labels"] if r["method"] == metrics["method"])
    (model,) = head(folder)["model-index"]
    values = {m["type"]: m["value"] for m in model["results"][0]["metrics"]}
    assert values["accuracy"] == best["accuracy_mean"]
    assert values["mse"] == metrics["reconstruction"]["test_mse"]
    card = (folder / "README.md").read_text(encoding="utf-8")
    assert "`encoder.onnx`: `samples` (batch, 6) to `embeddings` (batch, 2)" in card
    example = card.split("```python\n")[1].split("```")[0]
    for name in ("encoder", "classifier"):
        example = example.replace(f'"{name}.onnx"', repr(str(folder / f"{name}.onnx")))
    found = {}
    exec(example, found)
    assert found["embeddings"].shape == (1, 2)
    assert found["probabilities"].sum() == pytest.approx(1.0)


def test_nothing_tells_where_it_was_made(exported, finished_runs):
    folder, _ = exported
    for file in folder.iterdir():
        for place in (folder.parent, finished_runs):
            assert str(place).encode() not in file.read_bytes(), file.name


def test_without_onnx_it_says_how_to_get_it(cuello, finished, tmp_path):
    said = cuello("export", "run", "-o", "out").out
    assert '--onnx writes them (pip install "cuello[onnx]")' in said
    assert names(tmp_path / "out") == {"README.md", "embeddings.parquet"}
    assert "cuello export RUN --onnx" in (tmp_path / "out" / "README.md").read_text()


def test_without_labels_there_is_no_classifier(cuello, unlabelled, tmp_path):
    cuello("export", "bare", "--onnx", "-o", "out")
    assert names(tmp_path / "out") == EVERYTHING - {"classifier.onnx"}
    assert head(tmp_path / "out")["pipeline_tag"] == "feature-extraction"


@pytest.mark.parametrize("change", ["gone", "other rows", "fewer rows", "other columns"])
def test_without_the_data_it_compares_on_what_the_run_keeps(
    cuello, finished, exported, monkeypatch, tmp_path, change
):
    def read(run, name, part):
        return (exported[0] / f"{name}.onnx").read_bytes()

    monkeypatch.setattr("cuello.export.convert._to_onnx", read)  # it takes seconds
    X, y = rows_of_three_classes()
    data = tmp_path / "rows.npz"
    if change == "gone":
        data.unlink()
    else:
        changed = {"other rows": X[::-1], "fewer rows": X[:50], "other columns": X[:, :5]}[change]
        np.savez(data, X=changed, y=y[: len(changed)])
    said = cuello("export", "run", "--onnx", "-o", "out").out
    assert "decoded embeddings of the run, as " in said
    assert "another code" in said or "rows.npz" in said
    assert names(tmp_path / "out") == EVERYTHING


def test_a_folder_in_use(cuello, refused, finished, tmp_path):
    (tmp_path / "file").write_text("mine")
    refused("export", "run", "-o", "file", saying=("--out file", "is a file"))
    refused("export", "run", "-o", "run", saying=("--out run", "the run itself"))
    other = tmp_path / "other"
    other.mkdir()
    (other / "mine.txt").write_text("mine")
    (other / "regressor.onnx").write_text("of another run")
    refused("export", "run", "-o", "other", saying=("--out other", "not empty", "--overwrite"))
    cuello("export", "run", "-o", "other", "--overwrite")
    assert names(other) == {"README.md", "embeddings.parquet", "mine.txt"}


@pytest.mark.parametrize("missing", ["onnx", "onnxruntime", "onnxscript"])
def test_extra_that_is_not_installed(refused, finished, monkeypatch, missing):
    monkeypatch.setitem(sys.modules, missing, None)
    refused("export", "run", "--onnx", "-o", "out", saying=(missing, 'pip install "cuello[onnx]"'))


@pytest.mark.parametrize("name", ["config.json", "metrics.json", "model.safetensors", "embeddings"])
def test_damaged_run(refused, finished, name):
    if name == "embeddings":
        (finished / "embeddings.parquet").unlink()
    elif name == "metrics.json":
        (finished / name).write_text('{"few_labels": []}')
    else:
        content = (finished / name).read_bytes()
        (finished / name).write_bytes(content[: len(content) // 2])
    refused("export", "run", "-o", "out", saying=(name,))
