"""The options of a run as small tables: data, model, training, diagnosis."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cuello.arrays import Record

__all__ = ["option_tables"]

_SHOWN_LATENTS = 8

_OF_THE_MODEL = (
    "kind", "kind_options", "network", "network_options", "encoder", "decoder", "hidden",
    "latent_dim", "activation", "latent_activation", "initializer", "batch_norm", "dropout",
    "loss", "reduction", "output_activation", "scaling",
)  # fmt: skip


def option_tables(config: Record) -> dict[str, dict[str, str]]:
    """Return the options of a run by title and name.

    Parameters
    ----------
    config : dict
        The contents of ``config.json`` of a finished run.
    """
    data, record = config["data"], config["autoencoder"]
    params, resolved = record["params"], record["resolved"]
    # Networks of the user's own take the place of a named one.
    absent = ("network", "network_options") if params["encoder"] else ("encoder", "decoder")
    model = [name for name in _OF_THE_MODEL if name not in absent]
    training = [name for name in params if name not in _OF_THE_MODEL]
    tables = {
        "data": {
            "name": data["name"],
            "source": data["source"],
            "rows": ", ".join(f"{n:,} {split}" for split, n in data["rows"].items()),
            "shape of a row": " x ".join(map(str, data["shape"])),
            **_targets(data),
            "labels": config["job"]["labels"] or "none kept",
            "fingerprint": data["fingerprint"][:16],
        },
        "model": {name: _resolved(name, params, resolved) for name in model},
        "training": {name: _resolved(name, params, resolved) for name in training},
    }
    diagnosis = record["diagnosis"]["statistics"]
    if diagnosis:
        tables["diagnosis"] = {
            name.replace("_", " "): _statistic(value) for name, value in diagnosis.items()
        }
    return tables


def _targets(data: Record) -> dict[str, str]:
    if data["task"] == "multilabel":
        return {"properties": ", ".join(data["properties"])}
    if data["task"] == "regression":
        return {"classes": "none; labels are numbers"}
    return {"classes": ", ".join(data["classes"]) or "none"}


def _resolved(name: str, params: Mapping[str, Any], resolved: Mapping[str, Any]) -> str:
    if params[name] == "auto" and name in resolved:
        return f"auto: {_value_text(resolved[name])}"
    return _value_text(resolved.get(name, params[name]))


def _statistic(value: float | list[float]) -> str:
    if isinstance(value, list):
        shown = ", ".join(f"{v:.2g}" for v in value[:_SHOWN_LATENTS])
        more = len(value) - _SHOWN_LATENTS
        return shown + (f" and {more} more" if more > 0 else "")
    return f"{value:.4g}"


def _value_text(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none"
    if isinstance(value, dict):
        return ", ".join(f"{name} {option}" for name, option in value.items()) or "none"
    if value is None or isinstance(value, bool):
        return {None: "none", True: "yes", False: "no"}[value]
    return str(value)
