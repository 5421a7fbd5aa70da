"""A run that is still being trained shows its losses, and all the rest once it is finished."""

from __future__ import annotations

import base64
import io
import socket

import numpy as np
import pytest
from PIL import Image
from server_samples import Client, rows

from cuello import RunError
from cuello.api import resume_with_report, start_with_report
from cuello.run import Job, Silent
from cuello.run.folder import RunFolder
from cuello.server.overview import read_history
from cuello.server.serving import _shown as shown
from cuello.server.serving import app_for, listen


class HalfWay(Silent):
    """A progress that interrupts a training."""

    def update(self, stage, done, total, detail=""):
        if 2 * done >= total:
            raise KeyboardInterrupt


class Looking(Silent):
    """A progress that asks the server, which another process could be, at every step."""

    def __init__(self, folder):
        self.folder, self.seen = folder, []

    def update(self, stage, done, total, detail=""):
        if self.seen or RunFolder(self.folder).read_lines("progress.jsonl"):
            asked = Client(app_for(self.folder))
            answers = asked.get("/api/progress"), asked.get("/api/history")["epochs"]
            self.seen.append(answers)


@pytest.fixture
def interrupted(tmp_path):
    np.savez(tmp_path / "rows.npz", X=rows()[0])
    options = {"epochs": 6, "hidden": (8,), "latent_dim": 2, "batch_size": 16}
    job = Job.of(data=str(tmp_path / "rows.npz"), **options)
    with pytest.raises(KeyboardInterrupt):
        start_with_report(job, tmp_path / "run", progress=HalfWay())
    return tmp_path / "run"


def test_losses_so_far_and_then_everything(interrupted):
    asked = Client(app_for(interrupted))
    info = asked.get("/api/info")
    assert (info["status"], info["shape"], info["samples"]) == ("running", [6], 0)
    history = asked.get("/api/history")
    assert history["status"] == "running"
    done = len(history["epochs"])
    assert 0 < done < 6
    assert [epoch["epoch"] for epoch in history["epochs"]] == list(range(done))
    assert asked.get("/api/history?since=1")["epochs"] == history["epochs"][1:]
    assert "Waiting for the first epoch" in asked.get("/")
    body = {"samples": rows()[0][:2].tolist()}
    assert "running" in asked.post("/api/encode", body, code=409)["detail"]
    asked.get("/api/info", code=400, headers={"host": "evil.example"})
    resume_with_report(interrupted)
    after = asked.get("/api/history")
    assert after["status"] == "finished"
    assert after["epochs"][:done] == history["epochs"]
    assert len(after["epochs"]) == 6
    assert len(asked.post("/api/encode", body)["embeddings"]) == 2
    assert "Waiting" not in asked.get("/")


def test_progress_while_training(tmp_path, monkeypatch):
    X, y = rows()
    np.savez(tmp_path / "rows.npz", X=X, y=y)
    options = {"kind": "denoising", "epochs": 6, "hidden": (8,), "latent_dim": 2, "labels": "12"}
    job = Job.of(data=str(tmp_path / "rows.npz"), **options)
    start_with_report(job, tmp_path / "unseen")
    monkeypatch.setattr("cuello.run.live._SECONDS", 0.0)
    monkeypatch.setattr("cuello.run.live._MOST_SECONDS", 0.0)
    looking = Looking(tmp_path / "run")
    start_with_report(job, tmp_path / "run", progress=looking)
    trained = [seen for seen in looking.seen if seen[0]["stage"] == "autoencoder"]
    for progress, epochs in trained:
        assert [epoch["epoch"] for epoch in epochs] == list(range(len(epochs)))
        assert 0 < progress["done"] <= progress["total"]
        if progress["detail"]:
            assert progress["detail"].startswith(f"epoch {len(epochs)} of 6, loss ")
    assert {len(epochs) for _, epochs in trained} == set(range(7))
    shown = {one["previewed"]: one["reconstruction"] for one, _ in trained if one["original"]}
    assert sorted(shown) == list(range(6))
    assert len({str(reconstruction) for reconstruction in shown.values()}) == 6
    original = np.array(looking.seen[-1][0]["original"], dtype=np.float32)
    assert all((sample == X).all(axis=1).any() for sample in original)
    details = [one["detail"] for one, _ in looking.seen if one["stage"] == "few labels"]
    assert "Most frequent class" in details
    assert not list((tmp_path / "run").glob("pr[eo]*.*[lz]"))
    Client(app_for(tmp_path / "run")).get("/api/progress", code=404)
    # Nothing of it changes the training.
    weights = [(tmp_path / name / "model.safetensors").read_bytes() for name in ("run", "unseen")]
    assert weights[0] == weights[1]


def test_images_are_shown_as_images():
    values = np.linspace(0, 1, 2 * 5 * 4).reshape(2, 5, 4)
    pixels = [Image.open(io.BytesIO(base64.b64decode(uri.split(",")[1]))) for uri in shown(values)]
    np.testing.assert_array_equal(np.stack(pixels), np.round(255 * values))
    assert shown(np.array([[1.5, np.nan]])) == [[1.5, None]]


def test_before_the_first_epoch_there_are_no_losses(interrupted):
    RunFolder(interrupted).checkpoint.unlink()
    assert Client(app_for(interrupted)).get("/api/history")["epochs"] == []


def test_a_damaged_checkpoint(interrupted):
    file = RunFolder(interrupted).checkpoint
    file.write_bytes(file.read_bytes()[:100])
    detail = Client(app_for(interrupted)).get("/api/history", code=409)["detail"]
    assert "checkpoint.safetensors is damaged" in detail


def test_a_run_that_ends_damaged_is_reported(interrupted):
    asked = Client(app_for(interrupted))
    asked.get("/api/info")
    resume_with_report(interrupted)
    file = interrupted / "model.safetensors"
    content = file.read_bytes()
    file.write_bytes(content[:100])
    assert "cannot be used together" in asked.get("/api/info")["status"]
    assert "cannot be used together" in asked.get("/api/samples/1", code=409)["detail"]
    file.write_bytes(content)
    assert asked.get("/api/info")["status"] == "finished"


def test_a_loss_that_is_no_number_becomes_null(interrupted):
    folder = RunFolder(interrupted)
    line = '{"epoch": 0, "train": {"loss": NaN, "kl": -Infinity}}'
    (interrupted / "history.jsonl").write_text(line + "\n")
    expected = [{"epoch": 0, "train": {"loss": None, "kl": None}}]
    assert read_history(folder) == expected
    assert Client(app_for(interrupted)).get("/api/history")["epochs"] == expected
    (interrupted / "history.jsonl").write_text("{")
    with pytest.raises(RunError):
        folder.read_lines("history.jsonl")
    assert "history.jsonl is damaged" in str(
        Client(app_for(interrupted)).get("/api/history", code=409)
    )


def test_who_calls_before_the_server_runs_is_not_refused():
    with listen("127.0.0.1", 0) as listening:
        socket.create_connection(listening.getsockname(), timeout=5).close()
