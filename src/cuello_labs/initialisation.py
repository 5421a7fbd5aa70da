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
    "default": "PyTorch's default",
    "xavier_uniform": "Xavier",
    "he_uniform": "He",
    "orthogonal": "orthogonal",
}
"""Labels of the initializers, by their names as options."""

RATES = (0.0003, 0.001, 0.003)
EXPECTED = {"tanh": "xavier_uniform", "relu": "he_uniform"}
"""Recommended initializer of an activation."""

BASE = {
    "kind": "plain",
    "linear_skip": False,
    "latent_dim": 8,
    "loss": "mse",
    "reduction": "sum",
    "optimizer": "adam",
    "schedule": "constant",
    "batch_size": 50,
    "scaling": "none",
}
"""Options that all networks share."""

Setting = tuple[str, tuple[int, ...]]
"""Activation, and widths of the hidden layers between input and latents."""


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
        return over(3, settings, set="digits", train_size=400, held_out=200, epochs=10)
    return over(5, settings, set="mnist", train_size=1000, held_out=1000, epochs=30)


def run(missing: list[Trial]) -> Ran:
    """Train them."""
    yield from fit_curves(missing, BASE)


def show(records: list[Record]) -> Findings:
    """Compare initial weights, each at the rate at which it trains best."""
    best = best_rates(records, "activation", "hidden", "initializer")
    ends = {key: spread(values(subset, "held_out_end")) for key, (_, subset) in best.items()}
    settings: list[Setting] = list(dict.fromkeys(key[:2] for key in best))
    better = {s: clearly_below(ends[(*s, EXPECTED[s[0]])], ends[(*s, WITHOUT)]) for s in settings}
    rows: list[tuple[object, ...]] = [
        (
            INITIALIZERS[name] + (" *" if name == EXPECTED[activation] else ""),
            activation,
            len(hidden),
            f"{rate:g}",
            spread(record["train"][0] if record["train"] else None for record in subset),
            spread(values(subset, "train_end")),
            ends[activation, hidden, name],
            len(subset),
        )
        for (activation, hidden, name), (rate, subset) in best.items()
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
    helped = sum(clear is True for clear in better.values())
    listed = "; ".join(
        f"{_name(s)}: {ends[(*s, EXPECTED[s[0]])]} against {ends[(*s, WITHOUT)]}" for s in better
    )
    count = min(loss.count + loss.left_out for loss in ends.values())
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
        "network": "1 and 4 hidden layers of 64 on each side of 8 latents; ReLU and tanh",
        "training": "Adam on the squared error summed over pixels, batches of 50, constant rate, "
        "30 epochs",
        "initial weights": "U(-1, 1) for weights and biases, the baseline; PyTorch's "
        "default, U(-1, 1) divided by the root of the inputs; Xavier uniform, He uniform, "
        "orthogonal, with biases of 0",
        "choice": "of 0.0003, 0.001 and 0.003 the rate with the lowest mean training loss, for "
        "each; held-out images choose nothing",
        "seeds": "5 a setting",
        "data of the quick run": "400 of the 8x8 digits, ReLU alone, one rate",
    },
    trials=trials,
    run=run,
    show=show,
    data=("mnist",),
)
