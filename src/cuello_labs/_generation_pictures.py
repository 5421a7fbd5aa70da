"""The figures of sampling: distances, and samples with their nearest training images."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cuello.study.figures import new
from cuello.study.summary import group, spread
from cuello.study.trials import Record
from cuello_labs._comparison import compare
from cuello_labs._image_grids import image_grid
from cuello_labs._packed import unpack
from cuello_labs.base import Picture

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["draw"]


def draw(records: list[Record]) -> list[Picture]:
    """Draw both for each set of images."""
    made = []
    for (data,), runs in group(records, "data").items():
        made.append(
            Picture(
                name=f"{data}-frechet",
                caption=f"Fréchet distance of samples to the training images of {data}; lower is "
                "better, and held-out real images show how low it can be.",
                figure=_distances(runs),
            )
        )
        made.append(
            Picture(
                name=f"{data}-samples",
                caption=f"Left, the first samples of each model and sampler on {data}, seed 0, "
                "nothing selected; right, the training image that is nearest to each.",
                figure=_samples([r for r in runs if r["seed"] == 0]),
            )
        )
    return made


def _distances(records: list[Record]) -> Figure:
    rows = {
        _name(model, sampler): spread(r["samplers"][sampler]["frechet"] for r in runs)
        for (model,), runs in group(records, "model").items()
        for sampler in runs[0]["samplers"]
    }
    return compare(rows, unit="Fréchet distance, squared units of the features", log=True)


def _samples(records: list[Record]) -> Figure:
    lines = {
        _name(record["options"]["model"], sampler): (record["side"], look)
        for record in records
        for sampler, look in record["samplers"].items()
    }
    with new(2, width=10.4, height=0.6 + 0.44 * len(lines)) as (figure, axes):
        for panel, shown in zip(axes, ("images", "neighbours"), strict=True):
            side = next(iter(lines.values()))[0]
            images = [unpack(look[shown], (side, side)) for _, look in lines.values()]
            image_grid(panel, np.concatenate(images), columns=len(images[0]))
            panel.set_axis_on()
            panel.grid(False)
            panel.set_xticks([])
            middles = np.arange(len(lines)) * (side + 1) + side / 2
            panel.set_yticks(middles, list(lines) if shown == "images" else [])
            panel.tick_params(length=0)
            for spine in panel.spines.values():
                spine.set_visible(False)
            title = "samples" if shown == "images" else "nearest training images"
            panel.set_title(title, loc="left")
    made: Figure = figure
    return made


def _name(model: str, sampler: str) -> str:
    return model if sampler == "real" else f"{model}, {sampler}"
