"""What the JSON files of a run must hold, so that whoever reads them need not ask again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["CONFIG", "FINISHED_CONFIG", "METRICS", "find_fault"]

NUMBER = (int, float)


@dataclass(frozen=True)
class Maybe:
    """A key that may be missing, or null."""

    schema: Any


@dataclass(frozen=True)
class Each:
    """A mapping from any names to values of one schema."""

    schema: Any


@dataclass(frozen=True)
class OneOf:
    """One of some texts."""

    texts: tuple[str, ...]


COUNTS = {"train": int, "validation": int, "test": int}

DATA = {
    "name": str,
    "source": str,
    "shape": [int],
    "task": OneOf(("multiclass", "multilabel", "regression")),
    "classes": [str],
    "properties": [str],
    "rows": COUNTS,
}

CONFIG = {
    "status": OneOf(("running", "diverged", "finished")),
    "created": str,
    "command": Maybe(str),
    "job": {"data": str, "labels": Maybe(str), "skip_bad": bool, "model": dict},
    "data": DATA | {"fingerprint": str, "encoding": {"columns": Maybe([dict])}},
    "notes": [str],
    "versions": dict,
}
"""Of ``config.json``, from the start of a run on."""

FINISHED_CONFIG = CONFIG | {
    "autoencoder": {
        "params": {"kind": str, "network": str, "encoder": Maybe(str)},
        "resolved": dict,
        "diagnosis": {"statistics": dict},
    },
    "classifier": Maybe(dict),
    "detector": Maybe(dict),
    "projection": Maybe(dict),
}
"""Of ``config.json``, at the end."""

COMPARED = {
    "method": str,
    "display_name": str,
    "labels": int,
    "repeats": int,
    "seconds_mean": NUMBER,
}

METRICS = {
    "data": DATA,
    "reconstruction": {
        "test_mse": NUMBER,
        "pca_test_mse": NUMBER,
        "latent_dim": int,
        "pca_components": int,
    },
    "diagnosis": dict,
    "few_labels": [COMPARED],
    "best_method": Maybe(str),
    "method": Maybe(str),
    "evaluated_on": Maybe(str),
    "confusion": Maybe({"method": str, "matrix": [[int]], "classes": [str]}),
    "properties": Maybe({"method": str, "names": [str], "counts": [[[int]]]}),
    "scatter": Maybe({"method": str, "name": str, "true": [NUMBER], "predicted": [NUMBER]}),
    "summary": Maybe([str]),
    "accuracy_estimate": Maybe([NUMBER]),
    "anomalies": Maybe(
        {
            "threshold": NUMBER,
            "false_positive_rate": [NUMBER],
            "held_out_rows": int,
            "test_rows": Maybe(int),
            "test_count": Maybe(int),
        }
    ),
    "projection": Maybe({"rows": int, "methods": Each(Each(Maybe(NUMBER)))}),
    "timing": {
        "train_seconds": NUMBER,
        "epochs": int,
        "rows_per_second": NUMBER,
        "few_label_seconds": NUMBER,
        "total_seconds": NUMBER,
        "peak_memory_mb": Maybe(NUMBER),
    },
}
"""Of ``metrics.json``."""


def find_fault(value: Any, schema: Any, name: str = "") -> str:
    """Return what is wrong with a JSON value, in words; nothing if it fits its schema.

    Examples
    --------
    >>> find_fault({"a": {"b": 1}}, {"a": {"b": [int]}})
    'a.b is int, not list'
    >>> find_fault({"a": {"b": [1]}}, {"a": {"b": [int]}})
    ''
    """
    if isinstance(schema, Maybe):
        return "" if value is None else find_fault(value, schema.schema, name)
    if isinstance(schema, OneOf):
        allowed = value in schema.texts if isinstance(value, str) else False
        return "" if allowed else f"{name} is {value!r}, not one of {', '.join(schema.texts)}"
    expected = _type_of(schema)
    if not isinstance(value, expected) or (isinstance(value, bool) and expected is not bool):
        kinds = expected if isinstance(expected, tuple) else (expected,)
        found = type(value).__name__
        return f"{name} is {found}, not {' or '.join(kind.__name__ for kind in kinds)}"
    if isinstance(schema, list):
        children = [(f"{name}[{i}]", one, schema[0]) for i, one in enumerate(value)]
    elif isinstance(schema, Each):
        children = [(f"{name}.{key}", one, schema.schema) for key, one in value.items()]
    elif isinstance(schema, Mapping):
        needed = [key for key, own in schema.items() if not isinstance(own, Maybe)]
        missing = [key for key in needed if key not in value]
        if missing:
            return f"{name} lacks {missing[0]!r}".strip()
        children = [
            (f"{name}.{key}".lstrip("."), value.get(key), own) for key, own in schema.items()
        ]
    else:
        return ""
    return next((fault for at, one, own in children if (fault := find_fault(one, own, at))), "")


def _type_of(schema: Any) -> Any:
    if isinstance(schema, list):
        return list
    return dict if isinstance(schema, Mapping | Each) else schema
