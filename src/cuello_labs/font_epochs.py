"""How the error on the 7x5 characters falls with epochs, and when it flattens."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from cuello.study.summary import Spread, group, spread
from cuello.study.trials import Ran, Record, Trial, over
from cuello_labs._bands import Curve, bands
from cuello_labs._font import (
    DECK,
    ONLINE_TEXT,
    characters,
    errors_and_curve,
    fit_trials,
    network_name,
)
from cuello_labs.base import Findings, Lab, Picture, Table

HIDDEN = ((), (20,), (20, 10))
FIRST, LAST = 1.5, 0.3
"""What was published: the error after one epoch, and after 1000."""
FLAT = 0.8
"""Share of the epochs after which it is said to fall no more."""
SMALL = 0.02
"""Share of the whole fall: less than this in the last epochs counts as flat."""

Array = npt.NDArray[np.float64]


def trials(quick: bool) -> list[Trial]:
    """Return 30 seeds of each network over 1000 epochs; 3 over 60 where it must be quick."""
    settings = [{"hidden": list(hidden)} for hidden in HIDDEN]
    return over(3, settings, epochs=60) if quick else over(30, settings, epochs=1000)


def run(missing: list[Trial]) -> Ran:
    """Train on all 32 characters, and keep the curve."""
    X, _ = characters()
    yield from fit_trials(missing, X, errors_and_curve(X, 200))


def show(records: list[Record]) -> Findings:
    """Draw the curves, and tell how much of the fall is left after 800 epochs."""
    rows, curves, left = [], {}, {}
    for (hidden,), every in group(records, "hidden").items():
        subset = [record for record in every if not record["diverged"]]
        if not subset:
            continue
        epochs, errors = subset[0]["epochs"], np.array([record["errors"] for record in subset])
        label = network_name(hidden)
        curves[label], left[label] = Curve(epochs, errors), spread(late_fall(epochs, errors))
        at = [int(np.searchsorted(epochs, share * epochs[-1])) for share in (0.1, 0.5, FLAT, 1.0)]
        rows.append((label, spread(errors[:, 0]), *(spread(errors[:, i]) for i in at), left[label]))
    last = {label: spread(curve.runs[:, -1]) for label, curve in curves.items()}
    first = {label: spread(curve.runs[:, 0]) for label, curve in curves.items()}
    epochs = next(iter(curves.values())).x if curves else [1.0]
    holds, text = verdict(first, last, left, int(epochs[-1]))
    named = [f"error after {share * epochs[-1]:,.0f} epochs" for share in (0.1, 0.5, FLAT, 1.0)]
    return Findings(
        holds=holds,
        verdict=text,
        tables=[
            Table(
                title="Error by epoch",
                columns=(
                    "network",
                    "error in epoch 1",
                    *named,
                    f"share of the whole fall after {FLAT * epochs[-1]:,.0f} epochs",
                ),
                rows=rows,
                note=f"Published, without the network's name: from about {FIRST} to about {LAST}. "
                "The error of an epoch is that of each character just before the step on it.",
            )
        ],
        pictures=[
            Picture(
                name="curves",
                caption="Error while training, mean and one standard deviation over seeds.",
                figure=bands(curves, x="epoch", y="mean squared error per pixel, values -1/+1"),
            ),
            Picture(
                name="curves-log",
                caption="The same with epochs on a logarithmic scale, to see the first ones.",
                figure=bands(
                    curves,
                    x="epoch",
                    y="mean squared error per pixel, values -1/+1",
                    log_x=True,
                ),
            ),
        ],
    )


def late_fall(epochs: list[float], errors: Array) -> list[float]:
    """Return the share of each run's whole fall that comes after 80 % of the epochs.

    ``errors`` are (runs, epochs).

    Examples
    --------
    >>> late_fall([1, 8, 10], np.array([[2.0, 1.5, 1.0]]))
    [0.5]
    """
    at = int(np.searchsorted(epochs, FLAT * epochs[-1]))
    shares: list[float] = (
        (errors[:, at] - errors[:, -1]) / (errors[:, 0] - errors[:, -1])
    ).tolist()
    return shares


def verdict(
    first: dict[str, Spread], last: dict[str, Spread], left: dict[str, Spread], epochs: int
) -> tuple[bool | None, str]:
    """Return whether the error of the deepest network falls, and flattens, as published."""
    if not last:
        return None, "Every training diverged."
    deepest = list(last)[-1]
    start, end, late = first[deepest], last[deepest], left[deepest]
    falls = end.mean + 2 * end.standard_error < start.mean
    flat = late.mean < SMALL
    listed = "; ".join(f"{k} {first[k].mean:.2f} to {last[k]}" for k in last)
    share = f"{late.mean:.1%} of the fall of {deepest} comes after {FLAT * epochs:,.0f}"
    return falls and flat, (
        f"The error {'falls' if falls else 'does not fall'} over {epochs:,} epochs ({listed}), and "
        f"{'is flat' if flat else 'is not flat'} at the end by the measure of {SMALL:.0%}: {share} "
        f"epochs (published: from about {FIRST} to about {LAST})."
    )


LAB = Lab(
    name="font-epochs",
    title="Epochs and the 7x5 characters",
    claim="Over 1000 epochs the error falls from about 1.5 to about 0.3, and flattens by 800.",
    source=DECK,
    protocol={**ONLINE_TEXT, "epochs": "1 to 1000", "seeds": "30 a network"},
    trials=trials,
    run=run,
    show=show,
)
