"""What the latent plane of the 7x5 characters says, and what of it can be read."""

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
    ADAM_TOLD,
    DECK,
    ONLINE_TOLD,
    Trained,
    characters,
    decode_errors,
    fit_trials,
    nearest,
    network_name,
    of_protocol,
)
from cuello_labs._image_grids import latent_scatter, plane
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
        deep = [own for own in BETTER if own["hidden"] == DEEP]
        return over(3, faithful, epochs=30) + over(2, deep, **rate, epochs=100)
    return over(30, faithful, epochs=1000) + over(10, BETTER, **rate, epochs=4000)


def run(missing: list[Trial]) -> Ran:
    """Train on all 32 characters; keep the codes, and what the plane decodes to."""
    rows, _ = characters()

    def measure(trained: Trained, trial: Trial) -> dict[str, Any]:
        codes = trained.codes(rows)
        x, y = sides(trial, codes)
        points = np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2).astype(np.float32)
        decoded = trained.decode(points)
        readable, distinct = legible(rows, decoded)
        result = {
            **decode_errors(rows, trained.decode(codes)),
            "agreement": agreement(rows, codes),
            "saturated": float(np.mean(np.abs(codes) > 0.95)),
            "readable": readable,
            "distinct": distinct,
            "codes": np.round(codes, 3).tolist(),
        }
        if trial.seed == 0 and trial.options["hidden"] == DEEP:
            result |= {"x": np.round(x, 3).tolist(), "y": np.round(y, 3).tolist()}
            result["plane"] = np.round(decoded, 1).tolist()
        return result

    yield from fit_trials(missing, rows, measure)


def sides(trial: Trial, codes: Array) -> tuple[Array, Array]:
    """Return where a grid's points lie on each axis of the plane.

    Evenly over -1..1 where a tanh bounds the codes, over the range of the codes where nothing
    does, and at the quantiles of a normal where the codes are drawn towards one.
    """
    if trial.options.get("kind") == "variational":
        side = stats.norm.ppf((np.arange(SIDE) + 0.5) / SIDE)
        return side, side
    if "protocol" in trial.options:
        x, y = (np.linspace(values.min(), values.max(), SIDE) for values in codes.T)
        return x, y
    side = np.linspace(-1, 1, SIDE)
    return side, side


def legible(rows: Array, decoded: Array) -> tuple[int, int]:
    """Return how many images are within a pixel of a character, and of how many characters.

    Examples
    --------
    >>> rows = np.ones((2, 35)); rows[1] = -1
    >>> legible(rows, np.concatenate([rows, rows[:1], np.sign(np.arange(-17.5, 17.5))[None]]))
    (3, 2)
    """
    place, pixels = nearest(rows, decoded)
    near = pixels <= 1
    return int(near.sum()), len(np.unique(place[near]))


def agreement(rows: Array, codes: Array) -> float:
    """Return the rank correlation, over pairs, of pixels that differ and distance of codes.

    1 where characters that look alike lie close, 0 where the plane says nothing of it.

    Examples
    --------
    >>> agreement(np.array([[1, 1], [1, -1], [-1, -1]]), np.array([[0.0], [1.0], [2.0]]))
    1.0
    """
    first, second = np.triu_indices(len(rows), 1)
    pixels = np.sum(rows[first] != rows[second], axis=1)
    apart = np.linalg.norm(codes[first] - codes[second], axis=1)
    return float(round(stats.spearmanr(pixels, apart).statistic, 6))


def show(records: list[Record]) -> Findings:
    """Compare what the planes say with the errors, and count what can be read of them."""
    online = group(of_protocol(records, "online"), "hidden")
    adam = group(of_protocol(records, "adam"), "kind", "kind_options", "hidden")
    named = {network_name(hidden): own for (hidden,), own in online.items()}
    better = {_label(*key): own for key, own in adam.items()}
    errors = {label: spread(values(own, "error")) for label, own in named.items()}
    agreements = {label: spread(values(own, "agreement")) for label, own in named.items()}
    holds, text = verdict(errors, agreements)
    readable = {k: spread(values(own, "readable")) for k, own in (named | better).items()}
    return Findings(
        holds=holds,
        verdict=text,
        tables=[
            Table(
                title="What the plane says",
                columns=(
                    "network",
                    "error",
                    "rank correlation of code distance and pixels that differ",
                    "share of codes beyond ±0.95",
                    "seeds",
                ),
                rows=[
                    (
                        label,
                        errors[label],
                        agreements[label],
                        spread(values(own, "saturated")),
                        len(own),
                    )
                    for label, own in named.items()
                ],
                note="Nothing was measured by the authors, who show single planes.",
            ),
            Table(
                title=f"What can be read of the plane: a grid of {SIDE * SIDE} points, decoded",
                columns=(
                    "network",
                    "points within 1 pixel of a character",
                    "different characters among them, of 32",
                    "wrong pixels of 35 at the codes, mean",
                    "of the worst character",
                    "seeds",
                ),
                rows=[
                    (
                        label,
                        readable[label],
                        spread(values(own, "distinct")),
                        spread(values(own, "wrong_mean")),
                        spread(values(own, "wrong_max")),
                        len(own),
                    )
                    for label, own in (named | better).items()
                ],
                note="The grid is even over -1..1 (online), even over the range of the codes "
                "(plain), and at the quantiles of a normal (variational).",
            ),
        ],
        pictures=_pictures(named, better, readable),
    )


def verdict(errors: dict[str, Spread], agreements: dict[str, Spread]) -> tuple[bool | None, str]:
    """Say whether the network with the smallest error has the plane that says least."""
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
        f"A smaller error {goes} a plane that says less, by the rank correlation of code distance "
        f"and pixels that differ: {listed}, correlation at error, means and standard deviations "
        "over seeds."
    )


def _pictures(
    named: dict[str, list[Record]], better: dict[str, list[Record]], readable: dict[str, Spread]
) -> list[Picture]:
    _, names = characters()
    with new(len(named), width=12.0, height=4.6) as (figure, all_axes):
        for axes, (label, own) in zip(np.atleast_1d(all_axes), named.items(), strict=True):
            shown = next((record for record in own if "codes" in record), None)
            if shown is not None:
                latent_scatter(axes, np.array(shown["codes"]), names)
                axes.set_title(f"{label}\nerror {shown['error']:.3f}")
    codes = Picture(
        name="codes",
        caption="Codes of the 32 characters in the three networks, at the first seed.",
        figure=figure,
    )
    with new() as (figure, axes):
        for i, (label, own) in enumerate(named.items()):
            x, y = values(own, "error"), values(own, "agreement")
            axes.plot(x, y, MARKS[i], color=COLOURS[i], markersize=5, label=label)
        axes.set_xlabel("mean squared error per pixel, -1/+1 coding")
        axes.set_ylabel("rank correlation of code distance\nand pixels that differ")
        axes.legend(fontsize=9)
    against = Picture(
        name="agreement",
        caption="What the plane says against the error, a mark a seed.",
        figure=figure,
    )
    counts = compare(readable, unit=f"points of {SIDE * SIDE} within 1 pixel of a character")
    read = Picture(
        name="readable",
        caption="How much of the latent plane decodes to characters.",
        figure=counts,
    )
    return [codes, against, read, *_planes(better)]


def _planes(better: dict[str, list[Record]]) -> list[Picture]:
    found = []
    for label, own in better.items():
        shown: Sequence[Record] = [record for record in own if "plane" in record]
        if shown:
            images = np.array(shown[0]["plane"]).reshape(-1, 7, 5)
            with new(width=7.2, height=9.0) as (figure, axes):
                plane(axes, images, shown[0]["x"], shown[0]["y"], low=-1, high=1, gap=1)
                axes.set_title(label, loc="left")
            name = "plane-" + "-".join(re.findall(r"\w+", label))
            caption = f"The decoded plane of the {label} network (seed 0)."
            found.append(Picture(name=name, caption=caption, figure=figure))
    return found


def _label(kind: str, options: str, hidden: Sequence[int]) -> str:
    if kind == "variational":
        kind += f" (beta {json.loads(options)['beta']:g})"
    return f"{kind} {network_name(hidden)}"


LAB = Lab(
    name="font-latent",
    title="The latent plane of the 7x5 characters",
    claim="Scattered in the plane of their two latents, the characters of three networks show that "
    "a lower error goes with a latent plane that says less.",
    source=DECK,
    protocol={
        **ONLINE_TOLD,
        "epochs": "1000; 4000 of the better ones",
        "seeds": "30 a network; 10 of the better ones",
        "better": f"plain and variational: {ADAM_TOLD.replace('0.01', '0.003')}; the KL is warmed "
        "up over 30 % of the epochs",
    },
    trials=trials,
    run=run,
    show=show,
)
