"""The figures of noise reduction: quality against noise level, and images."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from cuello.study.figures import new
from cuello.study.summary import group, values
from cuello.study.trials import Record
from cuello_labs._bands import Curve, draw_bands
from cuello_labs._image_grids import image_grid
from cuello_labs._packed import unpack
from cuello_labs.base import Picture

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["draw"]

_LEVEL = {"gaussian": "standard deviation", "masking": "share of pixels set to 0"}


def draw(records: list[Record], methods: Sequence[str]) -> list[Picture]:
    """Draw both measures against the noise level, and images at the highest level."""
    made = []
    for (data,), runs in group(records, "data").items():
        for measure, unit in (("psnr", "PSNR, dB"), ("ssim", "SSIM")):
            caption = (
                f"{unit.split(',')[0]} of {data} test images against the level of the noise, mean "
                "and one standard deviation over seeds; higher is better."
            )
            figure = _curves(runs, methods, measure, unit)
            made.append(Picture(name=f"{data}-{measure}", caption=caption, figure=figure))
    for (data,), runs in group(records, "data").items():
        caption = (
            f"The first test images of {data}, clean, noisy at the highest level, and cleaned, "
            "seed 0."
        )
        made.append(Picture(name=f"{data}-images", caption=caption, figure=_images(runs, methods)))
    return made


def _curves(records: list[Record], methods: Sequence[str], measure: str, unit: str) -> Figure:
    noises = group(records, "noise")
    with new(len(noises), width=11.0, height=3.6, sharey=True) as (figure, axes):
        for panel, ((noise,), runs) in zip(axes, noises.items(), strict=True):
            levels = group(runs, "level")
            x = [level for (level,) in levels]
            curves = {
                name: Curve(x, _runs(levels.values(), f"{name} {measure}")) for name in methods
            }
            draw_bands(panel, curves)
            label = _LEVEL.get(noise, "share of pixels set to 0 or 1")
            panel.set(xlabel=label)
            panel.set_title(noise.replace("_", " "), loc="left")
        axes[0].set_ylabel(unit)
        handles, labels = axes[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside upper center", ncols=len(labels), fontsize=10)
    made: Figure = figure
    return made


def _runs(levels: Iterable[list[Record]], name: str) -> npt.NDArray[np.float64]:
    """Return (seeds, levels)."""
    return np.array([values(records, name) for records in levels]).T


def _images(records: list[Record], methods: Sequence[str]) -> Figure:
    drawn = group([r for r in records if "side" in r], "noise")
    lines = ("clean", *methods)
    with new(len(drawn), width=11.0, height=3.6) as (figure, axes):
        for panel, ((noise,), runs) in zip(axes, drawn.items(), strict=True):
            record = max(runs, key=lambda r: r["options"]["level"])
            side = record["side"]
            images = [unpack(record[f"{name} images"], (side, side)) for name in lines]
            image_grid(panel, np.concatenate(images), columns=len(images[0]))
            panel.set_axis_on()
            panel.grid(False)
            panel.set_xticks([])
            middles = np.arange(len(lines)) * (side + 1) + side / 2
            panel.set_yticks(middles, lines if panel is axes[0] else [])
            panel.tick_params(length=0)
            for spine in panel.spines.values():
                spine.set_visible(False)
            title = f"{noise.replace('_', ' ')} {record['options']['level']:g}"
            panel.set_title(title, loc="left")
    made: Figure = figure
    return made
