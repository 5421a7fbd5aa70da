"""The record of a run: data, options, versions, machine."""

from __future__ import annotations

import platform
import shlex
import sys
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import numpy as np
import safetensors
import sklearn
import torch

from cuello.arrays import Record
from cuello.run.job import Job
from cuello.run.prepare import Prepared

__all__ = ["describe_data", "peak_memory_mb", "run_config"]


def run_config(job: Job, prepared: Prepared, notes: list[str]) -> Record:
    """Return the contents of ``config.json`` at the start of a run."""
    data = prepared.data
    return {
        "status": "running",
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": shlex.join(["cuello", *sys.argv[1:]]) if _from_shell() else None,
        "job": job.to_json(),
        "data": {
            **describe_data(prepared),
            "fingerprint": prepared.fingerprint,
            "encoding": data.encoding,
        },
        "notes": list(dict.fromkeys(notes)),
        "versions": {
            "cuello": version("cuello"),
            "python": platform.python_version(),
            "torch": torch.__version__,
            "numpy": np.__version__,
            "scikit-learn": sklearn.__version__,
            "safetensors": safetensors.__version__,
            "platform": platform.platform(),
            "threads": torch.get_num_threads(),
        },
    }


def _from_shell() -> bool:
    return Path(sys.argv[0]).name == "cuello"


def describe_data(prepared: Prepared) -> Record:
    """Return name, source, shape, task, classes, and rows of each split of the data."""
    data, rows = prepared.data, prepared.rows
    return {
        "name": data.name,
        "source": data.source,
        "shape": list(data.shape),
        "task": data.task,
        "classes": list(data.classes),
        "properties": list(data.properties),
        "rows": {
            "train": len(rows.train),
            "validation": len(rows.validation),
            "test": len(prepared.test[0]),
        },
    }


def peak_memory_mb() -> float | None:
    """Return the most memory this process has held, in MB; None where it cannot be asked."""
    try:
        import resource  # there is none on Windows
    except ImportError:
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1024 if sys.platform != "darwin" else peak / 1024**2
