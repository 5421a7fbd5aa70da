"""`cuello fit --watch`: a browser sees the training, and then the run."""

from __future__ import annotations

import os
import re
import signal
import sys

import httpx
import pytest
from cli_samples import SMALL

from programs import Program

posix = pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGINT for one process")


HALTING = """
import os, sys, time
from pathlib import Path
from cuello.train import loop

os.dup2(1, 2)
real, calls = loop.evaluate, []

def halting(*arguments):
    calls.append(1)
    while len(calls) == 3 and not Path("go on").exists():
        time.sleep(0.01)
    return real(*arguments)

loop.evaluate = halting
from cuello.cli import main

sys.argv[-1] = "one"
try:
    main()
except SystemExit as end:
    print("ended with", end.code, flush=True)
Path("go on").unlink()
calls.clear()
sys.argv[-1] = "two"
main()
"""
"""Two trainings that wait in their third epoch until they may go on, however busy the machine is.

In one program, as a start of it costs more than all they do."""


@posix
def test_a_browser_sees_the_training_and_then_the_run_and_ctrl_c_ends_either(arrays, tmp_path):
    options = map(str, ("fit", "rows.npz", *SMALL[2:], "--epochs", 8, "--watch", "--out", "?"))
    process = Program(tmp_path, HALTING, *options, environment={"COLUMNS": "200"})
    try:
        the_training_and_then_the_run(process, tmp_path)
        ctrl_c_while_it_trains_ends_both_and_says_how_to_continue(process)
    finally:
        process.end()


def the_training_and_then_the_run(process, tmp_path):
    place = said(process, r"watch it at (http://127\.0\.0\.1:\d+)")
    with httpx.Client(base_url=place, trust_env=False, timeout=None) as client:
        assert client.get("/api/info").json()["status"] == "running"
        assert "Waiting for the first epoch" in client.get("/").text
        assert client.get("/api/info", headers={"host": "evil.example"}).status_code == 400
        (tmp_path / "go on").touch()
        assert said(process, r"one: (http\S+) \(Ctrl-C ends it\)") == place
        assert client.get("/api/info").json()["status"] == "finished"
        assert len(client.get("/api/history").json()["epochs"]) == 8
        process.send_signal(signal.SIGINT)
        assert said(process, r"ended with (\w+)") in ("0", "None")


def ctrl_c_while_it_trains_ends_both_and_says_how_to_continue(process):
    place = said(process, r"watch it at (http://127\.0\.0\.1:\d+)")
    info = httpx.get(f"{place}/api/info", trust_env=False, timeout=None).json()
    assert info["status"] == "running"
    process.send_signal(signal.SIGINT)
    assert process.wait() == 130
    assert "cuello fit --resume two" in process.stdout.read()
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{place}/api/info", trust_env=False)


def said(process, pattern):
    for line in process.stdout:
        found = re.search(pattern, line)
        if found:
            return found[1]
    raise AssertionError(f"ended with {process.wait()}")


def test_what_cannot_be_watched(refused, arrays, finished, monkeypatch):
    refused("fit", "rows.npz", "--watch", "--dry-run", saying=("--watch has nothing to show",))
    refused("fit", "rows.npz", "--watch", "--out", "run", saying=("already holds a run",))
    for name in [m for m in sys.modules if m.startswith("cuello.server")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    refused("fit", "rows.npz", "--watch", "--out", "new", saying=('pip install "cuello[app]"',))
