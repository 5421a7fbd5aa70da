"""Absolute and relative errors are robust to outliers, squared errors are not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from cuello.estimators import Autoencoder
from cuello.estimators.baselines import fit_pca
from cuello.labs._images import fit_quietly, image_rows, images, rounded
from cuello.labs.base import Findings, Lab, Picture, Table
from cuello.study.figures import Curve, draw_bands, new
from cuello.study.summary import Spread, group, sign_of_difference, spread, values
from cuello.study.trials import Ran, Record, Trial, over

LOSSES = {"mse": "MSE", "mae": "MAE", "mape": "MAPE", "huber": "Huber", "pca": "PCA"}
ROBUST = ("mae", "mape")
OUTLIERS = {"values": "single values times 10", "rows": "rows of values times 1 to 10"}
HIGHEST = 0.2
"""Share of outliers at which the verdict is given."""

TRAINING: Mapping[str, Any] = {
    "kind": "plain",
    "output_activation": "identity",
    "scaling": "none",
    "learning_rate": 0.005,
    "validation_fraction": 0.0,
    "batch_size": 32,
}
SETS: Mapping[str, Mapping[str, Any]] = {
    "digits": {"rows": 400, "hidden": [32], "latent_dim": 8, "epochs": 50},
    "breast-cancer": {"rows": 380, "hidden": [32], "latent_dim": 6, "epochs": 100},
    "mnist": {"rows": 1500, "hidden": [128], "latent_dim": 16, "epochs": 20},
}
EXAMPLES = 8

Array = npt.NDArray[Any]


def trials(quick: bool) -> list[Trial]:
    """Return every loss with every share of outliers, in several draws of them."""
    names = ("digits",) if quick else ("breast-cancer", "mnist")
    shares, draws, seeds = ((HIGHEST,), 1, 3) if quick else ((0.05, 0.1, HIGHEST), 3, 2)
    dirt: list[dict[str, Any]] = [{"outliers": "none", "share": 0.0}]
    dirt += [{"outliers": kind, "share": share} for kind in OUTLIERS for share in shares]
    settings = [
        {"data": name, **SETS[name], **own, "draw": draw, "loss": loss}
        for name in names
        for own in dirt
        for draw in range(draws)
        for loss in LOSSES
    ]
    return over(seeds, settings)


def run(missing: list[Trial]) -> Ran:
    """Train on rows with outliers, all losses on the same ones; measure on rows without."""
    same: dict[tuple[Any, ...], list[Trial]] = {}
    for trial in missing:
        key = tuple(trial.options[name] for name in ("data", "outliers", "share", "draw"))
        same.setdefault(key, []).append(trial)
    for (name, outliers, share, draw), own in same.items():
        clean, test = clean_rows(name, own[0].options["rows"])
        train = contaminate(clean, outliers, share, np.random.default_rng(draw))
        for trial in own:
            if trial.options["loss"] == "pca":
                pca = fit_pca(train, trial.options["latent_dim"], seed=trial.seed)
                output = pca.inverse_transform(pca.transform(test.reshape(len(test), -1)))
                yield trial, _measure(test, output.reshape(test.shape), trial)
        networks = [trial for trial in own if trial.options["loss"] != "pca"]
        models = [
            Autoencoder(
                **TRAINING,
                **{k: trial.options[k] for k in ("hidden", "latent_dim", "epochs", "loss")},
                random_state=trial.seed,
            )
            for trial in networks
        ]
        for place, diverged in fit_quietly(models, train):
            result: dict[str, Any] = {"diverged": diverged}
            if not diverged:
                output = models[place].reconstruct(test)
                result |= _measure(test, output, networks[place])
            yield networks[place], result


def clean_rows(name: str, rows: int) -> tuple[Array, Array]:
    """Return training and test rows, every value in 1..2 (MAPE needs values far from 0)."""
    if name != "breast-cancer":
        data = images(name, rows, 500)
        return data.X + 1, data.X_test + 1
    from sklearn.datasets import load_breast_cancer

    X = load_breast_cancer().data[np.random.default_rng(0).permutation(569)]
    low, high = X[:rows].min(axis=0), X[:rows].max(axis=0)
    X = (1 + (X - low) / (high - low)).astype(np.float32)
    return X[:rows], X[rows:]


def contaminate(X: Array, outliers: str, share: float, rng: np.random.Generator) -> Array:
    """Return the rows with outliers, see :data:`OUTLIERS`, in that share of values or rows."""
    if outliers == "values":
        return np.where(rng.random(X.shape) < share, X * 10, X)
    if outliers == "rows":
        hit = rng.permutation(len(X))[: round(share * len(X))]
        X = X.copy()
        X[hit] *= rng.uniform(1, 10, X[hit].shape).astype(X.dtype)
    return X


def _measure(test: Array, output: Array, trial: Trial) -> dict[str, Any]:
    measured: dict[str, Any] = {
        "rmse": float(np.sqrt(np.mean((test - output) ** 2))),
        "mae": float(np.mean(np.abs(test - output))),
    }
    first = trial.seed == 0 and trial.options["draw"] == 0
    if first and test.ndim == 3 and trial.options["share"] in (0.0, HIGHEST):
        measured["examples"] = rounded(output[:EXAMPLES].clip(0, 3) - 1, 2)
        measured["originals"] = rounded(test[:EXAMPLES].clip(0, 3) - 1, 2)
    return measured


def growth(records: list[Record], data: str, loss: str, outliers: str, share: float) -> Spread:
    """Return the error with outliers, in multiples of that loss's mean error without any."""

    def found(kind: str, share: float) -> list[float]:
        wanted = {"data": data, "loss": loss, "outliers": kind, "share": share}
        return values((r for r in records if wanted.items() <= _plain(r).items()), "rmse")

    without = spread(found("none", 0.0)).mean
    return spread(value / without for value in found(outliers, share))


def _plain(record: Record) -> dict[str, Any]:
    return {name: v for name, v in record["options"].items() if not isinstance(v, list)}


def show(records: list[Record]) -> Findings:
    """Compare how much the error on clean rows grows with outliers among the training rows."""
    names = list(dict.fromkeys(record["options"]["data"] for record in records))
    cases = {
        (name, kind): {loss: growth(records, name, loss, kind, HIGHEST) for loss in LOSSES}
        for name in names
        for kind in OUTLIERS
    }
    holds, verdict = judge(cases)
    rows = [
        (
            name,
            "none" if kind == "none" else f"{share:.0%} {OUTLIERS[kind]}",
            LOSSES[loss],
            spread(values(own, "rmse")),
            spread(values(own, "mae")),
            growth(records, name, loss, kind, share) if share else None,
        )
        for (name, kind, share, loss), own in group(
            records, "data", "outliers", "share", "loss"
        ).items()
        if share in (0.0, HIGHEST)
    ]
    pictures = [
        Picture(
            name="error-against-outliers",
            caption="Error of clean test rows against the share of outliers among the training "
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
                    caption=f"Clean test images, and what each network makes of them after "
                    f"training with {HIGHEST:.0%} outliers: {OUTLIERS[kind]}; "
                    "darkest where brighter than any clean value.",
                    figure=image_rows(drawn),
                )
            )
    return Findings(
        holds=holds,
        verdict=verdict,
        tables=[
            Table(
                title="Error of clean test rows",
                columns=(
                    "data",
                    "outliers in training rows",
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
    cases: Mapping[tuple[str, str], Mapping[str, Spread]],
) -> tuple[bool | None, str]:
    """Return whether MAE's and MAPE's error grows less than MSE's, and the sentence that says so.

    Parameters
    ----------
    cases : mapping of (data, outliers) to loss to Spread
        Error with outliers in multiples of that without.
    """
    signs = [sign_of_difference(own["mse"], own[loss]) for own in cases.values() for loss in ROBUST]
    less = sum(sign > 0 for sign in signs)
    holds = True if less == len(signs) else False if min(signs) < 0 else None
    how = {True: "are", False: "are not always", None: "are not clearly"}[holds]
    listed = "; ".join(
        f"{name}, {OUTLIERS[kind]}: {own['mse']} (MSE), {own['mae']} (MAE), {own['mape']} (MAPE)"
        for (name, kind), own in cases.items()
    )
    return holds, (
        f"MAE and MAPE {how} more robust to outliers than MSE: with {HIGHEST:.0%} of them the "
        f"error of clean rows, in multiples of that without, is smaller than MSE's in {less} of "
        f"{len(signs)} comparisons ({listed})."
    )


def _curves(records: list[Record], names: list[str]) -> Any:
    rows = len(names)
    with new(2, rows, width=10.5, height=3.6 * rows + 0.5, squeeze=False) as (figure, axes):
        for line, name in zip(axes, names, strict=True):
            for place, kind in zip(line, OUTLIERS, strict=True):
                own = [r for r in records if r["options"]["data"] == name]
                own = [r for r in own if r["options"]["outliers"] in ("none", kind)]
                curves = {}
                for (loss,), mine in group(own, "loss").items():
                    by_share = group(mine, "share")
                    runs = np.array([values(part, "rmse") for part in by_share.values()]).T
                    curves[LOSSES[loss]] = Curve([100 * share for (share,) in by_share], runs)
                draw_bands(place, curves)
                place.set(xlabel="outliers among training data (%)", ylabel="root mean sq. error")
                place.set_title(f"{name}: {OUTLIERS[kind]}", loc="left", fontsize=10)
                place.set_yscale("log")
        handles = axes[0, 0].get_legend_handles_labels()
        figure.legend(*handles, loc="outside upper left", ncols=len(LOSSES), fontsize=9)
    return figure


def _examples(records: list[Record], kind: str) -> dict[str, Array]:
    own = [r for r in records if "examples" in r and r["options"]["outliers"] == kind]
    lines = {"clean test images": np.array(own[0]["originals"])} if own else {}
    return lines | {LOSSES[r["options"]["loss"]]: np.array(r["examples"]) for r in own}


LAB = Lab(
    name="losses",
    title="Losses and outliers",
    claim="Mean absolute and mean absolute percentage errors (MAE, MAPE) are robust to outliers; "
    "the mean squared error (MSE) is not.",
    source="autoencoder lectures",
    protocol={
        "data": "the breast cancer table (380 training and 189 test rows, 30 columns) and MNIST "
        "(1,500 and 500 images), values brought to 1..2",
        "outliers": "0, 5, 10 and 20 %, among training rows only: single values times ten, or "
        "whole rows, each of their values times its own factor from 1 to 10",
        "network": "dense, one hidden layer of 32 (128 for MNIST) on each side, a code of 6 (16), "
        "linear output",
        "training": "Adam, learning rate 0.005 with a cosine schedule, batches of 32; 100 epochs "
        "(20 for MNIST)",
        "baseline": "PCA with as many components",
        "seeds": "3 draws of outliers with 2 of weights each",
    },
    trials=trials,
    run=run,
    show=show,
    data=("mnist",),
)
