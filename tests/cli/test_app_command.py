"""`cuello app`: a server until Ctrl-C, or one line that says why not."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import redirect_stdout

import httpx
import pytest

from cuello.cli import main
from programs import Program

posix = pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGINT for one process")


def ask(line, host):
    """Ask a server on the finished run, by the line that it printed."""
    assert line.startswith(f"run: http://{host}:"), line
    with httpx.Client(base_url=line.split()[1], trust_env=False, timeout=None) as client:
        assert client.get("/api/info").json()["samples"] == 60
        assert client.get("/").text.startswith("<!doctype html>")
        refused = client.get("/api/info", headers={"host": "evil.example"})
        assert refused.status_code == 400
        long = client.post("/api/encode", content=b" " * 10**7, headers={"x": "y"})
        assert long.status_code == 415


SERVING = """
import cuello.export
from cuello.cli import main
cuello.export.onnx_models = lambda run: {}  # seconds, for the same page
main()
"""


@posix
def test_it_answers_at_the_address_it_prints_and_ends_with_ctrl_c(finished, tmp_path):
    server = Program(tmp_path, SERVING, "app", "run", "--host", "127.0.0.1")
    try:
        ask(server.stdout.readline(), "127.0.0.1")
    finally:
        server.send_signal(signal.SIGINT)
        out, err = server.communicate()
        code = server.returncode
        server.end()
    assert (code, out, err) == (0, "", "")


@posix
def test_it_answers_by_name_too(finished, monkeypatch):
    # Here the server has the main thread, as it has in a program of its own.
    reading, writing = os.pipe()
    monkeypatch.setattr("cuello.export.onnx_models", lambda run: {})  # seconds, for the same page
    monkeypatch.chdir(finished.parent)
    monkeypatch.setattr(sys, "argv", ["cuello", "app", "run", "--host", "localhost"])
    with open(reading) as lines, ThreadPoolExecutor(1) as pool:
        with open(writing, "w", buffering=1) as out, redirect_stdout(out):
            asked = pool.submit(ask_and_interrupt, lines, "localhost")
            with pytest.raises(SystemExit) as stop:
                main()
        asked.result()
        assert (stop.value.code or 0, lines.read()) == (0, "")


def ask_and_interrupt(lines, host):
    line = lines.readline()
    try:
        ask(line, host)
    finally:
        if line:  # it serves
            signal.raise_signal(signal.SIGINT)


def test_port_that_is_taken(refused, finished):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        saying = (f"--port {port}", "in use", "a free one")
        refused("app", "run", "--port", port, saying=saying)


@pytest.mark.parametrize(
    ("arguments", "saying"),
    [
        (("--host", "no.such.host.invalid"), ("--host no.such.host.invalid", "not available")),
        (("--port", "70000"), ("--port", "65535")),
    ],
)
def test_what_cannot_be_listened_on(refused, finished, arguments, saying):
    refused("app", "run", *arguments, saying=saying)


def test_folder_that_is_no_run(refused, tmp_path):
    refused("app", "nothing", saying=("nothing", "does not exist", "not a run folder"))


def test_damaged_run(refused, finished):
    (finished / "model.safetensors").write_bytes(b"123")
    refused("app", "run", saying=("cannot be used together",))


@pytest.mark.parametrize("missing", ["fastapi", "uvicorn"])
def test_extra_that_is_not_installed(refused, finished, monkeypatch, missing):
    for name in [name for name in sys.modules if name.startswith("cuello.server")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, missing, None)
    refused("app", "run", saying=(f"needs {missing}", 'pip install "cuello[app]"'))


def test_networks_of_its_own_are_not_imported(refused, finished):
    shutil.copy(finished / "config.json", finished / "kept.json")
    text = (finished / "config.json").read_text()
    (finished / "config.json").write_text(text.replace('"encoder": null', '"encoder": "os:system"'))
    refused("app", "run", saying=("os:system", "--trust-remote-code"))
