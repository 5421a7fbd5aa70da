"""Law: whatever stops a run, the next one continues from there and ends with the same weights."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from cli_samples import SMALL, rows_of_three_classes, run, tree
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

from cuello import atomic
from cuello.train import loop
from programs import halting, interrupt

posix = pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGINT for one process")

FIT = ("fit", "rows.npz", *SMALL, "--labels", 3, "--repeats", 1)


def weights(folder):
    return (folder / "model.safetensors").read_bytes()


def is_whole(path):
    """Whether a file of a run can be read."""
    if path.suffix == ".json":
        json.loads(path.read_text())
    elif path.suffix == ".jsonl":
        [json.loads(line) for line in path.read_text().splitlines()]
    elif path.suffix == ".safetensors":
        load_file(path)
    elif path.suffix == ".npz":
        with np.load(path) as archive:
            dict(archive)
    elif path.suffix == ".parquet":
        pq.read_table(path)
    else:
        assert path.read_text().endswith("</html>\n")


class FullDisk:
    """Counts writes, and lets one fail as a full disk does: with half of the file written."""

    def __init__(self, monkeypatch, at=None, error=errno.ENOSPC):
        self.count = 0
        real = atomic.write

        def write(path, fill):
            self.count += 1

            def fail(temporary):
                fill(temporary)
                content = temporary.read_bytes()
                temporary.write_bytes(content[: len(content) // 2])
                raise OSError(error, os.strerror(error))

            return real(path, fail if self.count == at else fill)

        monkeypatch.setattr(atomic, "write", write)


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    """A run that nothing stopped, and how many files it wrote."""
    folder = tmp_path_factory.mktemp("uninterrupted")
    X, y = rows_of_three_classes()
    np.savez(folder / "rows.npz", X=X, y=y)
    with pytest.MonkeyPatch.context() as patch:
        disk = FullDisk(patch)
        outcome = run(folder, *FIT, "--out", "run")
    assert outcome.code == 0, outcome
    return folder / "run", disk.count


def fill_disk_and_resume(cuello, folder, n, whole):
    """Let the n-th write fail; check what is left, and what comes of continuing."""
    with pytest.MonkeyPatch.context() as patch:
        FullDisk(patch, at=n)
        outcome = cuello(*FIT, "--out", folder.name, code=2)
    assert outcome.complaint.startswith("cuello: ")
    assert "No space left on device" in outcome.complaint
    assert outcome.out == ""
    for path in folder.rglob("*"):
        assert path.suffix != ".part"
        is_whole(path)
    if n == 1:  # not even the configuration could be written
        assert list(folder.iterdir()) == []
        cuello(*FIT, "--out", folder.name)
    else:
        cuello("fit", "--resume", folder.name)
    assert weights(folder) == weights(whole)
    assert sorted(os.listdir(folder)) == sorted(os.listdir(whole))
    assert json.loads((folder / "config.json").read_text())["status"] == "finished"


def test_disk_full_at_every_write(cuello, arrays, tmp_path, uninterrupted):
    whole, writes = uninterrupted
    assert writes > 12
    for n in range(1, writes):
        fill_disk_and_resume(cuello, tmp_path / f"run{n}", n, whole)


def test_disk_full_at_the_last_write(cuello, arrays, tmp_path, uninterrupted):
    whole, writes = uninterrupted
    fill_disk_and_resume(cuello, tmp_path / "run", writes, whole)


@pytest.mark.parametrize("step", ["fsync", "replace", "mkstemp"])
def test_disk_full_in_each_step_of_a_write(refused, finished, monkeypatch, step):
    def fail(*arguments, **options):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    where = {"fsync": atomic.os, "replace": atomic.Path, "mkstemp": atomic.tempfile}[step]
    monkeypatch.setattr(where, step, fail)
    for command, out in (
        (("embed", "run", "rows.npz", "-o"), "o.parquet"),
        (("reconstruct", "run", "rows.npz", "-o"), "o.npz"),
        (("classify", "run", "rows.npz", "-o"), "o.csv"),
        (("suggest", "run", "rows.npz", "-o"), "o.csv"),
    ):
        refused(*command, out, saying=(out, "No space left on device"))
    refused("report", "run", saying=("report.html", "No space left on device"))


PROGRAM = """
import json, resource, sys
from cuello.cli import main
from cuello.few_label import fitting
from cuello.run import baselines, few_labels
from cuello.train import loop, train

# What is compared is what stopped where.
baselines.TREES = 5
quick = {"epochs": 2, "learning_rates": (0.01,), "weight_decay": 0.01, "augment": None}
complete = fitting._FEW_LABEL_OPTIONS.complete
fitting._FEW_LABEL_OPTIONS.complete = lambda options: complete(quick | options)
train.__kwdefaults__["checkpoint_seconds"] = 0.0
_, unlimited = resource.getrlimit(resource.RLIMIT_FSIZE)

def run(arguments):
    sys.argv = ["cuello", *arguments]
    try:
        main()
    except SystemExit as stop:
        print(stop.code, flush=True)
    print("next", file=sys.stderr, flush=True)

def halting(module, name, at):
    real, calls = getattr(module, name), []

    def call(*arguments, **options):
        calls.append(1)
        if len(calls) == at:
            halt()
        return real(*arguments, **options)

    setattr(module, name, call)
    return real

for limit, module, name, at, arguments in json.loads(sys.argv[1]):
    module = {"loop": loop, "few_labels": few_labels}[module]
    real = halting(module, name, at)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit or unlimited, unlimited))
    run(arguments)
    setattr(module, name, real)
"""
"""Runs that are stopped by a signal or by a limit on the size of a file, in one program: to start
one costs more than all they do."""


LONG = ("fit", "rows.npz", "--epochs", 12, "--hidden", 8, "--latent", 2)
DRAWS = ("fit", "few.npz", *SMALL, "--labels", 3, "--repeats", 2)
LARGE = ("fit", "large.npz", "--epochs", 1, "--hidden", 300, "--latent", 2)


@dataclass(frozen=True)
class Stopped:
    """What became of the runs of the program."""

    folder: Path
    codes: list[str]
    """Exit codes; that of the program itself at the end."""
    messages: list[str]
    """What each run wrote to standard error."""
    epochs: list[int]
    """Epochs in the checkpoint of each long run when the signal came."""


@pytest.fixture(scope="module")
def stopped(tmp_path_factory):
    """Stop runs: two by a limit, two by Ctrl-C, and the last is killed."""
    folder = tmp_path_factory.mktemp("stopped")
    for name, rows in (("rows", 400), ("few", 60), ("large", 4000)):
        X, y = rows_of_three_classes(rows)
        np.savez(folder / f"{name}.npz", X=X, **({"y": y} if name == "few" else {}))
    runs = [
        (30_000, "loop", "evaluate", 0, [*LARGE, "--out", "large"]),
        (100_000, "loop", "evaluate", 0, [*LARGE, "--out", "other"]),
        # The fourth is the first one after the baselines of the second draw.
        (None, "few_labels", "fit_method", 4, [*DRAWS, "--out", "draws"]),
        # The loss is also evaluated before the first epoch.
        (None, "loop", "evaluate", 7, [*LONG, "--out", "my run"]),
        (None, "loop", "evaluate", 7, [*LONG, "--out", "killed"]),
    ]
    runs = [(*halt, [str(argument) for argument in arguments]) for *halt, arguments in runs]
    epochs = []

    def look(name):
        with safe_open(folder / name / "checkpoint.safetensors", framework="np") as f:
            epochs.append(len(json.loads(f.metadata()["state"])["history"]))

    with halting(folder, PROGRAM, json.dumps(runs)) as process:
        process.send_signal(signal.SIGINT)
        process.wait_until_it_halts()
        look("my run")
        process.send_signal(signal.SIGINT)
        process.wait_until_it_halts()
        look("killed")
        code, out, err = interrupt(process, signal.SIGKILL)
    return Stopped(folder, [*out.split(), str(code)], err.split("next\n"), epochs)


@posix
def test_file_that_may_not_grow(stopped):
    # The writers of safetensors, Arrow and zip each have their own way to say it.
    assert stopped.codes[:2] == ["2", "2"]
    assert all("cannot be written" in text.splitlines()[-1] for text in stopped.messages[:2])
    assert "Traceback" not in "".join(stopped.messages[:2])
    assert not list(stopped.folder.rglob("*.part"))


@posix
@pytest.mark.parametrize("name", ["my run", "killed"])
def test_stopped_while_training(stopped, name):
    folder = stopped.folder / name
    checkpoint = folder / "checkpoint.safetensors"
    assert stopped.epochs == [5, 5]
    if name == "my run":
        assert stopped.codes[3] == "130"
        assert stopped.messages[3].splitlines()[-1] == (
            "cuello: interrupted; continue with: cuello fit --resume 'my run'"
        )
        assert "Traceback" not in stopped.messages[3]
    else:
        assert stopped.codes[4:] == [str(-signal.SIGKILL)]
    # What a browser was shown meanwhile is left by nobody else.
    shown = {"preview.npz", "progress.jsonl"} if name == "killed" else set()
    assert set(os.listdir(folder)) - shown == {"checkpoint.safetensors", "config.json"}
    assert run(stopped.folder, "fit", "--resume", name).code == 0
    history = (folder / "history.jsonl").read_text().splitlines()
    assert [json.loads(line)["epoch"] for line in history] == list(range(12))
    assert not checkpoint.exists()
    if not (stopped.folder / "whole").exists():
        assert run(stopped.folder, *LONG, "--out", "whole").code == 0
    assert weights(folder) == weights(stopped.folder / "whole")


def test_every_finished_epoch_is_kept(cuello, arrays, tmp_path, monkeypatch):
    options = ("fit", "rows.npz", *SMALL, "--epochs", 9)
    cuello(*options, "--out", "whole")
    real, calls = loop.evaluate, []

    def stop_in_sixth(*arguments):
        calls.append(1)
        if len(calls) == 7:  # the first is before all epochs
            raise KeyboardInterrupt
        return real(*arguments)

    monkeypatch.setattr(loop, "evaluate", stop_in_sixth)
    outcome = cuello(*options, "--out", "run", code=130)
    assert outcome.complaint == "cuello: interrupted; continue with: cuello fit --resume run"
    with safe_open(tmp_path / "run" / "checkpoint.safetensors", framework="np") as f:
        assert len(json.loads(f.metadata()["state"])["history"]) == 5
    cuello("fit", "--resume", "run")
    assert len(calls) == 7 + 4  # epochs 5 to 8
    assert weights(tmp_path / "run") == weights(tmp_path / "whole")


def test_the_time_of_all_sessions_counts(cuello, arrays, tmp_path, monkeypatch):
    def stop(*arguments):
        raise KeyboardInterrupt

    options = ("fit", "rows.npz", *SMALL, "--labels", 3, "--repeats", 1, "--out", "run")
    with monkeypatch.context() as patch:
        patch.setattr("cuello.run.few_labels.fit_method", stop)
        cuello(*options, code=130)
    few = tmp_path / "run" / "few_labels.jsonl"
    done = [json.loads(line) | {"seconds": 1e6} for line in few.read_text().splitlines()]
    few.write_text("".join(json.dumps(record) + "\n" for record in done))
    checkpoint = tmp_path / "run" / "checkpoint.safetensors"
    with safe_open(checkpoint, framework="np") as f:
        tensors = {name: f.get_tensor(name) for name in f.keys()}  # noqa: SIM118
        state = json.loads(f.metadata()["state"])
    state["history"] = [epoch | {"seconds": 1e6} for epoch in state["history"]]
    save_file(tensors, checkpoint, {"state": json.dumps(state)})
    outcome = cuello("fit", "--resume", "run")
    timing = json.loads((tmp_path / "run" / "metrics.json").read_text())["timing"]
    earlier = 2e6 + 4e6  # two epochs, four baselines
    assert earlier < timing["total_seconds"] < 1.1 * earlier
    assert f"{timing['total_seconds']:.1f} s in all" in outcome.out


@posix
def test_ctrl_c_among_the_label_draws(stopped):
    file = stopped.folder / "draws" / "few_labels.jsonl"
    assert stopped.codes[2] == "130"
    assert stopped.messages[2].splitlines()[-1] == (
        "cuello: interrupted; continue with: cuello fit --resume draws"
    )
    kept = file.read_text().splitlines()
    assert len(kept) == 7 + 4  # the first draw, and the baselines of the second
    assert run(stopped.folder, "fit", "--resume", "draws").code == 0
    after = file.read_text().splitlines()
    assert after[: len(kept)] == kept  # with their seconds: none was computed again
    records = [json.loads(line) for line in after]
    assert len({(r["draw"], r["method"]) for r in records}) == len(records) == 14


def test_interrupted_before_anything_is_replaced(cuello, finished, monkeypatch, tmp_path):
    def stop(*arguments, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr("cuello.run.main_job.prepare", stop)
    before = tree(tmp_path)
    outcome = cuello("fit", "rows.npz", *SMALL, "--out", "run", "--overwrite", code=130)
    assert outcome.err == "cuello: interrupted before training started; nothing was written.\n"
    assert tree(tmp_path) == before


@pytest.mark.parametrize("command", ["embed", "reconstruct"])
def test_other_commands_interrupted(cuello, finished, monkeypatch, tmp_path, command):
    def stop(*arguments, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr("cuello.run.opened.Run.load", stop)
    before = tree(tmp_path)
    assert cuello(command, "run", "rows.npz", "-o", "o", code=130).err == "cuello: interrupted.\n"
    assert tree(tmp_path) == before


@pytest.mark.parametrize("module", ["typer", "rich.console", "cuello.errors", "torch"])
def test_interrupted_among_the_imports(tmp_path, module):
    program = (
        "import signal, sys\n"
        "class CtrlC:\n"
        "    def find_spec(name, path, target=None):\n"
        f"        if name != {module!r}: return\n"
        "        try: signal.raise_signal(signal.SIGINT)\n"
        "        except KeyboardInterrupt: pass\n"  # as some of numpy's and torch's imports do
        "sys.meta_path.insert(0, CtrlC)\n"
        "sys.argv = ['cuello', 'fit', 'digits']\n"
        "from cuello.cli import main\n"
        "main()"
    )
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "cuello: interrupted.\n")


def test_diverged_run(cuello, refused, arrays, tmp_path):
    bad = ("--lr", "1e30", "--optimizer", "sgd", "--epochs", 4)
    outcome = cuello("fit", "rows.npz", *SMALL, *bad, "--out", "run", code=2)
    assert "last good weights" in outcome.complaint
    assert json.loads((tmp_path / "run" / "config.json").read_text())["status"] == "diverged"
    refused("fit", "--resume", "run", saying=("run", "--overwrite", "--learning-rate"))
    cuello("fit", "rows.npz", *SMALL, "--out", "run", "--overwrite")


def test_diverged_run_says_why(cuello, arrays):
    outcome = cuello("fit", "rows.npz", *SMALL, "--lr", "1e30", "--optimizer", "sgd", code=2)
    assert "--learning-rate 1e+30" in outcome.complaint
