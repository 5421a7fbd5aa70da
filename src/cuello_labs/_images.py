"""Small images for the labs: data, few labels, and accuracies of embeddings."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from cuello.data import load
from cuello.data.splits import draw_by_class, make_split, split_arrays, stratified_folds
from cuello.estimators.baselines import INVERSE_PENALTIES
from cuello.study.figures import new
from cuello_labs._image_grids import image_grid

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = [
    "DENOISING",
    "Images",
    "checkerboard",
    "draw_labelled",
    "few_label_accuracy",
    "image_strips",
    "images",
    "knn_accuracy",
    "rounded",
]

DENOISING: Mapping[str, Any] = {
    "kind": "denoising",
    "kind_options": {"noise_share": 0.9, "noise_until": 1.0},
    "linear_skip": False,
}
"""Options of the autoencoder whose encoder starts a classifier."""

Array = npt.NDArray[Any]
Labels = npt.NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Images:
    """Training and test samples, (n, height, width) in 0..1, with their classes (n,)."""

    X: Array
    y: Labels
    X_test: Array
    y_test: Labels
    classes: tuple[str, ...] = ()

    @property
    def side(self) -> int:
        """Height and width in pixels."""
        return int(self.X.shape[1])


@functools.lru_cache(maxsize=1)  # trials come set by set
def images(name: str, train_size: int | None = None, test_size: int | None = None) -> Images:
    """Return so many samples of a named set, always the same ones; None: all of them.

    Sets without an official test set give a third of their samples to it. Equal calls return the
    same arrays: do not change them.
    """
    data = load(name)
    split = make_split(data, validation=0.01, test=1 / 3, random_state=0)
    train = np.concatenate([split.train, split.validation])
    (X, y), (X_test, y_test) = split_arrays(data, train), split_arrays(data, split.test)
    assert y is not None
    assert y_test is not None
    X, y = _some(X, y, train_size)
    X_test, y_test = _some(X_test, y_test, test_size)
    return Images(X=X, y=y, X_test=X_test, y_test=y_test, classes=data.classes)


def _some(X: Array, y: Labels, count: int | None) -> tuple[Array, Labels]:
    chosen = np.random.default_rng(0).permutation(len(X))[:count]
    return (X[chosen] / np.float32(255)).astype(np.float32), y[chosen]


def draw_labelled(y: Labels, per_class: int, seed: int) -> Labels:
    """Return the indices of ``per_class`` random samples of every class.

    Examples
    --------
    >>> y = np.array([0, 0, 1, 1, 1])
    >>> y[draw_labelled(y, 2, seed=0)]
    array([0, 0, 1, 1])
    """
    classes = [str(label) for label in np.unique(y)]
    return draw_by_class(y, per_class * len(classes), np.random.default_rng(seed), classes)


def knn_accuracy(embeddings: Array, y: Labels, test: Array, y_test: Labels) -> float:
    """Return the 5-NN accuracy of test embeddings (m, k) among training embeddings (n, k)."""
    model = KNeighborsClassifier(min(5, len(embeddings))).fit(_flat(embeddings), y)
    return float(model.score(_flat(test), y_test))


def few_label_accuracy(
    embeddings: Array, y: Labels, test: Array, y_test: Labels, *, per_class: int, seed: int
) -> float:
    """Return the accuracy of a logistic regression with few labels a class.

    Its penalty is chosen by cross-validation among those labels. The seed draws them.
    """
    labelled = draw_labelled(y, per_class, seed)
    parts = stratified_folds(y[labelled], 3, seed)
    search = GridSearchCV(LogisticRegression(max_iter=2000), {"C": INVERSE_PENALTIES}, cv=parts)
    model = make_pipeline(StandardScaler(), search).fit(_flat(embeddings[labelled]), y[labelled])
    return float(model.score(_flat(test), y_test))


def rounded(values: Array, decimals: int = 3) -> list[Any]:
    """Return an array as lists of short numbers, for a record."""
    lists: list[Any] = np.round(np.asarray(values, dtype=np.float64), decimals).tolist()
    return lists


def _flat(X: Array) -> Array:
    return X.reshape(len(X), -1)


def checkerboard(residual: Array) -> float:
    """Return the share of an error's variance that alternates from pixel to pixel, per component.

    The mean power of the three patterns of period two (columns, rows, both) over the mean power of
    all patterns but the constant: 1 for white noise, far more for a checkerboard.

    Parameters
    ----------
    residual : ndarray of shape (n, height, width)
        An unpaired last row or column is left out.
    """
    _, height, width = residual.shape
    power = np.abs(np.fft.fft2(residual[:, : height // 2 * 2, : width // 2 * 2])) ** 2
    mean = power.mean(axis=0)
    a, b = mean.shape[0] // 2, mean.shape[1] // 2
    everything = (mean.sum() - mean[0, 0]) / (mean.size - 1)
    return float((mean[a, 0] + mean[0, b] + mean[a, b]) / 3 / everything)


def image_strips(lines: Mapping[str, Array], *, low: float = 0.0, high: float = 1.0) -> Figure:
    """Draw one line of images (n, height, width) below the other, each under its name."""
    with new(1, len(lines), width=8.2, height=0.8 * len(lines) + 0.2) as (figure, axes):
        for panel, (label, strip) in zip(np.atleast_1d(axes), lines.items(), strict=True):
            image_grid(panel, strip, columns=len(strip), low=low, high=high)
            panel.set_title(label, loc="left", fontsize=10)
    return figure
