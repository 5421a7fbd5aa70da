"""Momentum helps gradient descent."""

from __future__ import annotations

import numpy as np

from cuello.study.summary import Spread, group, spread, values
from cuello.study.trials import Ran, Record, Trial, over
from cuello_labs._bands import Curve, bands
from cuello_labs._curves import best_rates, clearly_below, curve, fit_curves, panels
from cuello_labs.base import Findings, Lab, Picture, Table

PLAIN, TYPICAL = 0.0, 0.9
MOMENTA = (PLAIN, 0.5, TYPICAL, 0.99)
RATES = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3)

BASE = {
    "kind": "plain",
    "linear_skip": False,
    "latent_dim": 8,
    "activation": "relu",
    "loss": "mse",
    "reduction": "sum",
    "optimizer": "sgd",
    "schedule": "constant",
    "batch_size": 20,
    "scaling": "none",
}
"""Options that all networks share."""


def trials(quick: bool) -> list[Trial]:
    """Return every momentum at every learning rate, 5 seeds each; 3 of few where quick."""
    momenta, rates = ((PLAIN, TYPICAL), (0.01, 0.03, 0.1, 0.3)) if quick else (MOMENTA, RATES)
    settings = [{"momentum": m, "learning_rate": rate} for m in momenta for rate in rates]
    if quick:
        small = {"set": "digits", "train_size": 500, "held_out": 200, "hidden": [32], "epochs": 10}
        return over(3, settings, **small)
    full = {"set": "mnist", "train_size": 1000, "held_out": 1000, "hidden": [64, 32], "epochs": 40}
    return over(5, settings, **full)


def run(missing: list[Trial]) -> Ran:
    """Train them."""
    yield from fit_curves(missing, BASE)


def show(records: list[Record]) -> Findings:
    """Compare momenta at the same rate, and each at the rate at which it trains best."""
    best = {key[0]: chosen for key, chosen in best_rates(records, "momentum").items()}
    ends = {m: spread(values(subset, "held_out_end")) for m, (_, subset) in best.items()}
    same = same_rate(records)
    holds = clearly_below(ends[TYPICAL], ends[PLAIN])
    judged = {
        True: "helps",
        False: "does not help",
        None: "makes no difference that stands out from the seeds",
    }
    better = sum(clearly_below(*reversed(pair)) is True for pair in same.values())
    return Findings(
        holds=holds,
        verdict=f"With each at its best learning rate, momentum {TYPICAL} {judged[holds]}: "
        f"held-out loss {ends[TYPICAL]} (rate {best[TYPICAL][0]:g}) against {ends[PLAIN]} without "
        f"(rate {best[PLAIN][0]:g}), means and standard deviations over {ends[TYPICAL].count} "
        f"seeds; at the same rate it is clearly better at {better} of {len(same)} rates.",
        tables=[
            Table(
                title="Each momentum at the learning rate at which it trains best",
                columns=(
                    "momentum",
                    "best rate",
                    "effective rate",
                    "training loss",
                    "held-out loss",
                    "seeds",
                    "diverged, all rates",
                ),
                rows=_kept_rows(records),
                note="Squared errors summed over the pixels of an image, after the last epoch. The "
                "best rate has the lowest mean training loss. The effective rate, rate / (1 - "
                "momentum), is the step that a steady gradient makes, in multiples of it.",
            ),
            Table(
                title="At the same learning rate",
                columns=("learning rate", "without momentum", f"momentum {TYPICAL}"),
                rows=[(f"{rate:g}", *pair) for rate, pair in same.items()],
                note="Held-out loss after the last epoch; a dash where every training diverged.",
            ),
        ],
        pictures=_pictures(records, best),
    )


def same_rate(records: list[Record]) -> dict[float, tuple[Spread, Spread]]:
    """Return, by learning rate, the held-out loss without momentum and with momentum 0.9."""
    by = group(records, "learning_rate", "momentum")
    rates = sorted({rate for rate, _ in by})
    return {
        rate: (
            spread(values(by[rate, PLAIN], "held_out_end")),
            spread(values(by[rate, TYPICAL], "held_out_end")),
        )
        for rate in rates
    }


def _kept_rows(records: list[Record]) -> list[tuple[object, ...]]:
    rows: list[tuple[object, ...]] = []
    everywhere = group(records, "momentum")
    for (momentum,), (rate, subset) in best_rates(records, "momentum").items():
        tried = everywhere[(momentum,)]
        rows.append(
            (
                f"{momentum:g}",
                f"{rate:g}",
                f"{rate / (1 - momentum):.2g}",
                spread(values(subset, "train_end")),
                spread(values(subset, "held_out_end")),
                len(subset),
                f"{sum(record['diverged'] for record in tried)} of {len(tried)}",
            )
        )
    return rows


def _pictures(
    records: list[Record], best: dict[float, tuple[float, list[Record]]]
) -> list[Picture]:
    rate = best[TYPICAL][0]
    at_rate = group(records, "momentum", "learning_rate")
    own_rate = {_name(m): curve(subset, "held_out") for m, (_, subset) in best.items()}
    one_rate = {_name(m): curve(at_rate[m, rate], "held_out") for m in best}
    valley = {}
    for momentum in best:
        at = {r: subset for (m, r), subset in at_rate.items() if m == momentum}
        ends = np.array([values(subset, "held_out_end") for subset in at.values()]).T
        valley[_name(momentum)] = Curve(list(at), ends)
    unit = "held-out squared error per image"
    return [
        Picture(
            name="curves",
            caption="Held-out loss by epoch: on the left each momentum at its best rate, on "
            f"the right all at the best rate of momentum {TYPICAL}. Bands are one standard "
            "deviation over seeds.",
            figure=panels(
                {"each at its best rate": own_rate, f"all at rate {rate:g}": one_rate},
                x="epoch",
                y=unit,
                log_y=True,
            ),
        ),
        Picture(
            name="rates",
            caption="Held-out loss after the last epoch against the learning rate: a lower minimum "
            "means that momentum helps, a shifted one that it acts as a larger "
            "rate. Trainings that diverged are left out.",
            figure=bands(valley, x="learning rate", y=unit, log_x=True, log_y=True),
        ),
    ]


def _name(momentum: float) -> str:
    return f"momentum {momentum:g}" if momentum else "no momentum"


LAB = Lab(
    name="momentum",
    title="Momentum and gradient descent",
    claim="Momentum helps training: the step is the gradient plus a share of the step before.",
    source="autoencoder lectures",
    protocol={
        "data": "MNIST, the first 1,000 training images and the first 1,000 test images",
        "network": "784-64-32-8-32-64-784, ReLU, sigmoid output",
        "training": "gradient descent on the squared error summed over pixels, batches of 20, "
        "constant rate, 40 epochs",
        "momentum": "0, 0.5, 0.9, 0.99, each at six learning rates from 0.001 to 0.3",
        "choice": "the rate with the lowest mean training loss; held-out images choose nothing",
        "seeds": "5 a setting",
        "data of the quick run": "500 of the 8x8 digits",
    },
    trials=trials,
    run=run,
    show=show,
    data=("mnist",),
)
