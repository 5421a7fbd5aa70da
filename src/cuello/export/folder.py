"""A folder to publish: ONNX files, embeddings, and a model card as Hugging Face lays it out.

The card names no file or folder of the machine that the model was trained on.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from jinja2 import UndefinedError

from cuello import atomic
from cuello.errors import InputError, RunError, Use
from cuello.export.convert import Exported, export_models, require_onnx, samples_to_compare
from cuello.kinds import KINDS
from cuello.report.assets import draw
from cuello.report.measures import measures, method_name
from cuello.run import Run

__all__ = ["ExportFolder", "default_export", "export_run", "model_card"]

_ONNX = ("encoder", "decoder", "classifier", "regressor")
_FILES = ("README.md", "embeddings.parquet", *(f"{name}.onnx" for name in _ONNX))


@dataclass(frozen=True, kw_only=True)
class ExportFolder:
    """A folder that was written, and its ONNX files by name, without their suffix."""

    path: Path
    models: Mapping[str, Exported]
    compared_on: str
    """Which samples the ONNX files were compared with PyTorch on, in words."""


def default_export(run: Path) -> Path:
    """Return the folder beside a run: ``runs/digits-export`` for ``runs/digits``."""
    run = run if run.name.strip(".") else run.resolve()  # "." and ".." have no name of their own
    return run.with_name(f"{run.name}-export")


def export_run(run: Run, out: Path, *, onnx: bool = False, overwrite: bool = False) -> ExportFolder:
    """Write embeddings, a card (``README.md``) and, if asked for, ONNX files to a folder.

    Parameters
    ----------
    run : Run
        An opened run folder.
    out : Path
        A folder that is empty or does not exist yet.
    onnx : bool
        Whether to write the networks as ONNX files; see :func:`cuello.export.onnx_models`.
    overwrite : bool
        Whether the files of an earlier export may be replaced. Others are left as they are.

    Raises
    ------
    InputError
        If the folder cannot be used, or what writes ONNX is not installed.
    RunError
        If a file of the run is missing or damaged, or ONNX files differ from PyTorch. Nothing is
        written then.

    Examples
    --------
    >>> import tempfile, cuello
    >>> folder = cuello.fit("font", out=tempfile.mkdtemp(), hidden=(20,), latent_dim=2, epochs=9)
    >>> out = export_run(cuello.open_run(folder.path), Path(tempfile.mkdtemp())).path
    >>> sorted(file.name for file in out.iterdir())
    ['README.md', 'embeddings.parquet']
    """
    _check_folder(run, out, overwrite=overwrite)
    embeddings = run.folder.path / "embeddings.parquet"
    if not embeddings.is_file():
        raise RunError(f"{embeddings} does not exist; restore the folder, or run the fit again.")
    models: dict[str, Exported] = {}
    compared_on = ""
    if onnx:
        require_onnx()  # before data is read
        samples, compared_on = samples_to_compare(run)
        models = export_models(run, samples)
    card = model_card(run, models)
    for name in _FILES:
        (out / name).unlink(missing_ok=True)  # or a classifier of another run would stay
    for name, file in models.items():
        atomic.write_bytes(out / f"{name}.onnx", file.content)
    atomic.write(out / embeddings.name, lambda temporary: shutil.copyfile(embeddings, temporary))
    atomic.write_bytes(out / "README.md", card.encode())
    return ExportFolder(path=out, models=models, compared_on=compared_on)


def _check_folder(run: Run, out: Path, *, overwrite: bool) -> None:
    if out.exists() and not out.is_dir():
        raise InputError("is a file", argument="out", value=str(out), remedy="name a folder")
    if not out.exists():
        return
    if out.samefile(run.folder.path):
        raise InputError(
            "is the run itself", argument="out", value=str(out), remedy="name another folder"
        )
    if any(out.iterdir()) and not overwrite:
        raise InputError(
            "is not empty",
            argument="out",
            value=str(out),
            remedy=(
                "name another folder, or replace the files of an earlier export: ",
                Use("overwrite", True),
            ),
        )


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
    kept_rows = [row for row in metrics["few_labels"] if row["method"] == metrics["method"]]
    is_image = run.config["data"].get("encoding", {}).get("type") == "images"
    return {
        "run": run,
        "pipeline_tag": _hub_task(run, is_image=is_image),
        "kind": KINDS[run.autoencoder.kind_],
        "weights": sum(weight.numel() for weight in run.autoencoder.module_.parameters()),
        "value_range": _value_range(run),
        "metrics": metrics,
        "measures": measures(metrics),
        "method_name": method_name,
        "kept_rows": kept_rows,
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
