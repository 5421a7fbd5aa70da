"""How much memory the main job takes. Target: under 1.5 GB on MNIST."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

import cuello
from benchmarks.timing import Bar, Result, Settings
from benchmarks.workload import images

__all__ = ["run"]

_TARGET_MB = 1500.0
_FIT = "from cuello.cli import main; main()"
# A process inherits, as the least its peak can be, the peak of the one that started it. This
# process is large, so a small one stands between.
_BETWEEN = """
import os, subprocess, sys
child = subprocess.Popen(sys.argv[1:], stdout=sys.stderr)
_, status, usage = os.wait4(child.pid, 0)
print(usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024))
sys.exit(os.waitstatus_to_exitcode(status) != 0)
"""


def run(settings: Settings) -> Result:
    """Measure."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        data, source, rows = _data(settings, folder)
        labels = "100" if settings.quick else "300"
        command = ["fit", data, "--labels", labels, "--repeats", "1", "--epochs", "2"]
        done = subprocess.run(
            [
                *(sys.executable, "-c", _BETWEEN),
                *(sys.executable, "-c", _FIT),
                *(*command, "--out", str(folder / "run")),
            ],
            stdout=subprocess.PIPE,
            text=True,
            check=False,
        )
        if done.returncode:
            raise RuntimeError("cuello fit failed; what it said stands above.")
        peak = int(done.stdout) / 1e6
        said = json.loads((folder / "run" / "metrics.json").read_text(encoding="utf-8"))
    return Result(
        name="memory",
        columns=("data", "rows", "peak, MB", "peak that the run reports, MB"),
        rows=[(source, rows, peak, said["timing"]["peak_memory_mb"] * 1024**2 / 1e6)],
        bars=[
            Bar(
                what="peak memory of cuello fit, MB",
                value=peak,
                target=f"under {_TARGET_MB:g}",
                met=peak < _TARGET_MB,
            )
        ],
        notes=[f"cuello {' '.join([command[0], Path(data).name, *command[2:]])}, in a process."],
    )


def _data(settings: Settings, folder: Path) -> tuple[str, str, int]:
    """Return what to fit, where it is from, and how many training samples it has."""
    x, source = images(settings.rows)
    if source == "MNIST" and not settings.quick:
        return "mnist", source, len(x)
    pixels = np.round(255.0 * x).astype(np.uint8).reshape(-1, 28, 28)
    if source == "MNIST":
        y = cuello.load("mnist", offline=True).y[: len(x)]
    else:
        y = np.random.default_rng(0).integers(0, 10, len(x))
    np.savez(folder / "images.npz", X=pixels, y=y)
    return str(folder / "images.npz"), source, len(x)
