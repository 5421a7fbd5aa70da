"""Embeddings and images on axes: scatter plots, grids of images, images over a latent grid."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from cuello.arrays import Array
from cuello.study.figures import COLOURS

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["draw_latent_grid", "image_grid", "latent_scatter"]


def latent_scatter(
    axes: Axes,
    embeddings: Array,
    names: Sequence[str] | None = None,
    *,
    labels: Array | None = None,
    classes: Sequence[str] = (),
) -> None:
    """Draw embeddings (n, 2): as their names, or as points coloured by class."""
    if names is not None:
        axes.plot(embeddings[:, 0], embeddings[:, 1], ".", color=COLOURS[7], markersize=3)
        for (a, b), name in zip(embeddings, names, strict=True):
            axes.text(a, b, name, ha="center", va="center", color=COLOURS[0], parse_math=False)
    elif labels is None:
        axes.plot(
            embeddings[:, 0], embeddings[:, 1], ".", color=COLOURS[0], markersize=2, alpha=0.4
        )
    else:
        import matplotlib as mpl

        colours = mpl.colormaps["tab10"]
        for label in np.unique(labels):
            points = embeddings[labels == label]
            name = classes[label] if 0 <= label < len(classes) else str(label)
            axes.plot(
                points[:, 0], points[:, 1], ".", color=colours(label % 10), markersize=2, alpha=0.4
            )
            middle = np.median(points, axis=0)
            box = {"boxstyle": "round,pad=0.15", "facecolor": "white", "alpha": 0.8, "linewidth": 0}
            where: dict[str, Any] = {"ha": "center", "va": "center", "weight": "bold", "bbox": box}
            axes.text(middle[0], middle[1], name, **where)
    axes.set(xlabel="latent 1", ylabel="latent 2")


def image_grid(
    axes: Axes, images: Array, *, columns: int, low: float = 0.0, high: float = 1.0, gap: int = 1
) -> None:
    """Draw images (n, height, width) side by side, ``columns`` a line, dark on light."""
    n, height, width = images.shape
    lines = -(-n // columns)
    sheet = np.full((lines * (height + gap) - gap, columns * (width + gap) - gap), np.nan)
    for i, image in enumerate(images):
        top, left = i // columns * (height + gap), i % columns * (width + gap)
        sheet[top : top + height, left : left + width] = image
    axes.imshow(sheet, cmap="gray_r", vmin=low, vmax=high, interpolation="nearest")
    axes.set_axis_off()


def draw_latent_grid(
    axes: Axes,
    images: Array,
    x: Sequence[float],
    y: Sequence[float],
    *,
    low: float,
    high: float,
    gap: int = 0,
    ticks: int = 7,
) -> None:
    """Draw decoded images over a grid of two latent dimensions, its axes labelled.

    Parameters
    ----------
    images : ndarray of shape (len(y) * len(x), height, width)
        Row by row, the smallest y first.
    x, y : sequence of float
        Latent coordinates of the images.
    gap : int
        Pixels between images, for those that do not blend into one another.
    ticks : int
        At most as many labels an axis: fewer in a small panel.
    """
    images = np.pad(images, ((0, 0), (0, gap), (0, gap)), constant_values=np.nan)
    axes.set_facecolor("#c8d4e0")
    _, height, width = images.shape
    lines = images.reshape(len(y), len(x), height, width)[::-1]  # y grows upwards
    sheet = lines.transpose(0, 2, 1, 3).reshape(len(y) * height, len(x) * width)
    axes.imshow(sheet, cmap="gray_r", vmin=low, vmax=high, interpolation="nearest")
    across = np.arange(len(x)) * width + (width - gap) / 2 - 0.5
    down = np.arange(len(y)) * height + (height - gap) / 2 - 0.5
    keep_x, keep_y = _few(len(x), ticks), _few(len(y), ticks)
    axes.set_xticks(across[keep_x], [f"{x[i]:.2g}" for i in keep_x])
    axes.set_yticks(down[keep_y], [f"{y[::-1][i]:.2g}" for i in keep_y])
    axes.grid(False)
    axes.set(xlabel="latent 1", ylabel="latent 2")


def _few(count: int, most: int) -> list[int]:
    positions = np.linspace(0, count - 1, min(count, most)).round().astype(int)
    return [int(position) for position in np.unique(positions)]
