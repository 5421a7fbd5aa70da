"""`load`: one way in for data, by the name of a set or the path of a file or folder."""

from __future__ import annotations

import difflib
import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from cuello.data import sets
from cuello.data.dataset import TASKS, Dataset
from cuello.data.readers import Options, format_of
from cuello.data.readers.base import listed
from cuello.errors import DataError, InputError, unknown

__all__ = ["load"]


def load(
    spec: str | Path,
    *,
    image_size: int | tuple[int, int] | None = None,
    label_column: str | None = None,
    task: str | None = "auto",
    skip_bad: bool = False,
    encoding: Mapping[str, Any] | None = None,
    offline: bool = False,
    holes: bool = False,
) -> Dataset:
    """Read a data set.

    Parameters
    ----------
    spec : str or Path
        The name of a set (``digits``, ``font``, ``font:lower``, ``mnist``, ``fashion-mnist``; see
        :func:`cuello.data.sets.listing`), or a path: ``.npy``, ``.npz`` (X, and if known y,
        X_test, y_test), IDX, ``.csv``, ``.parquet``, a folder of images with or without class
        sub-folders, or a folder in MNIST's layout. A name wins over a file of that name: write
        ``./mnist`` for the file.
    image_size : int or (int, int), optional
        Height and width to bring image files to; one number for a square.
    label_column : str, optional
        Column of a table that holds the labels, or several columns of 0 and 1 with commas between
        them. Default: one named label, class, target or y. ``""``: no column does.
    task : str or None, default "auto"
        Task of the labels: ``multiclass`` or ``binary``, ``regression``, or ``multilabel``,
        columns of 0 and 1. ``auto``: multilabel for several columns; regression if one number in
        ten or more is not whole, and there are more than 50 different values, or fewer than three
        rows for each; otherwise multiclass. None: labels are not read.
    skip_bad : bool, default False
        Leave out image files and table rows that cannot be read, and say so in the notes.
    encoding : mapping, optional
        ``Dataset.encoding`` of the data a model was trained on: further files are read alike.
    offline : bool, default False
        Download nothing.
    holes : bool, default False
        Let arrays hold NaN anywhere, for elements that are missing; tables may always.

    Returns
    -------
    Dataset

    Raises
    ------
    InputError
        If the name is unknown or an option is not allowed.
    DataError
        If a file is missing, damaged, or holds what cannot be used.

    Examples
    --------
    >>> font = load("font")
    >>> font.X.shape, font.classes[:3]
    ((32, 7, 5), ('@', 'A', 'B'))
    """
    options = Options(
        image_size=_size(image_size),
        label_column=label_column,
        task=task,
        skip_bad=skip_bad,
        holes=holes,
        encoding=_known_encoding(encoding),
    )
    if task not in (None, *TASKS):
        raise unknown("task", task, TASKS)
    return _as_task(_read(spec, options, offline), task)


def _read(spec: str | Path, options: Options, offline: bool) -> Dataset:
    name, _, part = spec.partition(":") if isinstance(spec, str) else ("", "", "")
    if name in sets.names():
        _check_options(f"data set {name!r}", frozenset(), "", options)
        return _load_named(sets.get(name), part, offline)
    path = _existing(spec)
    found = format_of(path)
    _check_options(str(path), found.takes, found.encoding, options)
    return found.read(path, options)


def _as_task(data: Dataset, task: str | None) -> Dataset:
    """Return data with labels that are only known as classes as numbers, if those are wanted."""
    if task not in ("regression", "multilabel") or data.task == task or not data.classes:
        return data
    if task == "multilabel":
        raise DataError(
            f"{data.source} has one label a row; task='multilabel' (--task) needs columns of "
            "0 and 1, one a property."
        )
    try:
        values = np.array([float(name) for name in data.classes])
    except ValueError:
        values = np.full(1, np.nan)
    if not np.isfinite(values).all():
        raise DataError(
            f"{data.source}: the labels are no numbers ({listed(map(repr, data.classes), 3)}), and "
            "task='regression' (--task) learns numbers; use task='auto', or pass a CSV of "
            "file-or-row,number as labels."
        )
    y, y_test = (
        None if part is None else np.where(part >= 0, values[part], np.nan)
        for part in (data.y, data.y_test)
    )
    return replace(data, y=y, y_test=y_test, classes=())


def _load_named(named: sets.NamedSet, part: str, offline: bool) -> Dataset:
    if part and not named.parts:
        raise InputError(f"data set {named.name!r} has no parts; write {named.name!r} alone.")
    return named.read(part or (named.parts[0] if named.parts else ""), offline)


def _existing(spec: str | Path) -> Path:
    path = Path(os.path.expanduser(spec))  # unlike Path's, never raises
    try:
        if str(spec) and path.exists():
            return path
    except (OSError, ValueError):
        pass  # a name that no file can have
    text = str(spec)
    like_a_path = isinstance(spec, Path) or path.suffix or os.sep in text or "/" in text
    if not like_a_path:
        raise InputError(
            f"{unknown('data', text, sets.names())} There is no file or folder of that name either."
        )
    near = difflib.get_close_matches(path.name, _beside(path), n=1)
    hint = f"; did you mean {path.parent / near[0]}?" if near else "."
    raise DataError(f"{path} does not exist (seen from {Path.cwd()}){hint}")


def _beside(path: Path) -> list[str]:
    try:
        return [entry.name for entry in path.parent.iterdir()]
    except (OSError, ValueError):
        return []


def _size(image_size: int | tuple[int, int] | None) -> tuple[int, int] | None:
    if image_size is None:
        return None
    pair = (image_size, image_size) if isinstance(image_size, int) else tuple(image_size)
    if len(pair) != 2 or any(not 1 <= int(side) <= 65535 for side in pair):
        raise InputError(
            f"image_size={image_size!r} must be one number of pixels, or (height, width), each "
            "from 1 to 65535; for example image_size=28."
        )
    return int(pair[0]), int(pair[1])


def _known_encoding(encoding: Mapping[str, Any] | None) -> Mapping[str, Any]:
    kind = (encoding or {}).get("type")
    if encoding and kind not in ("images", "table"):
        raise InputError(
            f"encoding has type={kind!r}; it must be the encoding of a Dataset, of type 'images' "
            "or 'table'."
        )
    return encoding or {}


def _check_options(where: str, takes: frozenset[str], encoding: str, options: Options) -> None:
    """Refuse options that would be ignored, and data of another sort than in training."""
    if options.image_size is not None and "image_size" not in takes:
        raise InputError(f"image_size is for image files; {where} is none: leave it out.")
    if options.label_column is not None and "label_column" not in takes:
        raise InputError(f"label_column is for tables; {where} is none: leave it out.")
    trained = options.encoding.get("type")
    if trained and encoding and trained != encoding:
        raise DataError(f"{where}: the model was trained on {trained}, this is {encoding}.")
    wanted = tuple(options.encoding.get("size", ()))
    if options.image_size and wanted and wanted != options.image_size:
        raise InputError(
            f"image_size={options.image_size} is not the size of the training images, {wanted}; "
            "leave it out."
        )
