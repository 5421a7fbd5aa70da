"""A folder of images: which files are samples, and the class and split of each."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from cuello.data.dataset import UNLABELLED
from cuello.errors import DataError

__all__ = ["SUFFIXES", "ImageFiles", "scan"]

SUFFIXES = (
    *(".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp"),
    *(".pgm", ".ppm", ".pnm"),
)

TEST = ("test", "val", "valid", "validation")
NO_CLASS = ("unlabelled", "unlabeled")


@dataclass(frozen=True, kw_only=True)
class ImageFiles:
    """The images of a folder, by their paths inside it, and their codes into the classes."""

    names: tuple[str, ...]
    names_test: tuple[str, ...] = ()
    codes: Mapping[str, int]
    classes: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def scan(folder: Path) -> ImageFiles:
    """Search a folder and its sub-folders without opening a file.

    Sub-folders are classes; images beside them, or in a sub-folder ``unlabelled``, have no label.
    With a top folder ``train``, the top folders ``test`` (else ``val``) are the test split, and the
    classes are the sub-folders of both. Hidden files and folders are left out.
    """
    files = sorted(_visible_files(folder))
    images = [name for name in files if name.lower().endswith(SUFFIXES)]
    other = len(files) - len(images)
    if not images:
        raise DataError(
            f"holds no image ({other} other files)",
            value=folder,
            remedy=f"images end in {', '.join(SUFFIXES)}",
        )
    notes = [f"{other} files are not images and were left out"] if other else []
    test, prefixes = _splits({PurePosixPath(name).parts[0] for name in images if "/" in name})
    if prefixes:
        notes.append(f"the folder {test!r} is the test split" if test else "there is no test split")
    class_of = {name: _class_of(name, prefixes) for name in images}
    classes = tuple(sorted({name for name in class_of.values() if name is not None}))
    if len(classes) == 1:
        notes.append(f"all classes are {classes[0]!r}: one sub-folder is no label, so none is kept")
        classes = ()
    code = {name: i for i, name in enumerate(classes)}
    in_test = {name: bool(test) and name.startswith(f"{test}/") for name in images}
    return ImageFiles(
        names=tuple(name for name in images if not in_test[name]),
        names_test=tuple(name for name in images if in_test[name]),
        codes={name: code.get(class_of[name] or "", UNLABELLED) for name in images},
        classes=classes,
        notes=tuple(notes),
    )


def _visible_files(folder: Path) -> Iterator[str]:
    """Yield every visible file; follow links to folders, but enter none twice."""
    seen = set()
    for root, folders, files in os.walk(folder, followlinks=True):
        real = os.path.realpath(root)
        if real in seen:
            folders.clear()
            continue
        seen.add(real)
        folders[:] = sorted(name for name in folders if not _is_hidden(name))
        for name in files:
            if not _is_hidden(name):
                yield (Path(root) / name).relative_to(folder).as_posix()


def _is_hidden(name: str) -> bool:
    return name.startswith(".") or name == "__MACOSX"


def _splits(top: set[str]) -> tuple[str, set[str]]:
    """Return the test folder, and all top folders that are splits and not classes."""
    if "train" not in top or not top <= {"train", *TEST, *NO_CLASS}:
        return "", set()
    test = [name for name in TEST if name in top]
    return (test[0] if test else ""), top - set(NO_CLASS)


def _class_of(name: str, prefixes: set[str]) -> str | None:
    folders = PurePosixPath(name).parts[:-1]
    if folders and folders[0] in prefixes:
        folders = folders[1:]
    return folders[0] if folders and folders[0] not in NO_CLASS else None
