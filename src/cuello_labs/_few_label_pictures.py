"""Figures of the lab ``few-labels``: accuracy, estimates, mistakes, bought labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from cuello.metrics import Interval, accuracy_interval
from cuello.study.figures import COLOURS, new
from cuello.study.summary import group, values
from cuello.study.trials import Record
from cuello_labs._bands import Curve, draw_bands, log_axis
from cuello_labs._comparison import Published
from cuello_labs._few_label_methods import METHODS
from cuello_labs._image_grids import image_grid

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["draw_bought", "draw_errors", "draw_estimates", "draw_mistakes", "interval_of"]

PANELS = {
    "labelled samples alone, or an encoder": (
        "knn",
        "pca_logistic",
        "from_scratch",
        "linear_probe",
        "fine_tune_slow",
        "fine_tune",
    ),
    "labelled and unlabelled samples": (
        "label_spreading",
        "mean_teacher",
        "auto",
        "linear_probe",
        "auto_conv",
        "ladder",
    ),
}
"""By panel; a method that is in both has the same index, and so the same colour."""
ERRORS = (0.5, 1, 2, 5, 10, 20, 50)
PER_LINE, MOST_PANELS = 6, 4


def interval_of(record: Record) -> Interval | None:
    """Return the 95 % interval of the accuracy from labelled samples; None without folds."""
    if not record["held_out"]:
        return None
    return accuracy_interval(record["right"], record["held_out"])


def draw_errors(
    records: Sequence[Record],
    published: Mapping[str, Mapping[int, Published]],
    students: tuple[int, float, float] | None,
) -> Figure:
    """Draw the test error in % against the number of labels, a line a method.

    Parameters
    ----------
    published : mapping of name to number of labels to figure
        Test errors in %.
    students : tuple or None
        Number of labels, and the smallest and the largest error in %.
    """
    labels = sorted({r["options"]["labels"] for r in records})
    by_method = group(records, "method")
    with new(2, width=11, height=5.8, sharey=True) as (figure, axes):
        for panel, (title, methods) in zip(axes, PANELS.items(), strict=True):
            curves = {}
            for method in methods:
                subset = group(by_method.get((method,), []), "labels")
                runs = [_runs(subset.get((count,), [])) for count in labels]
                most = max(map(len, runs))
                padded = [run + [np.nan] * (most - len(run)) for run in runs]
                if most:
                    curves[METHODS[method].label] = Curve(labels, np.array(padded).T)
            draw_bands(panel, curves)
            _draw_published(panel, published, students)
            log_axis(panel, "x", labels)
            log_axis(panel, "y")
            panel.set(xlabel="labels", title=title)
            panel.legend(fontsize=8.5, loc="upper left", bbox_to_anchor=(0, -0.14), ncols=2)
        shown = [100 * (1 - r["accuracy"]) for r in records]
        shown += [f.value - (f.sd or 0.0) for subset in published.values() for f in subset.values()]
        low, high = max(0.8 * min(shown), 0.3), min(1.3 * max(shown), 100)
        axes[0].set_ylim(low, high)
        log_axis(axes[0], "y", [tick for tick in ERRORS if low < tick < high])
        axes[0].set_ylabel("error on test images (%)")
    return figure


def _runs(records: Sequence[Record]) -> list[float]:
    return [100 * (1 - r["accuracy"]) for r in sorted(records, key=lambda r: int(r["seed"]))]


def _draw_published(
    axes: Axes,
    published: Mapping[str, Mapping[int, Published]],
    students: tuple[int, float, float] | None,
) -> None:
    for shift, (name, figures) in enumerate(published.items()):
        deviations: list[Any] = [figure.sd for figure in figures.values()]
        axes.errorbar(
            [count * 1.07 ** (shift - 1) for count in figures],  # side by side
            [figure.value for figure in figures.values()],
            yerr=None if None in deviations else deviations,
            fmt="Ds^"[shift],
            color=COLOURS[6],
            markerfacecolor="white",
            capsize=3,
            label=f"published: {name}",
        )
    if students is not None:
        count, low, high = students
        axes.plot([count * 1.15] * 2, [low, high], color=COLOURS[7], linewidth=4, label="students")


def draw_estimates(records: Sequence[Record]) -> Figure:
    """Draw each draw's interval from labelled samples, and the test accuracy it should hold."""
    by_labels = group([r for r in records if r["held_out"]], "labels")
    counts = sorted(count for (count,) in by_labels)[:MOST_PANELS]
    methods = [m for m in METHODS if any(r["options"]["method"] == m for r in records)]
    height = 1.5 + 0.42 * len(methods)
    options: dict[str, Any] = {"width": 11, "height": height, "sharey": True, "squeeze": False}
    with new(len(counts), **options) as (figure, grid):
        for axes, count in zip(grid[0], counts, strict=True):
            for position, method in enumerate(methods):
                subset = group(by_labels[count,], "method").get((method,), [])
                for i, record in enumerate(subset):
                    _draw_interval(axes, record, position + 0.13 * (i - (len(subset) - 1) / 2))
            axes.set(title=f"{count} labels", xlabel="accuracy")
        grid[0, 0].set_yticks(range(len(methods)), [METHODS[m].label for m in methods])
        grid[0, 0].set_ylim(len(methods) - 0.5, -0.5)
    return figure


def _draw_interval(axes: Axes, record: Record, height: float) -> None:
    interval = interval_of(record)
    assert interval is not None
    held = interval.low <= record["accuracy"] <= interval.high
    axes.plot([interval.low, interval.high], [height] * 2, color=COLOURS[7], linewidth=1.5)
    colour, mark, size = (COLOURS[0], "o", 4) if held else (COLOURS[1], "X", 6.5)
    axes.plot(record["accuracy"], height, marker=mark, color=colour, markersize=size)


def draw_mistakes(mistakes: Sequence[Mapping[str, Any]]) -> Figure:
    """Draw images with their class, the predicted class, and its probability."""
    lines = -(-len(mistakes) // PER_LINE)
    options: dict[str, Any] = {"width": 9, "height": 1.9 * lines, "squeeze": False}
    with new(PER_LINE, lines, **options) as (figure, grid):
        for axes in grid.flat:
            axes.set_axis_off()
        for axes, mistake in zip(grid.flat, mistakes, strict=False):
            image_grid(axes, np.array([mistake["image"]]), columns=1, low=0, high=255)
            axes.set_title(
                f"{mistake['true']}, predicted {mistake['predicted']}\n"
                f"p = {mistake['confidence']:.4f}",
                size=9,
            )
    return figure


def draw_bought(records: Sequence[Record]) -> Figure:
    """Draw how many points of accuracy further labels add, random ones and suggested ones."""
    by_labels = group(records, "labels")
    counts = [count for (count,) in by_labels]
    more = records[0]["options"]["more"]
    with new(width=9.5, height=4) as (figure, axes):
        curves = {}
        for name in ("random", "suggested"):
            gains = [
                100 * (np.array(values(subset, name)) - values(subset, "start"))
                for subset in by_labels.values()
            ]
            curves[f"{more} more labels, {name}"] = Curve(counts, np.array(gains).T)
        draw_bands(axes, curves)
        axes.axhline(0.0, color=COLOURS[7], linewidth=1)
        log_axis(axes, "x", counts)
        axes.set(xlabel="labels before", ylabel="accuracy gained (points)")
        axes.legend(fontsize=9)
    return figure
