"""The latent plane of the 7x5 characters: its information, and its readable points."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import stats

from cuello.study.figures import COLOURS, MARKS, new
from cuello.study.summary import Spread, group, spread, values
from cuello.study.trials import Ran, Record, Trial, over
from cuello_labs._comparison import compare
from cuello_labs._font import (
    ADAM_TEXT,
    DECK,
    ONLINE_TEXT,
    Trained,
    characters,
    decode_errors,
    fit_trials,
    nearest,
    network_name,
    of_protocol,
)
from cuello_labs._image_grids import draw_latent_grid, latent_scatter
from cuello_labs.base import Findings, Lab, Picture, Table

HIDDEN = ((), (20,), (20, 10))
SIDE = 20
"""Points of the grid a side: 400 in all."""

SMALL, DEEP = [20], [100, 100, 100]
BETTER: list[dict[str, Any]] = [
    {"kind": kind, "kind_options": options, "hidden": hidden, "reduction": "sum"}
    for hidden in (SMALL, DEEP)
    for kind, options in (
        ("plain", {}),
        ("variational", {"beta": 0.3, "kl_warm_up": 0.3}),
        ("variational", {"beta": 1.0, "kl_warm_up": 0.3}),
    )
]

Array = npt.NDArray[Any]


def trials(quick: bool) -> list[Trial]:
    """Return 30 seeds of the published networks, and 10 of the plain and variational ones."""
    faithful = [{"hidden": list(hidden)} for hidden in HIDDEN]
    rate = {"protocol": "adam", "learning_rate": 0.003}
    if quick:
        deep = [network for network in BETTER if network["hidden"] == DEEP]
        return over(3, faithful, epochs=30) + over(2, deep, **rate, epochs=100)
    return over(30, faithful, epochs=1000) + over(10, BETTER, **rate, epochs=4000)


def run(missing: list[Trial]) -> Ran:
    """Train on all 32 characters; keep the embeddings, and the decoded latent plane."""
    X, _ = characters()

    def measure(trained: Trained, trial: Trial) -> dict[str, Any]:
        embeddings = trained.embeddings(X)
        x, y = sides(trial, embeddings)
        points = np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2).astype(np.float32)
        decoded = trained.decode(points)
        readable, distinct = legible(X, decoded)
        result = {
            **decode_errors(X, trained.decode(embeddings)),
            "agreement": agreement(X, embeddings),
            "saturated": float(np.mean(np.abs(embeddings) > 0.95)),
            "readable": readable,
            "distinct": distinct,
            "embeddings": np.round(embeddings, 3).tolist(),
        }
        if trial.seed == 0 and trial.options["hidden"] == DEEP:
            result |= {"x": np.round(x, 3).tolist(), "y": np.round(y, 3).tolist()}
            result["plane"] = np.round(decoded, 1).tolist()
        return result

    yield from fit_trials(missing, X, measure)


def sides(trial: Trial, embeddings: Array) -> tuple[Array, Array]:
    """Return the coordinates of a grid's points on each axis of the latent plane.

    Evenly over -1..1 where a tanh bounds the embeddings, over the range of the embeddings where
    nothing does, and at the quantiles of a normal where the embeddings are drawn towards one.
    """
    if trial.options.get("kind") == "variational":
        side = stats.norm.ppf((np.arange(SIDE) + 0.5) / SIDE)
        return side, side
    if "protocol" in trial.options:
        x, y = (np.linspace(values.min(), values.max(), SIDE) for values in embeddings.T)
        return x, y
    side = np.linspace(-1, 1, SIDE)
    return side, side


def legible(X: Array, decoded: Array) -> tuple[int, int]:
    """Return the number of images within a pixel of a character, and of those characters.

    Examples
    --------
    >>> X = np.ones((2, 35)); X[1] = -1
    >>> legible(X, np.concatenate([X, X[:1], np.sign(np.arange(-17.5, 17.5))[None]]))
    (3, 2)
    """
    indices, pixels = nearest(X, decoded)
    near = pixels <= 1
    return int(near.sum()), len(np.unique(indices[near]))


def agreement(X: Array, embeddings: Array) -> float:
    """Return the rank correlation, over pairs, of pixels that differ and distance of embeddings.

    1 if similar characters lie close, 0 if the latent plane has no information on it.

    Examples
    --------
    >>> agreement(np.array([[1, 1], [1, -1], [-1, -1]]), np.array([[0.0], [1.0], [2.0]]))
    1.0
    """
    first, second = np.triu_indices(len(X), 1)
    pixels = np.sum(X[first] != X[second], axis=1)
    apart = np.linalg.norm(embeddings[first] - embeddings[second], axis=1)
    return float(round(stats.spearmanr(pixels, apart).statistic, 6))


def show(records: list[Record]) -> Findings:
    """Compare the information of the latent planes with the errors, and count readable points."""
    online = group(of_protocol(records, "online"), "hidden")
    adam = group(of_protocol(records, "adam"), "kind", "kind_options", "hidden")
    named = {network_name(hidden): subset for (hidden,), subset in online.items()}
    better = {_label(*key): subset for key, subset in adam.items()}
    errors = {label: spread(values(subset, "error")) for label, subset in named.items()}
    agreements = {label: spread(values(subset, "agreement")) for label, subset in named.items()}
    holds, text = verdict(errors, agreements)
    readable = {k: spread(values(subset, "readable")) for k, subset in (named | better).items()}
    return Findings(
        holds=holds,
        verdict=text,
        tables=[
            Table(
                title="Information in the latent plane",
                columns=(
                    "network",
                    "error",
                    "rank correlation of distance and pixels that differ",
                    "share of embeddings beyond ±0.95",
                    "seeds",
                ),
                rows=[
                    (
                        label,
                        errors[label],
                        agreements[label],
                        spread(values(subset, "saturated")),
                        len(subset),
                    )
                    for label, subset in named.items()
                ],
                note="Nothing was measured by the authors, who show one latent plane a network.",
            ),
            Table(
                title=f"Readable points of the latent plane: a grid of {SIDE * SIDE}, decoded",
                columns=(
                    "network",
                    "points within 1 pixel of a character",
                    "different characters among them, of 32",
                    "wrong pixels of 35 at the embeddings, mean",
                    "of the worst character",
                    "seeds",
                ),
                rows=[
                    (
                        label,
                        readable[label],
                        spread(values(subset, "distinct")),
                        spread(values(subset, "wrong_mean")),
                        spread(values(subset, "wrong_max")),
                        len(subset),
                    )
                    for label, subset in (named | better).items()
                ],
                note="The grid is even over -1..1 (online), even over the range of the embeddings "
                "(plain), and at the quantiles of a normal (variational).",
            ),
        ],
        pictures=_pictures(named, better, readable),
    )


def verdict(errors: dict[str, Spread], agreements: dict[str, Spread]) -> tuple[bool | None, str]:
    """Return whether the network with the smallest error has the least informative plane."""
    by_error = sorted(errors, key=lambda label: errors[label].mean)
    best, worst = by_error[0], by_error[-1]
    a, b = agreements[best], agreements[worst]
    noise = 2 * (a.standard_error**2 + b.standard_error**2) ** 0.5
    holds = b.mean > a.mean if abs(b.mean - a.mean) > noise else None
    goes = "cannot be told to go with"
    if holds is not None:
        goes = "goes with" if holds else "does not go with"
    listed = ", ".join(f"{agreements[k]} at {errors[k]} ({k})" for k in reversed(by_error))
    return holds, (
        f"A smaller error {goes} a less informative latent plane, by the rank correlation of "
        f"distance between embeddings and pixels that differ: {listed}, correlation at error, "
        "means and standard deviations over seeds."
    )


def _pictures(
    named: dict[str, list[Record]], better: dict[str, list[Record]], readable: dict[str, Spread]
) -> list[Picture]:
    _, names = characters()
    with new(len(named), width=12.0, height=4.6) as (figure, all_axes):
        for axes, (label, subset) in zip(np.atleast_1d(all_axes), named.items(), strict=True):
            shown = next((record for record in subset if "embeddings" in record), None)
            if shown is not None:
                latent_scatter(axes, np.array(shown["embeddings"]), names)
                axes.set_title(f"{label}\nerror {shown['error']:.3f}")
    embeddings = Picture(
        name="embeddings",
        caption="Embeddings of the 32 characters in the three networks, at the first seed.",
        figure=figure,
    )
    with new() as (figure, axes):
        for i, (label, subset) in enumerate(named.items()):
            x, y = values(subset, "error"), values(subset, "agreement")
            axes.plot(x, y, MARKS[i], color=COLOURS[i], markersize=5, label=label)
        axes.set_xlabel("mean squared error per pixel, values -1/+1")
        axes.set_ylabel("rank correlation of distance\nand pixels that differ")
        axes.legend(fontsize=9)
    against = Picture(
        name="agreement",
        caption="Information in the latent plane against the error, a mark a seed.",
        figure=figure,
    )
    counts = compare(readable, unit=f"points of {SIDE * SIDE} within 1 pixel of a character")
    read = Picture(
        name="readable",
        caption="Share of the latent plane that decodes to characters.",
        figure=counts,
    )
    return [embeddings, against, read, *_latent_grids(better)]


def _latent_grids(better: dict[str, list[Record]]) -> list[Picture]:
    pictures = []
    for label, subset in better.items():
        shown: Sequence[Record] = [record for record in subset if "plane" in record]
        if shown:
            images = np.array(shown[0]["plane"]).reshape(-1, 7, 5)
            with new(width=7.2, height=9.0) as (figure, axes):
                draw_latent_grid(axes, images, shown[0]["x"], shown[0]["y"], low=-1, high=1, gap=1)
                axes.set_title(label, loc="left")
            name = "plane-" + "-".join(re.findall(r"\w+", label))
            caption = f"The decoded latent plane of the {label} network (seed 0)."
            pictures.append(Picture(name=name, caption=caption, figure=figure))
    return pictures


def _label(kind: str, options: str, hidden: Sequence[int]) -> str:
    if kind == "variational":
        kind += f" (beta {json.loads(options)['beta']:g})"
    return f"{kind} {network_name(hidden)}"


LAB = Lab(
    name="font-latent",
    title="The latent plane of the 7x5 characters",
    claim="Scatter plots of the 2-D latent space of three networks show that "
    "a lower error goes with a less informative latent plane.",
    source=DECK,
    protocol={
        **ONLINE_TEXT,
        "epochs": "1000; 4000 of the better ones",
        "seeds": "30 a network; 10 of the better ones",
        "better": f"plain and variational: {ADAM_TEXT.replace('0.01', '0.003')}; the KL is warmed "
        "up over 30 % of the epochs",
    },
    trials=trials,
    run=run,
    show=show,
)
