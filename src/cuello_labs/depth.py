"""More layers learn more complex embeddings; too powerful an autoencoder only copies."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.decomposition import PCA

from cuello.estimators import Autoencoder
from cuello.estimators.baselines import fit_pca
from cuello.study.figures import COLOURS, new
from cuello.study.summary import Spread, group, spread, values
from cuello.study.trials import Ran, Record, Trial, over
from cuello_labs._bands import Curve, draw_bands
from cuello_labs._comparison import sign_of_difference
from cuello_labs._fit import fit_quietly
from cuello_labs._images import Images, few_label_accuracy, images, knn_accuracy
from cuello_labs.base import Findings, Lab, Picture, Table

DENSE: Mapping[str, Any] = {
    "kind": "plain",
    "linear_skip": False,
    "loss": "mse",
    "validation_fraction": 0.0,
    "output_activation": "identity",
    "learning_rate": 0.002,
    "allow_overcomplete": True,
}
AT_THE_RIGHT: Mapping[str, Any] = {
    "xycoords": ("axes fraction", "data"),
    "ha": "right",
    "va": "bottom",
    "fontsize": 9,
    "color": COLOURS[7],
}
SMALL, DEEP = 8, 2
"""Latent dimension and depth that the verdict compares with the largest, and with no layers."""

MEASURES = {
    "test_error": "squared error of new images",
    "copied": "share of shuffled images reproduced",
    "few": "accuracy with few labels",
    "knn": "5-NN accuracy, all labels",
}

Array = npt.NDArray[Any]
Apply = Callable[[Array], Array]
Cells = Mapping[str, Spread]


def trials(quick: bool) -> list[Trial]:
    """Return every depth with every latent dimension, and PCA with those sizes."""
    depths, sizes = ((0, 2), (8, 48)) if quick else ((0, 1, 2, 4), (2, 8, 32, 128, 512))
    common: dict[str, Any] = (
        {
            "data": "digits",
            "train_size": 600,
            "test_size": 400,
            "width": 48,
            "epochs": 40,
            "batch_size": 32,
        }
        if quick
        else {
            "data": "mnist",
            "train_size": 5000,
            "test_size": 2000,
            "width": 128,
            "epochs": 30,
            "batch_size": 128,
        }
    )
    settings: list[dict[str, Any]] = [
        {"method": "network", "depth": depth, "latent_dim": size}
        for depth in depths
        for size in sizes
    ]
    settings += [{"method": "pca", "latent_dim": size} for size in sizes]
    settings.append({"method": "pixels"})
    return over(3 if quick else 5, settings, **common, per_class=10)


def run(missing: list[Trial]) -> Ran:
    """Fit to unlabelled images; seeds draw the weights and the labels."""
    if not missing:
        return
    data = images(*(missing[0].options[key] for key in ("data", "train_size", "test_size")))
    networks = [trial for trial in missing if trial.options["method"] == "network"]
    for trial in missing:
        if trial.options["method"] == "pixels":
            yield trial, _accuracies(data, lambda X: X, trial)
        elif trial.options["method"] == "pca":
            pca = fit_pca(data.X, trial.options["latent_dim"], seed=0)
            encode, reconstruct = _halves(pca)
            yield trial, _errors(data, reconstruct) | _accuracies(data, encode, trial)
    models = [
        Autoencoder(
            **DENSE,
            hidden=(trial.options["width"],) * trial.options["depth"],
            latent_dim=trial.options["latent_dim"],
            epochs=trial.options["epochs"],
            batch_size=trial.options["batch_size"],
            random_state=trial.seed,
        )
        for trial in networks
    ]
    for index, diverged in fit_quietly(models, data.X):
        model, trial = models[index], networks[index]
        result: dict[str, Any] = {"diverged": diverged}
        if not diverged:
            result |= _errors(data, model.reconstruct) | _accuracies(data, model.transform, trial)
        yield trial, result


def _halves(pca: PCA) -> tuple[Apply, Apply]:
    def encode(X: Array) -> Array:
        embeddings: Array = pca.transform(X.reshape(len(X), -1))
        return embeddings

    def reconstruct(X: Array) -> Array:
        output: Array = pca.inverse_transform(encode(X)).reshape(X.shape)
        return output

    return encode, reconstruct


def _errors(data: Images, reconstruct: Apply) -> dict[str, float]:
    shuffled = shuffle_pixels(data.X_test)
    return {
        "train_error": float(np.mean((data.X - reconstruct(data.X)) ** 2)),
        "test_error": float(np.mean((data.X_test - reconstruct(data.X_test)) ** 2)),
        "copied": reproduced(shuffled, reconstruct(shuffled)),
    }


def _accuracies(data: Images, encode: Apply, trial: Trial) -> dict[str, float]:
    embeddings, test = encode(data.X), encode(data.X_test)
    few = {"per_class": trial.options["per_class"], "seed": trial.seed}
    return {
        "few": few_label_accuracy(embeddings, data.y, test, data.y_test, **few),
        "knn": knn_accuracy(embeddings, data.y, test, data.y_test),
    }


def shuffle_pixels(X: Array) -> Array:
    """Return the images (n, height, width), each with its pixels in a random order."""
    flat = np.random.default_rng(0).permuted(X.reshape(len(X), -1), axis=1)
    return flat.reshape(X.shape)


def reproduced(X: Array, output: Array) -> float:
    """Return the share of the variance of the images, pixel by pixel, that the output reproduces.

    1: a copy; 0: no better than the mean image; below 0: worse.
    """
    return float(1.0 - np.sum((X - output) ** 2) / np.sum((X - X.mean(axis=0)) ** 2))


def show(records: list[Record]) -> Findings:
    """Compare no hidden layers with some, and few latents with the most."""
    table: dict[tuple[str, int | None, int | None], Cells] = {
        key: {name: spread(values(subset, name)) for name in ("train_error", *MEASURES)}
        for key, subset in group(records, "method", "depth", "latent_dim").items()
    }
    networks = {(d, k): cells for (m, d, k), cells in table.items() if m == "network"}
    holds, verdict = judge(networks, table["pixels", None, None]["few"])
    return Findings(
        holds=holds,
        verdict=verdict,
        tables=[_table(table)],
        pictures=[
            Picture(
                name="depth-and-latent-dim",
                caption="Four measures against the latent dimension, one line a depth, and "
                "PCA: error on new images, share of the variance of images with shuffled pixels "
                "that is reproduced, and accuracy of embeddings with few and with all labels.",
                figure=_draw(records),
            )
        ],
    )


def judge(table: Mapping[Any, Cells], pixels: Spread) -> tuple[bool | None, str]:
    """Return whether both halves of the statement hold, and the sentence that says so.

    Parameters
    ----------
    table : mapping of (depth, latent dimension) to measures
    pixels : Spread
        Accuracy with few labels of the images as they are: all that a mere copy can give.
    """
    largest = max(size for _, size in table)
    flat, deep, wide = table[0, SMALL], table[DEEP, SMALL], table[0, largest]
    better = sign_of_difference(flat["test_error"], deep["test_error"])
    knows = sign_of_difference(deep["few"], flat["few"])
    copies = sign_of_difference(wide["copied"], flat["copied"])
    learns = sign_of_difference(wide["few"], pixels)
    more = better > 0 and knows >= 0
    only_copies = copies > 0 and learns <= 0
    refuted = better < 0 or knows < 0 or copies < 0 or learns > 0
    moved = {1: "up", 0: "not beyond noise", -1: "down"}
    beside = {1: "above", 0: "not beyond noise from", -1: "below"}
    verdict = (
        f"More layers {'help' if more else 'do not clearly help'}: with a latent dimension of "
        f"{SMALL}, {DEEP} hidden layers instead of none take the squared error of new images from "
        f"{flat['test_error']} to {deep['test_error']} ({moved[-better]}) and accuracy with few "
        f"labels from {flat['few']} to {deep['few']} ({moved[knows]}); and the largest latent "
        f"dimension {'only copies' if only_copies else 'does not only copy'}: without hidden "
        f"layers, {largest} numbers instead of {SMALL} take the reproduced share of shuffled "
        f"images from {flat['copied']} to {wide['copied']} ({moved[copies]}), and their accuracy "
        f"with few labels, {wide['few']}, is {beside[learns]} that of the pixels themselves, "
        f"{pixels}."
    )
    return (True if more and only_copies else False if refuted else None), verdict


def _table(table: Mapping[tuple[str, int | None, int | None], Cells]) -> Table:
    names = ("train_error", *MEASURES)
    first = {"pca": "PCA", "pixels": "the pixels themselves"}
    return Table(
        title="By depth and latent dimension",
        columns=(
            "hidden layers",
            "latent dimension",
            "squared error, training images",
            *MEASURES.values(),
        ),
        rows=[
            (
                first.get(method, depth),
                size,
                *(cells[name] if cells[name].count else None for name in names),
            )
            for (method, depth, size), cells in table.items()
        ],
        note="Errors are means over pixels in 0..1. Shuffled images have the pixels of test "
        "images in a random order: only a network that copies any input reproduces them (1 is a "
        "copy, 0 the mean image, negative worse). Mean ± sd over weights and draws of labels; "
        "PCA's reconstruction has no seed.",
    )


def _draw(records: list[Record]) -> Any:
    with new(2, 2, width=10.5, height=7.6) as (figure, axes):
        for panel, (name, label) in zip(axes.flat, MEASURES.items(), strict=True):
            curves = {}
            for (method, depth), subset in group(records, "method", "depth").items():
                if method == "pixels":
                    level = spread(values(subset, name))
                    if level.count:
                        panel.axhline(level.mean, color=COLOURS[7], linestyle=":")
                        panel.annotate("pixels", (1, level.mean), **AT_THE_RIGHT)
                    continue
                by_size = group(subset, "latent_dim")
                runs = np.array([values(part, name) for part in by_size.values()]).T
                words = f"{depth} hidden layer{'s' * (depth != 1)}"
                curves["PCA" if method == "pca" else words] = Curve([k for (k,) in by_size], runs)
            draw_bands(panel, curves)
            panel.set_xscale("log", base=2)
            sizes = {record["options"].get("latent_dim") for record in records}
            ticks = sorted(sizes - {None})
            panel.set_xticks(ticks, [str(tick) for tick in ticks])
            panel.set(xlabel="latent dimension", ylabel=label)
        axes[0, 0].set_yscale("log")
        axes[0, 1].set_ylim(bottom=max(-1.0, axes[0, 1].get_ylim()[0]))
        axes[0, 0].legend(fontsize=9)
    return figure


LAB = Lab(
    name="depth",
    title="Depth and latent dimension: learning against copying",
    claim="More layers let an autoencoder learn more complex embeddings; one that is too powerful "
    "only learns to copy its input.",
    source="autoencoder lectures",
    protocol={
        "data": "5,000 MNIST images without labels, 2,000 of the official test images",
        "network": "dense, 0, 1, 2 or 4 hidden layers of 128 on each side, ReLU; 2 to "
        "512 latents; linear output, mean squared error",
        "training": "Adam, learning rate 0.002 with a cosine schedule, batches of 128, 30 epochs",
        "few labels": "10 a class, logistic regression on the embeddings, its penalty chosen by "
        "cross-validation among them",
        "baselines": "PCA with as many components; the pixels themselves",
        "copying": "share of variance that is reproduced of images whose pixels were shuffled: "
        "they have no structure to learn, so only a copy reproduces them",
        "seeds": "5 of weights and label draws",
    },
    trials=trials,
    run=run,
    show=show,
    data=("mnist",),
)
