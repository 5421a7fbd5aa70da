"""MNIST and Fashion-MNIST: the same four IDX files, other pictures."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from cuello.data.dataset import Dataset
from cuello.data.fetch import RemoteFile, obtain
from cuello.data.readers.arrays import image_encoding
from cuello.data.readers.idx import parse_idx
from cuello.data.sets import NAMED_SETS, NamedSet

__all__ = ["read_mnist"]

DIGITS = tuple("0123456789")
GARMENTS = (
    *("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat"),
    *("Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"),
)


def read_mnist(subset: str, offline: bool, *, name: str, classes: tuple[str, ...]) -> Dataset:
    """Read the four files: X (60000, 28, 28) and X_test (10000, 28, 28) uint8, y and y_test."""
    named = NAMED_SETS[name]
    X, y, X_test, y_test = (
        parse_idx(obtain(name, file, named.mirrors, offline=offline), file.name)
        for file in named.files
    )
    return Dataset(
        X=X,
        y=y.astype(np.int64),
        classes=classes,
        name=name,
        source=named.mirrors[0],
        X_test=X_test,
        y_test=y_test.astype(np.int64),
        encoding=image_encoding(X),
    )


def _add(name: str, *files: tuple[str, int], classes: tuple[str, ...], **options: Any) -> None:
    """Register a set by checksums of the content, and sizes as gzip, of X, y, X_test and y_test."""
    parts = ("train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1")
    remote = [
        RemoteFile(f"{part}-ubyte.gz", sha256, size)
        for part, (sha256, size) in zip(parts, files, strict=True)
    ]
    read = functools.partial(read_mnist, name=name, classes=classes)
    shared: Any = {"rows": 60000, "test_rows": 10000, "shape": (28, 28), "files": tuple(remote)}
    NAMED_SETS.add(name, NamedSet(read=read, **shared, **options))


_add(
    "mnist",
    ("ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db", 9_912_422),
    ("65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5", 28_881),
    ("0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7", 1_648_877),
    ("ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2", 4_542),
    classes=DIGITS,
    summary="handwritten digits (LeCun, Cortes, Burges)",
    licence="CC BY-SA 3.0",
    mirrors=(
        "https://ossci-datasets.s3.amazonaws.com/mnist/",
        "https://storage.googleapis.com/cvdf-datasets/mnist/",
    ),
)
_add(
    "fashion-mnist",
    ("c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888", 26_421_880),
    ("bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9", 29_515),
    ("5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b", 4_422_102),
    ("0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34", 5_148),
    classes=GARMENTS,
    summary="garments in ten classes (Zalando Research)",
    licence="MIT",
    mirrors=(
        "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
        "https://github.com/zalandoresearch/fashion-mnist/raw/master/data/fashion/",
    ),
)
