"""A run folder: read without torch, checked once, refused where it is damaged."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys

import pytest

import cuello
import cuello.api
from cuello.errors import RunError
from cuello.run import RunFolder
from cuello.run.models import load_models

KINDS_OF_DATA = ("images", "unlabelled", "table", "multilabel", "sequences")


@pytest.fixture
def copied(session_run, tmp_path):
    shutil.copytree(session_run("images").path, tmp_path / "run")
    return RunFolder(tmp_path / "run")


def change(folder, name, edit):
    content = json.loads((folder.path / name).read_text())
    edit(content)
    (folder.path / name).write_text(json.dumps(content))


def test_a_folder_is_read_without_torch(session_run):
    code = (
        "import sys; from cuello.run import RunFolder; folder = RunFolder(sys.argv[1]); "
        "folder.config(finished=True); folder.metrics(); assert 'torch' not in sys.modules"
    )
    path = str(session_run("images").path)
    subprocess.run([sys.executable, "-c", code, path], check=True)


@pytest.mark.parametrize("name", KINDS_OF_DATA)
def test_every_run_holds_what_is_promised(session_run, name):
    folder = session_run(name)
    assert folder.config(finished=True)["status"] == "finished"
    assert folder.metrics()["reconstruction"]["test_mse"] > 0
    assert folder.is_complete
    assert folder.report.is_file()
    assert (cuello.open_run(folder.path).classifier is None) == (name == "unlabelled")


@pytest.mark.parametrize(
    ("edit", "fault"),
    [
        (lambda c: c.pop("notes"), "lacks 'notes'"),
        (lambda c: c["data"].update(classes="ab"), "data.classes is str, not list"),
        (lambda c: c["data"]["classes"].append(3), r"data.classes\[4\] is int, not str"),
        (lambda c: c["data"]["rows"].update(train=True), "data.rows.train is bool, not int"),
        (lambda c: c.update(status="done"), "status is 'done', not one of running"),
        (lambda c: c["job"].update(model=[]), "job.model is list, not dict"),
    ],
)
def test_a_configuration_that_was_edited_is_refused(copied, edit, fault):
    change(copied, "config.json", edit)
    with pytest.raises(RunError, match=rf"config\.json is damaged \({fault}"):
        copied.config()
    with pytest.raises(RunError, match="damaged"):
        cuello.open_run(copied.path)


@pytest.mark.parametrize(
    ("edit", "fault"),
    [
        (lambda m: m.pop("reconstruction"), "lacks 'reconstruction'"),
        (lambda m: m["few_labels"][0].pop("method"), r"few_labels\[0\] lacks 'method'"),
        (lambda m: m["few_labels"][0].pop("accuracy_sd"), r"few_labels\[0\] lacks 'accuracy_sd'"),
        (lambda m: m["timing"].update(epochs="3"), "timing.epochs is str, not int"),
    ],
)
def test_metrics_that_were_edited_are_refused(copied, edit, fault):
    change(copied, "metrics.json", edit)
    with pytest.raises(RunError, match=rf"metrics\.json is damaged \({fault}"):
        copied.metrics()


@pytest.mark.parametrize("part", ["autoencoder", "classifier", "detector", "projection"])
def test_a_model_that_lost_its_record_is_refused(copied, part):
    change(copied, "config.json", lambda c: c.pop(part))
    with pytest.raises(RunError, match="cannot be used together"):
        load_models(copied)


def test_the_job_writes_no_page(session_run, tmp_path):
    from cuello.run import Job, start

    data = session_run("unlabelled").path.parent / "data.npz"
    job = Job.of(data=str(data), hidden=(4,), latent_dim=1, epochs=1)
    folder = start(job, tmp_path / "run")
    assert folder.is_complete
    assert not folder.report.exists()
    cuello.api.resume_with_report(folder.path)
    assert folder.report.is_file()
