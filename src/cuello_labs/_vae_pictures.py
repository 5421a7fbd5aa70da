"""The figures of the latent plane: grids, embeddings, loss terms, and the aggregate posterior."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from scipy.stats import norm

from cuello.study.figures import COLOURS, new
from cuello.study.trials import Record
from cuello_labs._bands import Curve, draw_bands
from cuello_labs._image_grids import draw_latent_grid, latent_scatter
from cuello_labs._packed import unpack
from cuello_labs.base import Picture

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["draw"]

Array = npt.NDArray[Any]
_INSIDE = (0.5, 0.95)  # shares of N(0, I) inside the circles


def draw(records: list[Record], looks: Sequence[int], axes: Mapping[str, Array]) -> list[Picture]:
    """Draw all pictures; grids and scatter plots are of seed 0, curves of all seeds."""
    drawn = next(r for r in records if "labels" in r)
    return [
        Picture(
            name="grid-even",
            caption="Decoded points of the 10x10 grid over [-1, 1]², seed 0, as the training goes "
            "on.",
            figure=_grids(drawn, looks, "even", axes["even"]),
        ),
        Picture(
            name="grid-quantiles",
            caption="The same with points at the normal quantiles 5 %, 15 %, ..., 95 %: each point "
            "stands for as much of the prior as any other.",
            figure=_grids(drawn, looks, "quantile", axes["quantile"]),
        ),
        Picture(
            name="embeddings",
            caption="Posterior means of 2,000 images at most, coloured by digit, seed 0; each "
            "number is at the median of its digit. Half of the prior N(0, I) lies inside the inner "
            "circle, 95 % inside the outer one.",
            figure=_embeddings(drawn, looks),
        ),
        Picture(
            name="losses",
            caption="The two terms of the loss over the epochs, mean and one standard deviation "
            "over seeds.",
            figure=_losses(records),
        ),
        Picture(
            name="aggregate",
            caption="Histogram of the posterior means of each latent after the last epoch, seed 0, "
            "beside the density of N(0, 1); and the distance of the aggregate posterior from "
            "N(0, I) over the epochs, all seeds.",
            figure=_aggregate(records, drawn, looks),
        ),
    ]


def _panels(count: int, *, share: bool) -> Any:
    columns = min(3, count)
    rows = math.ceil(count / columns)
    size = {"width": 3.6 * columns + 0.4, "height": 3.6 * rows + 0.2}
    return new(columns, rows, squeeze=False, sharex=share, sharey=share, **size)


def _grids(record: Record, looks: Sequence[int], name: str, axis: Array) -> Figure:
    shape = (record["side"], record["side"])
    with _panels(len(looks), share=False) as (figure, axes):
        for panel, epoch in _pairs(axes, looks):
            images = unpack(record["looks"][str(epoch)][f"{name}_images"], shape)
            draw_latent_grid(
                panel, images, axis.tolist(), axis.tolist(), low=0.0, high=1.0, ticks=4
            )
            panel.set_title(_after(epoch), loc="left")
    made: Figure = figure
    return made


def _embeddings(record: Record, looks: Sequence[int]) -> Figure:
    labels = np.array(record["labels"])
    with _panels(len(looks), share=True) as (figure, axes):
        for panel, epoch in _pairs(axes, looks):
            embeddings = np.array(record["looks"][str(epoch)]["embeddings"])
            latent_scatter(panel, embeddings, labels=labels)
            turn = np.linspace(0.0, 2.0 * np.pi, 200)
            for share in _INSIDE:
                radius = math.sqrt(-2.0 * math.log(1.0 - share))
                panel.plot(radius * np.cos(turn), radius * np.sin(turn), "k--", linewidth=0.8)
            panel.set_aspect("equal", "box")
            panel.set(xlim=(-4.2, 4.2), ylim=(-4.2, 4.2))
            panel.tick_params(labelbottom=True, labelleft=True)
            panel.set_title(_after(epoch), loc="left")
    made: Figure = figure
    return made


def _losses(records: list[Record]) -> Figure:
    with new(2, width=8.6, height=3.6) as (figure, axes):
        for panel, term, unit in zip(
            axes,
            ("reconstruction", "kl"),
            ("binary cross-entropy, nats an image", "KL to N(0, I), nats an image"),
            strict=True,
        ):
            runs = np.array([record[term] for record in records])
            draw_bands(panel, {"": Curve(range(1, runs.shape[1] + 1), runs)})
            panel.set(xlabel="epoch", ylabel=unit)
    made: Figure = figure
    return made


def _aggregate(records: list[Record], drawn: Record, looks: Sequence[int]) -> Figure:
    embeddings = np.array(drawn["looks"][str(looks[-1])]["embeddings"])
    with new(2, width=8.6, height=3.6) as (figure, axes):
        x = np.linspace(-4.0, 4.0, 200)
        for i, dash in enumerate(("-", "--")):
            look: dict[str, Any] = {"histtype": "step", "color": COLOURS[i], "linestyle": dash}
            axes[0].hist(
                embeddings[:, i], 40, range=(-4, 4), density=True, label=f"latent {i + 1}", **look
            )
        axes[0].plot(x, norm.pdf(x), "k:", label="N(0, 1)")
        axes[0].set(xlabel="posterior mean", ylabel="density")
        axes[0].legend(fontsize=9)
        curves = {
            label: Curve(looks, np.array([_over(r, looks, name) for r in records]))
            for label, name in (
                ("KL(q(z) || N(0, I))", "kl_aggregate"),
                ("information on the image", "information"),
            )
        }
        draw_bands(axes[1], curves)
        axes[1].set(xlabel="epoch", ylabel="nats", ylim=(0, None))
        axes[1].legend(fontsize=9)
    made: Figure = figure
    return made


def _pairs(axes: Any, looks: Sequence[int]) -> list[tuple[Axes, int]]:
    panels = list(axes.ravel())
    for unused in panels[len(looks) :]:
        unused.set_axis_off()
    return list(zip(panels, looks, strict=False))


def _over(record: Record, looks: Sequence[int], name: str) -> list[float]:
    return [record["looks"][str(epoch)][name] for epoch in looks]


def _after(epoch: int) -> str:
    return f"after {epoch} epoch{'s' if epoch > 1 else ''}"
