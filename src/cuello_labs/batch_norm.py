"""Batch normalisation keeps activations from dying out, and can be undone by scale and shift.

Shapes: n samples, L layers with an activation, from the input to the output.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from cuello.errors import DivergedError
from cuello.estimators import Autoencoder
from cuello.study.summary import Spread, group, spread, values
from cuello.study.trials import Ran, Record, Trial, over
from cuello.train import Callback, Epoch
from cuello_labs._activations import SILENT, activation_statistics, undo
from cuello_labs._bands import Curve
from cuello_labs._curves import by_data, clearly_below, curve, decide, estimator, panels, rounded
from cuello_labs.base import Findings, Lab, Picture, Table

Array = npt.NDArray[Any]

DYING = 0.05
"""Share of silent units after training above which activations count as dying out."""

EXACT = 1e-6
"""Largest difference, in standard deviations, that counts as none."""

SMALLEST = 1e-6
"""Standard deviations below it are drawn there."""

INITIALIZERS = {"default": "PyTorch's default", "he_uniform": "He"}
ACTIVATIONS = {"relu": "ReLU", "sigmoid": "sigmoid"}
_UNDO = {"sd": "standard deviation", "sd with epsilon": "root of variance + epsilon"}
NAMES = {False: "without", True: "batch norm"}

BASE = {
    "kind": "plain",
    "linear_skip": False,
    "latent_dim": 8,
    "loss": "mse",
    "reduction": "sum",
    "optimizer": "adam",
    "learning_rate": 0.001,
    "schedule": "constant",
    "batch_size": 100,
    "scaling": "none",
    "validation_fraction": 0.0,
    "device": "cpu",
}
"""Options that all networks share."""

Setting = tuple[str, str]
"""Activation and initializer."""


def trials(quick: bool) -> list[Trial]:
    """Return networks with and without, 5 seeds each; and the layer alone, scaled back."""
    settings = [
        {"activation": activation, "initializer": initializer, "batch_norm": norm}
        for activation in (list(ACTIVATIONS)[:1] if quick else ACTIVATIONS)
        for initializer in INITIALIZERS
        for norm in NAMES
    ]
    undone = over(5, [{"undo": name} for name in ("sd", "sd with epsilon")])
    if quick:
        small = {
            "set": "digits",
            "train_size": 400,
            "held_out": 200,
            "hidden": [32] * 5,
            "epochs": 6,
        }
        return over(2, settings, **small) + undone
    full = {"set": "mnist", "train_size": 2000, "held_out": 1000, "hidden": [64] * 8, "epochs": 20}
    return over(5, settings, **full) + undone


def run(missing: list[Trial]) -> Ran:
    """Train them one by one and look at their activations after every epoch."""
    for trial in missing:
        if "undo" in trial.options:
            yield trial, {"restored": undo(trial.options["undo"], trial.seed)}
    for X, held_out, subset in by_data(t for t in missing if "undo" not in t.options):
        for trial in subset:
            yield trial, _watch(estimator(trial, BASE), X, held_out)


def _watch(model: Autoencoder, X: Array, held_out: Array) -> dict[str, Any]:
    """Train, and return (epochs + 1) lists of L numbers each, the first before any training."""
    sds: list[list[float | None]] = []
    silent: list[float | None] = []

    def look(epoch: Epoch | None = None) -> None:
        sd, share = activation_statistics(model.module_, model.activation, held_out)
        sds.append(rounded(sd, 4))
        silent.extend(rounded([share.mean()], 4))

    model.initialize(X)
    look()
    try:
        model.fit(X, callbacks=Callback(on_epoch_end=look))
    except DivergedError:
        return {"diverged": True, "sd": sds, "silent": silent}
    error = np.sum((model.reconstruct(held_out) - held_out) ** 2, axis=1).mean()
    train = [sum(epoch.train.values()) for epoch in model.history_]
    return {
        "diverged": False,
        "sd": sds,
        "silent": silent,
        "train": rounded(train),
        "held_out_end": rounded([error])[0],
        "silent_end": silent[-1],
    }


def show(records: list[Record]) -> Findings:
    """Compare activations with and without, and check whether the layer can be undone."""
    trained = [record for record in records if "undo" not in record["options"]]
    by = group(trained, "activation", "initializer", "batch_norm")
    settings: list[Setting] = list(dict.fromkeys(key[:2] for key in by))
    silent = {key: spread(values(subset, "silent_end")) for key, subset in by.items()}
    loss = {key: spread(values(subset, "held_out_end")) for key, subset in by.items()}
    dying = [s for s in settings if silent[(*s, False)].mean > DYING]
    better = {s: clearly_below(silent[(*s, True)], silent[(*s, False)]) for s in dying}
    restored = {
        name: spread(values(subset, "restored"))
        for (name,), subset in group([r for r in records if "undo" in r["options"]], "undo").items()
    }
    exact = restored["sd with epsilon"].mean < EXACT
    return Findings(
        holds=exact and decide(better.values()) if dying else None,
        verdict=_verdict(better, silent, loss, restored),
        tables=[
            Table(
                title="Activations with and without",
                columns=(
                    "activation, initial weights",
                    "batch norm",
                    "sd, untrained",
                    "sd, trained",
                    "silent %, untrained",
                    "silent %, trained",
                    "training loss",
                    "held-out loss",
                ),
                rows=[_row(key, subset, loss[key]) for key, subset in by.items()],
                note="On held-out samples as one batch. The sd is over samples, of the input of "
                "the activation of the deepest layer, averaged over its units. A unit of any layer "
                f"is silent if its activation's sd over samples is below {SILENT}. Losses are "
                "squared errors summed over pixels; the training loss is the mean over the last "
                f"epoch. Means and standard deviations over {len(next(iter(by.values())))} seeds.",
            ),
            Table(
                title="Scale and shift undo it",
                columns=("scale gamma (shift beta = mean)", "largest difference, sds of a column"),
                rows=[
                    (_UNDO[name], f"{difference.mean:.1e}") for name, difference in restored.items()
                ],
                note="Input and output of one layer in double precision, columns with standard "
                "deviations from 0.01 to 100; mean over seeds.",
            ),
        ],
        pictures=_pictures(by, settings),
    )


def _row(key: tuple[Any, ...], subset: list[Record], loss: Spread) -> tuple[object, ...]:
    activation, initializer, norm = key
    done = [record for record in subset if not record["diverged"]]
    return (
        _name((activation, initializer)),
        bool(norm),
        spread(record["sd"][0][-1] for record in subset),
        spread(record["sd"][-1][-1] for record in done),
        spread(100 * record["silent"][0] for record in subset),
        spread(100 * record["silent"][-1] for record in done),
        spread(record["train"][-1] for record in done),
        loss,
    )


def _verdict(
    better: dict[Setting, bool | None],
    silent: dict[Any, Spread],
    loss: dict[Any, Spread],
    restored: dict[str, Spread],
) -> str:
    listed = "; ".join(
        f"{_name(s)}: {_percent(silent[(*s, True)])} against {_percent(silent[(*s, False)])} % of "
        f"units silent, held-out loss {loss[(*s, True)]} against {loss[(*s, False)]}"
        for s in better
    )
    fewer = sum(clear is True for clear in better.values())
    died = (
        f"Where activations die out without it, batch normalisation leaves clearly fewer silent "
        f"units in {fewer} of {len(better)} settings ({listed})"
        if better
        else f"In no setting do more than {100 * DYING:g} % of the units fall silent without it"
    )
    return (
        f"{died}; with gamma = sd and beta = mean the input comes back within "
        f"{restored['sd'].mean:.1e} of a column's sd, and within "
        f"{restored['sd with epsilon'].mean:.1e} once gamma counts the layer's epsilon."
    )


def _pictures(by: dict[Any, list[Record]], settings: list[Setting]) -> list[Picture]:
    depth: dict[str, dict[str, Curve]] = {}
    for setting in settings:
        for when, epoch in (("untrained", 0), ("trained", -1)):
            depth[f"{_name(setting)}, {when}"] = {
                name: _by_layer(by[(*setting, norm)], epoch) for norm, name in NAMES.items()
            }
    silent, losses = (
        {
            _name(s): {
                name: curve(_finished(by[(*s, norm)]), what, first=first)
                for norm, name in NAMES.items()
            }
            for s in settings
        }
        for what, first in (("silent", 0), ("train", 1))
    )
    bands_are = "Bands are one standard deviation over seeds."
    return [
        Picture(
            name="depth",
            caption="Standard deviation over samples of the input of each activation, from the "
            f"first layer to the last; batch normalisation starts from 1. {bands_are}",
            figure=panels(depth, x="layer, from the input", y="standard deviation", log_y=True),
        ),
        Picture(
            name="silent",
            caption="Share of units, over all layers, whose activation no longer depends on the "
            f"sample, by epoch; epoch 0 is before training. {bands_are}",
            figure=panels(silent, x="epoch", y="share of silent units", limits=(-0.03, 1.03)),
        ),
        Picture(
            name="losses",
            caption=f"Training loss by epoch, with and without. {bands_are}",
            figure=panels(losses, x="epoch", y="squared error per image", log_y=True),
        ),
    ]


def _finished(records: list[Record]) -> list[Record]:
    done = [record for record in records if not record["diverged"]]
    return done or [{"silent": [None], "train": [None]}]


def _by_layer(records: list[Record], epoch: int) -> Curve:
    runs = np.array([record["sd"][epoch] for record in records], dtype=np.float64)
    # No difference between samples at all would be 0, which a logarithmic axis lacks.
    runs[runs < SMALLEST] = SMALLEST
    return Curve(list(range(1, runs.shape[1] + 1)), runs)


def _percent(share: Spread) -> str:
    return f"{100 * share.mean:.0f} ± {100 * share.sd:.0f}"


def _name(setting: Setting) -> str:
    return f"{ACTIVATIONS[setting[0]]}, {INITIALIZERS[setting[1]]}"


LAB = Lab(
    name="batch-norm",
    title="Batch normalisation and dying activations",
    claim="Activations should not die out; batch normalisation makes them unit Gaussian, and its "
    "learned scale and shift can undo it where that is better.",
    source="autoencoder lectures",
    protocol={
        "data": "MNIST, the first 2,000 training images and the first 1,000 test images",
        "network": "8 hidden layers of 64 on each side of 8 latents; ReLU and sigmoid; batch "
        "normalisation before every activation, or none",
        "initial weights": "PyTorch's default, under which activations shrink from layer to layer, "
        "and He's, under which ReLU's do not",
        "training": "Adam, rate 0.001, squared error summed over pixels, batches of 100, 20 epochs",
        "activations": "of the test images as one batch, before training and after every epoch",
        "undoing it": "one layer, gamma set to the standard deviation and beta to the mean of a "
        "batch",
        "seeds": "5 a setting",
        "data of the quick run": "400 of the 8x8 digits, 5 hidden layers of 32, 2 seeds",
    },
    trials=trials,
    run=run,
    show=show,
    data=("mnist",),
)
