"""Half the network has half the capacity: dropout against narrower layers."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from cuello.estimators.many import fit_many
from cuello.study.summary import Spread, group, spread, values
from cuello.study.trials import Ran, Record, Trial, over
from cuello_labs._bands import Curve
from cuello_labs._curves import by_data, clearly_below, decide, estimator, panels, rounded
from cuello_labs.base import Findings, Lab, Picture, Table

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Array = npt.NDArray[Any]

HALF = 0.5
RATES = (0.0, 0.1, 0.25, HALF, 0.75)
WIDTHS = (16, 32, 64, 128, 256)

BASE = {
    "kind": "plain",
    "linear_skip": False,
    "latent_dim": 8,
    "activation": "relu",
    "loss": "mse",
    "reduction": "sum",
    "optimizer": "adam",
    "learning_rate": 0.002,
    "schedule": "cosine",
    "batch_size": 50,
    "scaling": "none",
    "validation_fraction": 0.0,
}
"""Options that all networks share."""

NEAR_HALF = (2**-1.5, 2**-0.5)
"""Shares of the width that are nearer to a half than to a quarter or to the whole."""


def trials(quick: bool) -> list[Trial]:
    """Return every width at every dropout rate, 5 seeds each."""
    rates, widths = ((0.0, HALF), (8, 16, 32)) if quick else (RATES, WIDTHS)
    settings = [{"hidden": [width], "dropout": rate} for width in widths for rate in rates]
    if quick:
        small = {"set": "digits", "train_size": 300, "held_out": 300}
        return over(3, settings, **small, epochs=40, learning_rate=0.01)
    return over(5, settings, set="mnist", train_size=500, held_out=2000, epochs=100)


def run(missing: list[Trial]) -> Ran:
    """Train them; errors are of the whole network, nothing dropped."""
    for X, held_out, subset in by_data(missing):
        models = [estimator(trial, BASE) for trial in subset]
        for index, error in fit_many(models, X):
            ends = [_error(models[index].reconstruct(x), x) for x in (X, held_out)]
            train, test = (None, None) if error is not None else rounded(ends)
            yield subset[index], {"train_end": train, "held_out_end": test}


def show(records: list[Record]) -> Findings:
    """Find the width that, without dropout, leaves the same training error."""
    by = {
        (width, rate): subset
        for ((width,), rate), subset in group(records, "hidden", "dropout").items()
    }
    widths, rates = ([*dict.fromkeys(key[i] for key in by)] for i in (0, 1))
    whole = [spread(values(by[width, 0.0], "train_end")).mean for width in widths]
    test = {key: spread(values(subset, "held_out_end")) for key, subset in by.items()}
    shares = {
        (width, rate): spread(
            equal_width(widths, whole, error) / width for error in values(subset, "train_end")
        )
        for (width, rate), subset in by.items()
        if rate > 0 and width >= 4 * widths[0]
    }
    half = {width: share for (width, rate), share in shares.items() if rate == HALF}
    holds = decide(near_half(share) for share in half.values())
    rows: list[tuple[object, ...]] = [
        (
            width,
            f"{rate:g}",
            spread(values(subset, "train_end")),
            test[width, rate],
            shares.get((width, rate)),
            f"{1 - rate:g}" if rate else None,
            len(subset),
        )
        for (width, rate), subset in by.items()
    ]
    return Findings(
        holds=holds,
        verdict=_verdict(holds, half, test),
        tables=[
            Table(
                title="Error by width and dropout rate",
                columns=(
                    "hidden units",
                    "dropout rate",
                    "training error",
                    "held-out error",
                    "equal share of the width",
                    "share kept",
                    "seeds",
                ),
                rows=rows,
                note="Squared errors summed over the pixels of an image, of the whole network "
                "after training. Equal share: the layer without dropout that leaves the same "
                "training error, interpolated between the widths that were tried (straight lines "
                "in logarithms), as a share of the layer's width; for layers at least four times "
                f"as wide as the narrowest, {widths[0]} units, below which there is none.",
            )
        ],
        pictures=[
            Picture(
                name="rates",
                caption="Error of the whole network against the dropout rate, by width of the "
                "hidden layers. Bands are one standard deviation over seeds.",
                figure=_figure(by, widths, rates, along="rates"),
            ),
            Picture(
                name="widths",
                caption="Error against the width of the hidden layers, by dropout rate: if dropout "
                f"at rate {HALF} halved the capacity, its curve for training would be that of rate "
                "0, moved to the right by a factor of two.",
                figure=_figure(by, widths, rates, along="widths"),
            ),
        ],
    )


def equal_width(widths: Sequence[float], errors: Sequence[float], error: float) -> float:
    """Return the width that leaves an error, between widths (ascending) that leave these errors.

    Straight lines in logarithms; an error that does not fall with the width counts as the least so
    far. Errors beyond the ends count as those at the ends.

    Examples
    --------
    >>> equal_width([10, 20, 40], [8.0, 4.0, 2.0], 4.0)
    20.0
    >>> equal_width([10, 20], [8.0, 4.0], 9.0)
    10.0
    """
    falling = np.minimum.accumulate(np.asarray(errors, dtype=np.float64))
    # interp wants ascending abscissae: the errors from the widest layer to the narrowest.
    where = np.interp(math.log(error), np.log(falling[::-1]), np.log(widths)[::-1])
    return round(float(np.exp(where)), 6)


def near_half(share: Spread) -> bool | None:
    """Return whether a share is nearer to a half than to a quarter or to one; None if unsure.

    Examples
    --------
    >>> [near_half(spread(shares)) for shares in ([0.5, 0.52], [0.1, 0.11], [0.2, 0.6])]
    [True, False, None]
    """
    low, high = share.mean - 2 * share.standard_error, share.mean + 2 * share.standard_error
    if high < NEAR_HALF[0] or low > NEAR_HALF[1]:
        return False
    return True if NEAR_HALF[0] <= low and high <= NEAR_HALF[1] else None


def _verdict(
    holds: bool | None, half: Mapping[int, Spread], test: Mapping[tuple[int, float], Spread]
) -> str:
    less = all(share.mean < HALF for share in half.values())
    more = "less than half" if less else "another share than half"
    share_of_width = {True: "about half", False: more, None: "a share not clearly near half"}[holds]
    listed = ", ".join(f"{share} of {width}" for width, share in half.items())
    widest = max(half)
    with_it, without = test[widest, HALF], test[widest, 0.0]
    better = clearly_below(with_it, without)
    held_out = {True: "lower", False: "higher", None: "not clearly different"}[better]
    return (
        f"By its training error, a layer with dropout {HALF} is worth {share_of_width} of its "
        f"width: {listed} units, means and standard deviations over {half[widest].count} seeds; "
        f"with {widest} units the held-out error is {held_out} with dropout ({with_it} against "
        f"{without})."
    )


def _figure(
    by: Mapping[tuple[int, float], list[Record]],
    widths: Sequence[int],
    rates: Sequence[float],
    *,
    along: str,
) -> Figure:
    drawn: dict[str, dict[str, Curve]] = {}
    for title, name in (("training", "train_end"), ("held out", "held_out_end")):
        ends = {key: values(subset, name) for key, subset in by.items()}
        if along == "rates":
            drawn[title] = {
                f"{w} units": Curve(rates, np.array([ends[w, r] for r in rates]).T) for w in widths
            }
        else:
            drawn[title] = {
                f"dropout {r:g}": Curve(widths, np.array([ends[w, r] for w in widths]).T)
                for r in rates
            }
    x = "dropout rate" if along == "rates" else "hidden units"
    return panels(drawn, x=x, y="squared error per image", log_x=along == "widths", log_y=True)


def _error(X: Array, output: Array) -> float:
    return float(np.mean(np.sum((X - output) ** 2, axis=1)))


LAB = Lab(
    name="dropout",
    title="Dropout and capacity",
    claim="With dropout only a part of the network works in each step: half the network has half "
    "the capacity.",
    source="autoencoder lectures",
    protocol={
        "data": "MNIST, the first 500 training images, few enough to overfit, and the first 2,000 "
        "test images",
        "network": "one hidden layer of 16 to 256 ReLU units on each side of 8 latents; dropout "
        "after the hidden layers, not after the latents",
        "training": "Adam, rate 0.002 falling to 0 by a cosine, squared error summed over pixels, "
        "batches of 50, 100 epochs",
        "dropout": "0, 0.1, 0.25, 0.5, 0.75; errors are of the whole network, nothing dropped",
        "capacity": "the width that leaves the same training error without dropout",
        "seeds": "5 a setting",
        "data of the quick run": "300 of the 8x8 digits",
    },
    trials=trials,
    run=run,
    show=show,
    data=("mnist",),
)
