"""Bringing the columns of a table to one scale helps training."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.decomposition import PCA

from cuello.data.scaling import Scaling
from cuello.estimators.many import fit_many
from cuello.study.summary import Spread, group, spread, values
from cuello.study.trials import Ran, Record, Trial, over
from cuello_labs._bands import Curve
from cuello_labs._curves import (
    best_rates,
    by_data,
    clearly_below,
    decide,
    estimator,
    panels,
    rounded,
)
from cuello_labs.base import Findings, Lab, Picture, Table

Array = npt.NDArray[Any]

WITHOUT, STANDARD = "none", "standard"
SCALINGS = {WITHOUT: "raw", "minmax": "to 0..1", STANDARD: "mean 0, sd 1"}
"""Labels of the scalings, by their names as options."""

TABLES = {"wine": 178, "breast_cancer": 569, "diabetes": 442}
EPOCHS = (1, 2, 5, 10, 20, 50, 100, 200)
RATES = {
    "adam": (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0),
    "sgd": (1e-6, 1e-5, 0.0001, 0.001, 0.01, 0.1, 1.0),
}
BASE = {
    "kind": "plain",
    "linear_skip": False,
    "hidden": (16,),
    "latent_dim": 3,
    "activation": "tanh",
    "loss": "mse",
    "output_activation": "identity",
    "schedule": "constant",
    "momentum": 0.9,
    "batch_size": 32,
    "validation_fraction": 0.0,
}
"""Options that all networks share."""

Setting = tuple[str, str]
"""Table and optimizer."""


def trials(quick: bool) -> list[Trial]:
    """Return every table, optimizer, scaling and rate, after so many epochs; 10 seeds each."""
    settings = [
        {
            "set": name,
            "train_size": rows * 2 // 3,
            "held_out": rows - rows * 2 // 3,
            "optimizer": optimizer,
            "scaling": scaling,
            "epochs": epochs,
            "learning_rate": rate,
        }
        for name, rows in (list(TABLES.items())[:1] if quick else TABLES.items())
        for optimizer, rates in RATES.items()
        for scaling in SCALINGS
        for epochs in ((2, 10, 50) if quick else EPOCHS)
        for rate in (rates[::2] if quick else rates)
    ]
    return over(3 if quick else 10, settings)


def run(missing: list[Trial]) -> Ran:
    """Train each trial from the start: at a constant rate, epochs are prefixes."""
    for X, held_out, subset in by_data(missing):
        scaling = Scaling.fit(X, "standard")
        pca = PCA(BASE["latent_dim"]).fit(scaling.apply(X))
        models = [estimator(trial, BASE) for trial in subset]
        for index, error in fit_many(models, X):
            result: dict[str, Any] = {}
            for name, some in (("train", X), ("held_out", held_out)):
                there = scaling.apply(some)
                back = pca.inverse_transform(pca.transform(there))
                ours = np.full_like(there, np.nan)
                if error is None:
                    ours = scaling.apply(models[index].reconstruct(some))
                result[f"{name}_end"], result[f"{name}_pca"] = rounded(
                    (unexplained(there, ours), unexplained(there, back))
                )
            yield subset[index], result | {"diverged": result["train_end"] is None}


def unexplained(X: Array, output: Array) -> float:
    """Return the mean squared difference of standardised samples (n, D): 1 for the mean sample.

    Examples
    --------
    >>> X = np.array([[-1.0, 1.0], [1.0, -1.0]])
    >>> unexplained(X, np.zeros((2, 2))), unexplained(X, X)
    (1.0, 0.0)
    """
    with np.errstate(over="ignore"):
        return float(np.mean((X.astype(np.float64) - output) ** 2))


def show(records: list[Record]) -> Findings:
    """Compare scalings, each at the rate at which it trains best, in one unit for all."""
    last = max(record["options"]["epochs"] for record in records)
    ended = [record for record in records if record["options"]["epochs"] == last]
    best = best_rates(ended, "set", "optimizer", "scaling")
    ends = {key: spread(values(subset, "held_out_end")) for key, (_, subset) in best.items()}
    settings: list[Setting] = list(dict.fromkeys(key[:2] for key in best))
    better = {s: clearly_below(ends[(*s, STANDARD)], ends[(*s, WITHOUT)]) for s in settings}
    tried = group(ended, "set", "optimizer", "scaling")
    rows: list[tuple[object, ...]] = [
        (
            _name((name, optimizer)),
            SCALINGS[scaling],
            f"{rate:g}",
            spread(values(subset, "train_end")),
            ends[name, optimizer, scaling],
            subset[0]["held_out_pca"],
            len(subset),
            sum(r["diverged"] for r in tried[name, optimizer, scaling]),
        )
        for (name, optimizer, scaling), (rate, subset) in best.items()
    ]
    return Findings(
        holds=decide(better.values()),
        verdict=_verdict(better, ends),
        tables=[
            Table(
                title=f"After {last} epochs, each at the learning rate at which it trains best",
                columns=(
                    "table, optimizer",
                    "columns",
                    "best rate",
                    "unexplained share, training",
                    "unexplained share, held out",
                    "PCA, held out",
                    "seeds",
                    "diverged, all rates",
                ),
                rows=rows,
                note="Unexplained share: mean squared error after every column is divided by its "
                "standard deviation in the training samples, also for networks on raw columns; 1 "
                "for always predicting the mean sample. The best rate has the lowest mean of it on "
                "the training samples. PCA: as many components as latents, on standardised "
                "columns.",
            )
        ],
        pictures=[
            Picture(
                name="curves",
                caption="Unexplained share of the held-out samples by epoch, each scaling at its "
                "best learning rate. 1 is the mean sample. Bands are one standard deviation over "
                "seeds.",
                figure=panels(
                    {_name(s): _curves(records, best, s) for s in settings},
                    x="epochs",
                    y="unexplained share, held out",
                    log_x=True,
                    limits=(0.0, 1.6),
                ),
            )
        ],
    )


def _curves(
    records: list[Record], best: dict[Any, tuple[float, list[Record]]], setting: Setting
) -> dict[str, Curve]:
    by = group(records, "set", "optimizer", "scaling", "learning_rate", "epochs")
    epochs = list(dict.fromkeys(key[-1] for key in by))
    curves = {}
    for scaling, name in SCALINGS.items():
        rate = best[(*setting, scaling)][0]
        runs = [values(by[(*setting, scaling, rate, e)], "held_out_end") for e in epochs]
        curves[name] = Curve(epochs, np.array(runs).T)
    return curves


def _verdict(better: dict[Setting, bool | None], ends: dict[Any, Spread]) -> str:
    helped = sum(clear is True for clear in better.values())
    hurt = sum(clear is False for clear in better.values())
    listed = "; ".join(
        f"{_name(s)}: {ends[(*s, STANDARD)]} against {ends[(*s, WITHOUT)]}" for s in better
    )
    count = min(loss.count + loss.left_out for loss in ends.values())
    return (
        "With columns brought to mean 0 and standard deviation 1, training ends clearly better "
        f"than with raw columns in {helped} of {len(better)} settings and clearly worse in {hurt}; "
        f"unexplained share of held-out samples, means and standard deviations over {count} seeds: "
        f"{listed}."
    )


def _name(setting: Setting) -> str:
    table, optimizer = setting
    return f"{table.replace('_', ' ')}, {'Adam' if optimizer == 'adam' else 'SGD'}"


LAB = Lab(
    name="normalisation",
    title="Columns on one scale",
    claim="Normalising the data helps training.",
    source="autoencoder lectures",
    protocol={
        "data": "three tables whose columns differ in scale: wine (13 columns), breast cancer "
        "(30), diabetes (10); two thirds of the samples for training, a third held out",
        "network": "one hidden layer of 16 tanh units on each side of 3 latents, linear output",
        "training": "squared error, batches of 32, constant rate; Adam, and gradient descent with "
        "momentum 0.9; 1 to 200 epochs",
        "columns": "none, to 0..1, or to mean 0 and standard deviation 1, fitted on "
        "training samples",
        "choice": "for each the best of 7 learning rates, up to 1, by training "
        "samples; held-out samples choose nothing",
        "seeds": "10 a setting",
        "data of the quick run": "wine alone",
    },
    trials=trials,
    run=run,
    show=show,
)
