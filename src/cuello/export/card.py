"""The model card: properties, data, training and figures of a run, and how to use its files.

Laid out as Hugging Face has it: a head of YAML, and Markdown below. It names no file or folder of
the machine that the model was trained on, so it can be published.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import partial
from typing import Any

from jinja2 import UndefinedError

from cuello.errors import RunError
from cuello.export.convert import Exported
from cuello.kinds import KINDS
from cuello.report.measures import measures, method_name
from cuello.report.templates import draw
from cuello.run import Run

__all__ = ["model_card"]


def model_card(run: Run, models: Mapping[str, Exported]) -> str:
    """Return the card of an opened run and of the ONNX files beside it, if there are any."""
    metrics = run.folder.read_json("metrics.json")
    try:
        return str(draw("cuello.export/card.md", models=models, **_values(run, metrics))) + "\n"
    except (AttributeError, LookupError, TypeError, UndefinedError, ValueError) as error:
        raise RunError(
            f"{run.folder.path}: config.json or metrics.json is damaged or of another version "
            f"({type(error).__name__}: {error}); restore the folder or run the fit again."
        ) from error


def _values(run: Run, metrics: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values that the template names."""
    model, data = run.autoencoder, run.config["data"]
    encoding = data.get("encoding", {})
    kept_rows = [row for row in metrics["few_labels"] if row["method"] == metrics["best_method"]]
    figures = [("mse", "test MSE of reconstructions", metrics["reconstruction"]["test_mse"])]
    figures += [
        (measure.key, measure.name, row[f"{measure.key}_mean"])
        for row in kept_rows
        for measure in measures(metrics)
    ]
    return {
        "run": run,
        "model": model,
        "name": f"{data['name']}: {model.kind} autoencoder",
        "pipeline_tag": _hub_task(run, is_image=encoding.get("type") == "images"),
        "kind": KINDS[model.kind],
        "weights": sum(parameter.numel() for parameter in model.module_.parameters()),
        "data": data,
        "columns": [column["name"] for column in encoding.get("columns", ())],
        "value_range": _value_range(run),
        "training": model.training_config_,
        "resolved": run.config["autoencoder"]["resolved"],
        "versions": run.config["versions"],
        "metrics": metrics,
        "measures": measures(metrics),
        "method_name": method_name,
        "kept_rows": kept_rows,
        "figures": [(key, text, float(value)) for key, text, value in figures],
        "sizes": {
            "samples": model.shape_,
            "embeddings": (model.latent_dim_,),
            "probabilities": (len(run.properties or run.classes),),
            "predictions": (),
        },
        # JSON is YAML, whatever a text holds.
        "yaml": partial(json.dumps, ensure_ascii=False),
    }


def _hub_task(run: Run, *, is_image: bool) -> str:
    if run.classifier is None:
        return "image-feature-extraction" if is_image else "feature-extraction"
    if run.task == "regression":
        return "tabular-regression"
    return "image-classification" if is_image else "tabular-classification"


def _value_range(run: Run) -> tuple[float, float] | None:
    """Return the smallest and largest training value; None where columns have units each."""
    scaling = run.autoencoder.scaling_
    if len(scaling.offset) > 1:
        return None
    (offset,), (width,) = scaling.offset, scaling.width
    return offset + width * scaling.low, offset + width * scaling.high
