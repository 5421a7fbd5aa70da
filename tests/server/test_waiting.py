"""A run that is still being trained shows its losses, and all the rest once it is finished."""

from __future__ import annotations

import socket

import numpy as np
import pytest
from server_samples import Client, rows

from cuello import RunError
from cuello.api import resume_with_report, start_with_report
from cuello.run import Job, Silent
from cuello.run.folder import RunFolder
from cuello.server.overview import read_history
from cuello.server.serving import app_for, listen


class HalfWay(Silent):
    """A progress that interrupts a training."""

    def update(self, stage, done, total, detail=""):
        if 2 * done >= total:
            raise KeyboardInterrupt


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
