"""Absolute and relative errors are robust to outliers, squared errors are not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from cuello.estimators import Autoencoder
from cuello.estimators.baselines import fit_pca
from cuello.study.figures import new
from cuello.study.summary import Spread, group, spread, values
from cuello.study.trials import Ran, Record, Trial, over
from cuello_labs._bands import Curve, draw_bands
from cuello_labs._comparison import sign_of_difference
from cuello_labs._fit import fit_quietly
from cuello_labs._images import image_strips, rounded
from cuello_labs._outliers import OUTLIERS, best_constant, clean_samples, contaminate
from cuello_labs.base import Findings, Lab, Picture, Table

LOSSES = {"mse": "MSE", "mae": "MAE", "mape": "MAPE", "huber": "Huber", "pca": "PCA"}
ROBUST = ("mae", "mape")
CONSTANT = ("mse", *ROBUST)
FITS = {"constant": "best constant", "autoencoder": "autoencoder"}
HIGHEST = 0.2
"""Share of outliers at which the verdict is given."""

TRAINING: Mapping[str, Any] = {
    "kind": "plain",
    "linear_skip": False,
    "output_activation": "identity",
    "scaling": "none",
    "learning_rate": 0.005,
    "validation_fraction": 0.0,
    "batch_size": 32,
}
SETS: Mapping[str, Mapping[str, Any]] = {
    "digits": {"train_size": 300, "hidden": [32], "latent_dim": 8, "epochs": 50},
    "breast-cancer": {"train_size": 380, "hidden": [32], "latent_dim": 6, "epochs": 100},
    "mnist": {"train_size": 1500, "hidden": [128], "latent_dim": 16, "epochs": 20},
}
EXAMPLES = 8

Array = npt.NDArray[Any]


def trials(quick: bool) -> list[Trial]:
    """Return every loss with every share of outliers, in repeated draws of them."""
    names = ("digits",) if quick else ("breast-cancer", "mnist")
    shares, draws, seeds = ((HIGHEST,), 1, 3) if quick else ((0.05, 0.1, HIGHEST), 3, 2)
    dirt: list[dict[str, Any]] = [{"outliers": "none", "share": 0.0}]
    dirt += [{"outliers": kind, "share": share} for kind in OUTLIERS for share in shares]
    settings = [
        {"data": name, **SETS[name], **outlier_options, "draw": draw, "fit": fit, "loss": loss}
        for name in names
        for outlier_options in dirt
        for draw in range(draws)
        for fit in FITS
        for loss in (CONSTANT if fit == "constant" else LOSSES)
    ]
    return [trial for trial in over(seeds, settings) if trial.seed == 0 or not _exact(trial)]


def _exact(trial: Trial) -> bool:
    """Whether nothing is random but the outliers."""
    return bool(trial.options["fit"] == "constant" or trial.options["loss"] == "pca")


def run(missing: list[Trial]) -> Ran:
    """Train on samples with outliers, all losses on the same ones; measure on samples without."""
    same: dict[tuple[Any, ...], list[Trial]] = {}
    for trial in missing:
        key = tuple(trial.options[name] for name in ("data", "outliers", "share", "draw"))
        same.setdefault(key, []).append(trial)
    for (name, outliers, share, draw), subset in same.items():
        clean, test = clean_samples(name, subset[0].options["train_size"])
        train = contaminate(clean, outliers, share, np.random.default_rng(draw))
        for trial in subset:
            if trial.options["fit"] == "constant":
                output = np.broadcast_to(best_constant(train, trial.options["loss"]), test.shape)
                yield trial, _measure(test, output, trial)
            elif trial.options["loss"] == "pca":
                pca = fit_pca(train, trial.options["latent_dim"], seed=trial.seed)
                output = pca.inverse_transform(pca.transform(test.reshape(len(test), -1)))
                yield trial, _measure(test, output.reshape(test.shape), trial)
        networks = [trial for trial in subset if not _exact(trial)]
        models = [
            Autoencoder(
                **TRAINING,
                **{k: trial.options[k] for k in ("hidden", "latent_dim", "epochs", "loss")},
                random_state=trial.seed,
            )
            for trial in networks
        ]
        for index, diverged in fit_quietly(models, train):
            result: dict[str, Any] = {"diverged": diverged}
            if not diverged:
                output = models[index].reconstruct(test)
                result |= _measure(test, output, networks[index])
            yield networks[index], result


def _measure(test: Array, output: Array, trial: Trial) -> dict[str, Any]:
    measured: dict[str, Any] = {
        "rmse": float(np.sqrt(np.mean((test - output) ** 2))),
        "mae": float(np.mean(np.abs(test - output))),
    }
    first = trial.seed == 0 and trial.options["fit"] != "constant" and trial.options["draw"] == 0
    if first and test.ndim == 3 and trial.options["share"] in (0.0, HIGHEST):
        measured["examples"] = rounded(output[:EXAMPLES].clip(0, 3) - 1, 2)
        measured["originals"] = rounded(test[:EXAMPLES].clip(0, 3) - 1, 2)
    return measured


def growth(
    records: list[Record], data: str, fit: str, loss: str, outliers: str, share: float
) -> Spread:
    """Return the error with outliers, in multiples of that loss's mean error without any."""

    def errors(kind: str, share: float) -> list[float]:
        wanted = {"data": data, "fit": fit, "loss": loss, "outliers": kind, "share": share}
        return values((r for r in records if wanted.items() <= _plain(r).items()), "rmse")

    without = spread(errors("none", 0.0)).mean
    return spread(value / without for value in errors(outliers, share))


def _plain(record: Record) -> dict[str, Any]:
    return {name: v for name, v in record["options"].items() if not isinstance(v, list)}


def show(records: list[Record]) -> Findings:
    """Compare the growth of the error on clean samples with outliers among training samples."""
    names = list(dict.fromkeys(record["options"]["data"] for record in records))
    cases = {
        (fit, name, kind): {
            loss: growth(records, name, fit, loss, kind, HIGHEST) for loss in CONSTANT
        }
        for fit in FITS
        for name in names
        for kind in OUTLIERS
    }
    holds, verdict = judge(cases)
    rows = [
        (
            name,
            "PCA" if loss == "pca" else FITS[fit],
            "none" if kind == "none" else f"{share:.0%} {OUTLIERS[kind]}",
            LOSSES["mse" if loss == "pca" else loss],
            spread(values(subset, "rmse")),
            spread(values(subset, "mae")),
            growth(records, name, fit, loss, kind, share) if share else None,
        )
        for (name, fit, kind, share, loss), subset in group(
            records, "data", "fit", "outliers", "share", "loss"
        ).items()
        if share in (0.0, HIGHEST)
    ]
    pictures = [
        Picture(
            name="error-against-outliers",
            caption="Error of clean test samples against the share of outliers among the training "
            "rows, by loss; band: one standard deviation.",
            figure=_curves(records, names),
        )
    ]
    for kind in OUTLIERS:
        drawn = _examples(records, kind)
        if drawn:
            pictures.append(
                Picture(
                    name=f"images-{kind}",
                    caption=f"Clean test images, and their reconstructions after "
                    f"training with {HIGHEST:.0%} outliers: {OUTLIERS[kind]}; "
                    "darkest above the range of clean values.",
                    figure=image_strips(drawn),
                )
            )
    return Findings(
        holds=holds,
        verdict=verdict,
        tables=[
            Table(
                title="Error of clean test samples",
                columns=(
                    "data",
                    "fit",
                    "outliers in training samples",
                    "loss",
                    "root mean squared error",
                    "mean absolute error",
                    "error over that without outliers",
                ),
                rows=rows,
                note="Values lie in 1..2 before outliers are put in. The last column is of root "
                "mean squared errors, which favour MSE. Mean ± sd over draws of outliers and seeds "
                "of weights.",
            )
        ],
        pictures=pictures,
    )


def judge(
    cases: Mapping[tuple[str, str, str], Mapping[str, Spread]],
) -> tuple[bool | None, str]:
    """Return whether MAE's and MAPE's error grows less than MSE's, and the sentence that says so.

    Parameters
    ----------
    cases : mapping of (fit, data, outliers) to loss to Spread
        Error with outliers in multiples of that without.
    """
    signs: dict[str, list[int]] = {}
    for (fit, _, _), compared in cases.items():
        signs.setdefault(fit, [])
        signs[fit] += [sign_of_difference(compared["mse"], compared[loss]) for loss in ROBUST]
    every = [sign for compared in signs.values() for sign in compared]
    holds = True if min(every) > 0 else False if min(every) < 0 else None
    verb = {True: "are", False: "are not always", None: "are not clearly"}[holds]
    counted = " and ".join(
        f"{sum(sign > 0 for sign in compared)} of {len(compared)} comparisons with the {FITS[fit]}"
        for fit, compared in signs.items()
    )
    worst = {
        loss: max((compared[loss] for compared in cases.values()), key=_mean) for loss in CONSTANT
    }
    return holds, (
        f"MAE and MAPE {verb} more robust to outliers than MSE: with {HIGHEST:.0%} of them the "
        "error of clean samples, in multiples of that without, is smaller than MSE's in "
        f"{counted}; at its worst it is {worst['mse']} with MSE, {worst['mae']} with MAE and "
        f"{worst['mape']} with MAPE."
    )


def _mean(measured: Spread) -> float:
    return measured.mean


def _curves(records: list[Record], names: list[str]) -> Any:
    lines = [(name, fit) for name in names for fit in FITS]
    height = 3.2 * len(lines) + 0.5
    with new(2, len(lines), width=10.5, height=height, squeeze=False) as (figure, axes):
        for line, (name, fit) in zip(axes, lines, strict=True):
            for panel, kind in zip(line, OUTLIERS, strict=True):
                wanted = {"data": name, "fit": fit}
                subset = [r for r in records if wanted.items() <= _plain(r).items()]
                subset = [r for r in subset if r["options"]["outliers"] in ("none", kind)]
                curves = {}
                for (loss,), of_loss in group(subset, "loss").items():
                    by_share = group(of_loss, "share")
                    runs = np.array([values(part, "rmse") for part in by_share.values()]).T
                    curves[LOSSES[loss]] = Curve([100 * share for (share,) in by_share], runs)
                draw_bands(panel, curves)
                panel.set(xlabel="outliers among training data (%)", ylabel="root mean sq. error")
                panel.set_title(f"{name}, {FITS[fit]}: {OUTLIERS[kind]}", loc="left", fontsize=10)
                panel.set_yscale("log")
        handles = axes[1, 0].get_legend_handles_labels()
        figure.legend(*handles, loc="outside upper left", ncols=len(LOSSES), fontsize=9)
    return figure


def _examples(records: list[Record], kind: str) -> dict[str, Array]:
    subset = [r for r in records if "examples" in r and r["options"]["outliers"] == kind]
    lines = {"clean test images": np.array(subset[0]["originals"])} if subset else {}
    return lines | {LOSSES[r["options"]["loss"]]: np.array(r["examples"]) for r in subset}


LAB = Lab(
    name="losses",
    title="Losses and outliers",
    claim="Mean absolute and mean absolute percentage errors (MAE, MAPE) are robust to outliers; "
    "the mean squared error (MSE) is not.",
    source="autoencoder lectures",
    protocol={
        "data": "the breast cancer table (380 training and 189 test samples, 30 columns) and MNIST "
        "(1,500 and 500 images), values brought to 1..2",
        "outliers": "0, 5, 10 and 20 %, among training samples only: single values times ten, or "
        "whole samples, each value times another factor from 1 to 10",
        "network": "dense, one hidden layer of 32 (128 for MNIST) on each side, 6 latents (16), "
        "linear output",
        "training": "Adam, learning rate 0.005 with a cosine schedule, batches of 32; 100 epochs "
        "(20 for MNIST)",
        "baselines": "the best constant sample for each loss (mean, median, weighted median), "
        "where outliers are seen by the loss alone; PCA with as many components",
        "seeds": "3 draws of outliers with 2 of weights each",
    },
    trials=trials,
    run=run,
    show=show,
    data=("mnist",),
)
