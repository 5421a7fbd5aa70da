"""Which learning rate leaves the smallest error on the 7x5 characters."""

from __future__ import annotations

import numpy as np

from cuello.study.summary import Spread, group, spread, values
from cuello.study.trials import Ran, Record, Trial, over
from cuello_labs._bands import Curve, bands
from cuello_labs._comparison import compare
from cuello_labs._font import (
    DECK,
    ONLINE_TEXT,
    characters,
    errors_and_curve,
    fit_trials,
    network_name,
    rate_of,
)
from cuello_labs.base import Findings, Lab, Picture, Table

# Eta -> published standard deviation of the error over 100 runs.
PUBLISHED = {0.05: 0.21, 0.005: 0.14, 0.0005: 0.12, 0.00005: 0.28}
BEST = 0.0005
HIDDEN = (20,)


def trials(quick: bool) -> list[Trial]:
    """Return 100 seeds of each rate over 10,000 epochs; 4 over 40 where it must be quick."""
    settings = [{"learning_rate": rate_of(eta)} for eta in PUBLISHED]
    return over(4 if quick else 100, settings, hidden=list(HIDDEN), epochs=40 if quick else 10_000)


def run(missing: list[Trial]) -> Ran:
    """Train on all 32 characters."""
    X, _ = characters()
    yield from fit_trials(missing, X, errors_and_curve(X, 40))


def show(records: list[Record]) -> Findings:
    """Compare means and standard deviations of the rates."""
    rows, errors, curves = [], {}, {}
    etas = {rate_of(eta): eta for eta in PUBLISHED}
    for (rate,), subset in group(records, "learning_rate").items():
        eta = etas[rate]
        error = spread(values(subset, "error"))
        low, high = sd_interval(error)
        errors[eta] = error
        finished = [record for record in subset if not record["diverged"]]
        if finished:
            runs = np.array([record["errors"] for record in finished])
            curves[_label(eta)] = Curve(finished[0]["epochs"], runs)
        rows.append(
            (
                _plain(eta),
                PUBLISHED[eta],
                round(error.sd, 3),
                f"{low:.3f} to {high:.3f}",
                error,
                error.count,
                spread(values(subset, "wrong_mean")),
                spread(values(subset, "wrong_max")),
            )
        )
    holds, text = verdict(errors)
    return Findings(
        holds=holds,
        verdict=text,
        tables=[
            Table(
                title=f"Error of {network_name(HIDDEN)} after training",
                columns=(
                    "eta",
                    "published sd of the error",
                    "our sd",
                    "95 % interval of our sd",
                    "our error",
                    "seeds",
                    "wrong pixels of 35, mean",
                    "of the worst character",
                ),
                rows=rows,
                note="The interval of the standard deviation takes the errors as normal.",
            )
        ],
        pictures=[
            Picture(
                name="errors",
                caption="Error after training by learning rate.",
                figure=compare(
                    {_label(eta): error for eta, error in errors.items()},
                    unit="mean squared error per pixel, values -1/+1",
                ),
            ),
            Picture(
                name="curves",
                caption="Error while training, mean and one standard deviation over seeds.",
                figure=bands(
                    curves, x="epoch", y="mean squared error per pixel, values -1/+1", log_x=True
                ),
            ),
        ],
    )


def verdict(errors: dict[float, Spread]) -> tuple[bool | None, str]:
    """Return whether the published rate has the smallest mean error, from the errors by eta."""
    listed = ", ".join(f"{error} ({_label(eta)})" for eta, error in errors.items())
    rival = min((eta for eta in errors if eta != BEST), key=lambda eta: errors[eta].mean)
    published, other = errors[BEST], errors[rival]
    off = other.mean - published.mean
    noise = 2 * (published.standard_error**2 + other.standard_error**2) ** 0.5
    if abs(off) <= noise:
        return None, (
            f"Whether eta {BEST} leaves the smallest mean error cannot be told: it and eta "
            f"{_plain(rival)} differ by {abs(off):.3f}, and two standard errors are {noise:.3f}; "
            f"errors are {listed}."
        )
    does = "leaves" if off > 0 else "does not leave"
    return off > 0, (
        f"Eta {BEST} {does} the smallest mean error: {listed}, means and standard deviations "
        "over seeds."
    )


def sd_interval(error: Spread) -> tuple[float, float]:
    """Return the 95 % interval of a standard deviation of normal values, by chi-squared."""
    from scipy import stats

    if error.count < 2:
        return float("nan"), float("nan")
    free = error.count - 1
    low, high = (error.sd * (free / stats.chi2.ppf(p, free)) ** 0.5 for p in (0.975, 0.025))
    return float(low), float(high)


def _label(eta: float) -> str:
    return f"eta {_plain(eta)}"


def _plain(eta: float) -> str:
    return f"{eta:.5f}".rstrip("0")


LAB = Lab(
    name="font-learning-rate",
    title="Learning rates and the 7x5 characters",
    claim="Of four learning rates, each with 100 runs of 10,000 epochs, 0.0005 leaves the smallest "
    "mean error; standard deviations of the error are 0.21 at 0.05, 0.14 at 0.005, 0.12 at 0.0005 "
    "and 0.28 at 0.00005.",
    source=DECK,
    protocol={
        **ONLINE_TEXT,
        "training": "online: one update a character, in an order shuffled once; momentum 0.8 of "
        "the last gradient alone; four "
        "etas, each on half the squared error",
        "layers": network_name(HIDDEN),
        "epochs": "10,000",
        "seeds": "100 a rate",
    },
    trials=trials,
    run=run,
    show=show,
)
