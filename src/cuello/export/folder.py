"""A folder to publish: ONNX files, embeddings, and the card that says what they are."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from cuello import atomic
from cuello.errors import InputError, RunError, Use
from cuello.export.card import model_card
from cuello.export.convert import Exported, export_models, require_onnx, samples_to_compare
from cuello.run import Run

__all__ = ["ExportFolder", "default_export", "export_run"]

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
