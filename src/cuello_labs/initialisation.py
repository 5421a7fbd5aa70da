"""Initial weights that fit the layers' widths help training."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cuello.study.summary import Spread, spread, values
from cuello.study.trials import Ran, Record, Trial, over
from cuello_labs._curves import best_rates, clearly_below, curve, decide, fit_curves, panels
from cuello_labs.base import Findings, Lab, Picture, Table

WITHOUT = "uniform"
INITIALIZERS = {
    WITHOUT: "U(-1, 1), whatever the width",
    "default": "PyTorch's own",
    "xavier_uniform": "Xavier",
    "he_uniform": "He",
    "orthogonal": "orthogonal",
}
"""By their names as options: what they are called here."""

RATES = (0.0003, 0.001, 0.003)
EXPECTED = {"tanh": "xavier_uniform", "relu": "he_uniform"}
"""Which one is recommended for an activation."""

BASE = {
    "kind": "plain",
    "latent_dim": 8,
    "loss": "mse",
    "reduction": "sum",
    "optimizer": "adam",
    "schedule": "constant",
    "batch_size": 50,
    "scaling": "none",
}
"""What all networks share."""

Setting = tuple[str, tuple[int, ...]]
"""Activation, and widths of the hidden layers between input and code."""


def trials(quick: bool) -> list[Trial]:
    """Return every initializer, activation and depth at every rate, 5 seeds each."""
    activations: Sequence[str] = ("relu",) if quick else tuple(EXPECTED)
    depths, width = ((1, 4), 32 if quick else 64)
    rates: Sequence[float] = (0.003,) if quick else RATES
    settings = [
        {"activation": a, "hidden": [width] * d, "initializer": i, "learning_rate": rate}
        for a in activations
        for d in depths
        for i in INITIALIZERS
        for rate in rates
    ]
    if quick:
        return over(3, settings, set="digits", rows=400, held_out=200, epochs=10)
    return over(5, settings, set="mnist", rows=1000, held_out=1000, epochs=30)


def run(missing: list[Trial]) -> Ran:
    """Train them."""
    yield from fit_curves(missing, BASE)


def show(records: list[Record]) -> Findings:
    """Compare initial weights, each at the rate at which it trains best."""
    best = best_rates(records, "activation", "hidden", "initializer")
    ends = {key: spread(values(own, "held_out_end")) for key, (_, own) in best.items()}
    settings: list[Setting] = list(dict.fromkeys(key[:2] for key in best))
    better = {s: clearly_below(ends[(*s, EXPECTED[s[0]])], ends[(*s, WITHOUT)]) for s in settings}
    rows: list[tuple[object, ...]] = [
        (
            INITIALIZERS[name] + (" *" if name == EXPECTED[activation] else ""),
            activation,
            len(hidden),
            f"{rate:g}",
            spread(record["train"][0] if record["train"] else None for record in own),
            spread(values(own, "train_end")),
            ends[activation, hidden, name],
            len(own),
        )
        for (activation, hidden, name), (rate, own) in best.items()
    ]
    curves = {
        _name(setting): {
            INITIALIZERS[name]: curve(best[(*setting, name)][1], "held_out")
            for name in INITIALIZERS
        }
        for setting in settings
    }
    return Findings(
        holds=decide(better.values()),
        verdict=_verdict(better, ends),
        tables=[
            Table(
                title="Each at the learning rate at which it trains best",
                columns=(
                    "initial weights",
                    "activation",
                    "hidden layers each side",
                    "best rate",
                    "training loss, first epoch",
                    "training loss, last epoch",
                    "held-out loss, last epoch",
                    "seeds",
                ),
                rows=rows,
                note="Squared errors summed over the pixels of an image. The best rate has the "
                "lowest mean training loss. * is recommended for the activation.",
            )
        ],
        pictures=[
            Picture(
                name="curves",
                caption="Held-out loss by epoch, each at its best learning rate, by activation and "
                "depth. Bands are one standard deviation over seeds.",
                figure=panels(curves, x="epoch", y="held-out squared error per image", log_y=True),
            ),
        ],
    )


def _verdict(better: dict[Setting, bool | None], ends: dict[Any, Spread]) -> str:
    helped = sum(own is True for own in better.values())
    listed = "; ".join(
        f"{_name(s)}: {ends[(*s, EXPECTED[s[0]])]} against {ends[(*s, WITHOUT)]}" for s in better
    )
    count = min(own.count + own.left_out for own in ends.values())
    return (
        "Weights that fit the width of a layer (Xavier for tanh, He for ReLU) train clearly better "
        f"than U(-1, 1) in {helped} of {len(better)} settings; held-out loss, means and standard "
        f"deviations over {count} seeds: {listed}."
    )


def _name(setting: Setting) -> str:
    activation, hidden = setting
    layers = "1 hidden layer" if len(hidden) == 1 else f"{len(hidden)} hidden layers"
    return f"{_SHOWN[activation]}, {layers} each side"


_SHOWN = {"relu": "ReLU", "tanh": "tanh"}

LAB = Lab(
    name="initialisation",
    title="Initial weights",
    claim="Well-chosen initial weights help training.",
    source="autoencoder lectures",
    protocol={
        "data": "MNIST, the first 1,000 training images and the first 1,000 test images",
        "network": "1 and 4 hidden layers of 64 on each side of a code of 8; ReLU and tanh",
        "training": "Adam on the squared error summed over pixels, batches of 50, constant rate, "
        "30 epochs",
        "initial weights": "U(-1, 1) for weights and biases, which is the way without; PyTorch's "
        "own, U(-1, 1) divided by the root of the inputs; Xavier uniform, He uniform, orthogonal, "
        "with biases of 0",
        "choice": "of 0.0003, 0.001 and 0.003 the rate with the lowest mean training loss, for "
        "each by itself; held-out images choose nothing",
        "seeds": "5 a setting",
        "data of the quick run": "400 of the 8x8 digits, ReLU alone, one rate",
    },
    trials=trials,
    run=run,
    show=show,
    data=("mnist",),
)
