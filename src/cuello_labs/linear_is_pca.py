"""An autoencoder without non-linearities is PCA."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from cuello.data.scaling import Scaling
from cuello.estimators import Autoencoder
from cuello.estimators.many import fit_many
from cuello.kinds.variational import Variational
from cuello.study.summary import group, spread, values
from cuello.study.trials import Ran, Record, Trial, over
from cuello_labs._bands import Curve, bands
from cuello_labs._comparison import compare
from cuello_labs._curves import by_data, curve, estimator, rounded
from cuello_labs._linear import (
    Principal,
    axis_angles,
    cosine_grid,
    cosines,
    gaussian_log_likelihood,
    subspace_angle,
)
from cuello_labs.base import Findings, Lab, Picture, Table

Array = npt.NDArray[Any]

PLAIN, PENALISED, VARIATIONAL = "linear", "linear, L2 penalty", "linear variational"
KINDS = {PLAIN: "plain", PENALISED: "plain", VARIATIONAL: "variational"}

_LONGER = {VARIATIONAL: 3}

PENALTY = 0.1
"""L2 penalty, as a share of the smallest eigenvalue that is kept."""

BASE = {
    "hidden": (),
    "loss": "mse",
    "reduction": "sum",
    "output_activation": "identity",
    "optimizer": "adam",
    "schedule": "cosine",
    "batch_size": 100,
    "learning_rate": 0.01,
    "scaling": "none",
    "validation_fraction": 0.0,
}
"""Options that all networks share: one linear layer to encode, one to decode."""

# Below so many % above PCA's loss, and degrees from its subspace, it counts as PCA.
SAME_LOSS, SAME_ANGLE = 1.0, 5.0
EVERY = 5  # epochs between the points of a curve


def trials(quick: bool) -> list[Trial]:
    """Return the three models on every set, 5 seeds each."""
    sets = {
        "wine": {"train_size": 178, "latent_dim": 3, "epochs": 200 if quick else 600},
        "digits": {"train_size": 1797, "latent_dim": 10, "epochs": 200},
        "mnist": {"train_size": 2000, "latent_dim": 6, "epochs": 200},
    }
    settings = [
        # Its noisy gradient needs longer.
        {"set": name, **size, "model": model, "epochs": size["epochs"] * _LONGER.get(model, 1)}
        for name, size in (list(sets.items())[:1] if quick else sets.items())
        for model in KINDS
    ]
    return over(3 if quick else 5, settings, held_out=0)


def run(missing: list[Trial]) -> Ran:
    """Train on centred samples (tables: standardised), and compare with the closed forms."""
    for raw, _, subset in by_data(missing):
        images = subset[0].options["set"] in ("digits", "mnist")
        X = raw - raw.mean(0) if images else Scaling.fit(raw, "standard").apply(raw)
        pca = Principal.of(X, subset[0].options["latent_dim"])
        penalty = PENALTY * float(pca.eigenvalues[pca.axes.shape[1] - 1])
        models = [_model(trial, penalty) for trial in subset]
        for index, error in fit_many(models, X):
            if error is None:
                yield subset[index], measure(subset[index], models[index], X, pca, penalty)
            else:
                yield subset[index], {"diverged": True}


def _model(trial: Trial, penalty: float) -> Autoencoder:
    options = {k: v for k, v in trial.options.items() if k != "model"}
    name = trial.options["model"]
    # The optimizer adds decay * weight to the gradient: that of decay / 2 * weight².
    decay = 2.0 * penalty if name == PENALISED else 0.0
    base = {**BASE, "kind": KINDS[name], "weight_decay": decay}
    return estimator(Trial(options, trial.seed), base)


@torch.no_grad()
def measure(
    trial: Trial, model: Autoencoder, X: Array, pca: Principal, penalty: float
) -> dict[str, Any]:
    """Compare a trained model with the optimum in closed form."""
    encode, decode = (
        next(layer for layer in half.modules() if isinstance(layer, nn.Linear))
        for half in (model.module_.encoder, model.module_.decoder)
    )
    weight, bias = decode.weight.numpy(), decode.bias.numpy()
    left, scales, _ = np.linalg.svd(weight.astype(np.float64), full_matrices=False)
    squares = float(np.mean(np.sum((model.reconstruct(X) - X) ** 2, axis=1)))
    result: dict[str, Any] = {
        "diverged": False,
        "loss": squares,
        "best_loss": pca.discarded,
        "angle": subspace_angle(weight, pca.axes),
        "axes": axis_angles(left, pca.axes),
        "columns": axis_angles(weight, pca.axes),
    }
    name = trial.options["model"]
    if trial.seed == 0:
        shown = left if name == PENALISED else weight
        result["cosines"] = [rounded(line, 3) for line in cosines(shown, pca.axes)]
    if name == PLAIN:
        result["excess"] = 100 * (squares / pca.discarded - 1)
        losses = [sum(epoch.train.values()) for epoch in model.history_[::EVERY]]
        result["curve"] = rounded(100 * (loss / pca.discarded - 1) for loss in losses)
    elif name == PENALISED:
        total = squares + penalty * float((encode.weight**2).sum() + (decode.weight**2).sum())
        result["excess"] = 100 * (total / pca.penalised(penalty) - 1)
        result["shrunk"] = float(np.abs(scales - pca.shrunk(penalty)).max())
        there = encode.weight.T.numpy()
        result["transposed"] = float(np.linalg.norm(there - weight) / np.linalg.norm(weight))
    else:
        assert isinstance(model.module_, Variational)
        noise = float(model.module_.likelihood.log_variance.exp())
        result["noise"] = noise / pca.noise
        result["gap"] = pca.log_likelihood - gaussian_log_likelihood(X, weight, bias, noise)
        bound = [-sum(epoch.train.values()) for epoch in model.history_[-20:]]
        result["bound_gap"] = pca.log_likelihood - float(np.mean(bound))
    return result


def show(records: list[Record]) -> Findings:
    """Compare with PCA, with the penalised optimum, and with probabilistic PCA."""
    by = group([record for record in records if not record["diverged"]], "model", "set")
    excess = {s: spread(values(runs, "excess")) for (m, s), runs in by.items() if m == PLAIN}
    angle = {s: spread(values(runs, "angle")) for (m, s), runs in by.items() if m == PLAIN}
    holds = bool(excess) and all(
        percent.mean + 2 * percent.standard_error < SAME_LOSS and angle[name].mean < SAME_ANGLE
        for name, percent in excess.items()
    )
    verb = "is PCA" if holds else "is not PCA in all sets"
    listed = "; ".join(
        f"{name}: loss {percent} % above PCA's, largest angle {angle[name]} degrees"
        for name, percent in excess.items()
    )
    axes = {
        model: ", ".join(
            f"{spread(values(runs, 'axes'))} ({s})" for (m, s), runs in by.items() if m == model
        )
        for model in KINDS
    }
    return Findings(
        holds=holds,
        verdict=f"Without non-linearities an autoencoder {verb} ({listed}), its axes apart: their "
        f"mean angle to PCA's is, in degrees, {axes[PLAIN]}; with an L2 penalty {axes[PENALISED]}; "
        f"in the variational one {axes[VARIATIONAL]}; means and standard deviations over seeds.",
        tables=_tables(by),
        pictures=_pictures(by),
    )


def _tables(by: dict[Any, list[Record]]) -> list[Table]:
    def rows(model: str, *names: str) -> list[tuple[object, ...]]:
        return [
            (name, len(runs), *(spread(values(runs, key)) for key in names))
            for (m, name), runs in by.items()
            if m == model
        ]

    directions = ("subspace, degrees", "axes, degrees", "columns, degrees")
    measured = ("angle", "axes", "columns")
    return [
        Table(
            title="Linear autoencoder and PCA",
            columns=(
                "set",
                "seeds",
                "sum of discarded eigenvalues",
                "loss",
                "above, %",
                *directions,
            ),
            rows=rows(PLAIN, "best_loss", "loss", "excess", *measured),
            note="Squared error a sample. Subspace: the largest angle between the spans of the "
            "decoder's columns and of PCA's first axes. Axes: the mean angle between PCA's axes "
            "and the decoder's left singular vectors; columns: the same for the decoder's columns.",
        ),
        Table(
            title="With an L2 penalty on the weights",
            columns=(
                "set",
                "seeds",
                "above the optimum, %",
                "singular values, largest difference",
                "encoder against decoder transposed",
                *directions,
            ),
            rows=rows(PENALISED, "excess", "shrunk", "transposed", *measured),
            note="The optimum in closed form: the decoder's singular values are the roots of 1 - "
            "penalty / eigenvalue, its left singular vectors are PCA's axes, and the encoder is "
            f"its transpose. The penalty is {PENALTY:g} of the smallest eigenvalue that is kept.",
        ),
        Table(
            title="Linear variational autoencoder and probabilistic PCA",
            columns=(
                "set",
                "seeds",
                "log-likelihood short of the closed form, nats a sample",
                "bound short of it, nats a sample",
                "noise variance, as a multiple",
                *directions,
            ),
            rows=rows(VARIATIONAL, "gap", "bound_gap", "noise", *measured),
            note="The closed form: noise of the mean discarded eigenvalue, and columns along PCA's "
            "axes. The log-likelihood is exact, from the decoder's weights; the bound is the "
            "training objective, mean over the last 20 epochs.",
        ),
    ]


def _pictures(by: dict[Any, list[Record]]) -> list[Picture]:
    curves = {}
    for (model, name), runs in by.items():
        if model == PLAIN:
            drawn = curve(runs, "curve")
            curves[name] = Curve([1 + EVERY * i for i in range(drawn.runs.shape[1])], drawn.runs)
    tables = {
        f"{name}, {model}": np.array(record["cosines"])
        for name in curves
        for model in KINDS
        for record in by.get((model, name), [])
        if "cosines" in record
    }
    angles = {
        f"{name}, {model}: {quantity}": spread(values(runs, key))
        for (model, name), runs in by.items()
        for quantity, key in (("subspace", "angle"), ("axes", "axes"))
    }
    return [
        Picture(
            name="loss",
            caption="Training loss of the linear autoencoder above PCA's, by epoch. "
            "Bands are one standard deviation over seeds.",
            figure=bands(curves, x="epoch", y="above PCA's loss, %", log_y=True),
        ),
        Picture(
            name="angles",
            caption="Angles to PCA: of the subspace, and of the axes (the decoder's left singular "
            "vectors).",
            figure=compare(angles, unit="angle, degrees"),
        ),
        Picture(
            name="axes",
            caption="|Cosine| between PCA's axes and the directions of one decoder each (seed 0): "
            "a dark diagonal says that each direction is one of PCA's axes. Directions are the "
            "decoder's columns; with the L2 penalty its left singular vectors.",
            figure=cosine_grid(tables),
        ),
    ]


LAB = Lab(
    name="linear-is-pca",
    title="Linear autoencoders and PCA",
    claim="An autoencoder without non-linearities is similar to PCA.",
    source="autoencoder lectures",
    protocol={
        "data": "wine (178 samples, standardised, 3 latents), the 8x8 digits (1,797, centred, 10), "
        "the first 2,000 training images of MNIST (centred, 6); eigenvalues drop there",
        "network": "one linear layer to the latents and one back, with biases",
        "models": "squared error alone; squared error and an L2 penalty on all weights; "
        "variational, its noise variance learnt",
        "training": "Adam, rate 0.01 falling to 0 by a cosine, batches of 100; wine 600 epochs, "
        "the others 200; the variational one three times as many",
        "compared with": "eigenvalues and eigenvectors of the covariance of the same samples; the "
        "optimum under the penalty (Kunin et al. 2019, arXiv:1901.08168); probabilistic PCA "
        "(Tipping and Bishop 1999), the optimum of the linear variational one (Lucas et al. 2019, "
        "arXiv:1911.02469)",
        "the statement holds if": "the loss is less than 1 % above PCA's and the largest angle "
        "between the subspaces below 5 degrees, in every set",
        "seeds": "5 a setting",
        "data of the quick run": "wine alone, a third of the epochs",
    },
    trials=trials,
    run=run,
    show=show,
    data=("mnist",),
)
