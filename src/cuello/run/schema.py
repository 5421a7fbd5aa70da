"""Schemas of the JSON files of a run, so that their readers need no checks of their own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args, get_origin

__all__ = [
    "CONFIG",
    "FINISHED_CONFIG",
    "METRICS",
    "find_fault",
    "method_scores",
    "score_names",
]

# A schema is a type, a tuple of types, a Literal of texts, a list of one schema (of every element),
# or a mapping: of keys to schemas, or of the type str to one schema (of every value).
NUMBER = (int, float)
NUMBER_OR_NULL = (*NUMBER, type(None))


@dataclass(frozen=True)
class Maybe:
    """A key that may be missing, or null."""

    schema: Any


DATA = {
    "name": str,
    "source": str,
    "shape": [int],
    "task": Literal["multiclass", "multilabel", "regression"],
    "classes": [str],
    "properties": [str],
    "rows": {"train": int, "validation": int, "test": int},
}

CONFIG = {
    "status": Literal["running", "diverged", "finished"],
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
        "params": {"encoder": Maybe(str)},
        "resolved": {"kind": str, "network": str},
        "diagnosis": {"statistics": dict},
    },
    "classifier": Maybe(dict),
    "detector": Maybe(dict),
    "projection": Maybe(dict),
}
"""Of ``config.json``, at the end."""

METRICS = {
    "data": DATA,
    "reconstruction": {
        "test_mse": NUMBER,
        "pca_test_mse": NUMBER,
        "latent_dim": int,
        "pca_components": int,
    },
    "diagnosis": dict,
    "findings": Maybe([str]),
    "few_labels": [
        {
            "method": str,
            "display_name": str,
            "labels": int,
            "repeats": int,
            "seconds_mean": NUMBER,
        }
    ],
    "kept_method": Maybe(str),
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
    "projection": Maybe({"rows": int, "methods": {str: {str: Maybe(NUMBER)}}}),
    "time_budget": Maybe({"seconds": Maybe(NUMBER), "losses": [str]}),
    "timing": {
        "train_seconds": NUMBER,
        "epochs": int,
        "rows_per_second": NUMBER,
        "few_label_seconds": NUMBER,
        "total_seconds": NUMBER,
        "peak_memory_mb": Maybe(NUMBER),
    },
}
"""Of ``metrics.json``; what :func:`method_scores` returns is in each of ``few_labels``, too."""


def score_names(task: str) -> tuple[str, str]:
    """Return the keys of the score that methods are chosen by, and of a second one."""
    return ("r2", "mae") if task == "regression" else ("accuracy", "macro_f1")


def method_scores(task: str) -> dict[str, Any]:
    """Return the schema of the scores of a method, for a task."""
    main, second = score_names(task)
    keys = (f"{main}_mean", f"{main}_sd", f"{second}_mean", f"{second}_sd", f"cv_{main}_mean")
    return dict.fromkeys(keys, NUMBER_OR_NULL)


def find_fault(value: Any, schema: Any, name: str = "") -> str:
    """Return what is wrong with a JSON value, in words; an empty text if it fits its schema."""
    if isinstance(schema, Maybe):
        return "" if value is None else find_fault(value, schema.schema, name)
    if get_origin(schema) is Literal:
        texts = get_args(schema)
        fits = isinstance(value, str) and value in texts
        return "" if fits else f"{name} is {value!r}, not one of {', '.join(texts)}"
    expected = type(schema) if type(schema) in (list, dict) else schema
    if not isinstance(value, expected) or (isinstance(value, bool) and expected is not bool):
        types = expected if isinstance(expected, tuple) else (expected,)
        allowed = " or ".join(one.__name__ for one in types)
        return f"{name} is {type(value).__name__}, not {allowed}"
    if isinstance(schema, list):
        children = [(f"{name}[{i}]", one, schema[0]) for i, one in enumerate(value)]
    elif isinstance(schema, Mapping) and str in schema:
        children = [(f"{name}.{key}", one, schema[str]) for key, one in value.items()]
    elif isinstance(schema, Mapping):
        for key, inner in schema.items():
            if key not in value and not isinstance(inner, Maybe):
                return f"{name} lacks {key!r}".strip()
        children = [
            (f"{name}.{key}".lstrip("."), value.get(key), inner) for key, inner in schema.items()
        ]
    else:
        return ""
    return next((fault for at, one, inner in children if (fault := find_fault(one, inner, at))), "")
