"""Losses of a training, from the files that it writes while it runs."""

from __future__ import annotations

import json
import math
from typing import Any

from safetensors import SafetensorError, safe_open

from cuello.errors import RunError
from cuello.run.folder import RunFolder

__all__ = ["read_history"]


def read_history(folder: RunFolder) -> list[dict[str, Any]]:
    """Return one record an epoch, of a training that is finished or not.

    NaN and infinity are None.

    Raises
    ------
    RunError
        If a file is damaged.
    """
    epochs = folder.read_lines("history.jsonl") or _from_checkpoint(folder)
    return [_plain(epoch) for epoch in epochs]


def _from_checkpoint(folder: RunFolder) -> list[dict[str, Any]]:
    file = folder.checkpoint
    try:
        with safe_open(file, framework="numpy") as f:
            epochs = json.loads(f.metadata()["state"])["history"]
    except FileNotFoundError:
        return []
    except (OSError, SafetensorError, KeyError, TypeError, ValueError) as error:
        raise RunError(f"{file} is damaged ({error}); its losses cannot be read.") from error
    return list(epochs)


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(part) for name, part in value.items()}
    return None if isinstance(value, float) and not math.isfinite(value) else value
