"""More data from the same data: accuracy with few labels, with and without augmentation."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from sklearn.frozen import FrozenEstimator

from cuello.data.augment import Augment
from cuello.errors import CuelloWarning
from cuello.estimators import Autoencoder
from cuello.estimators.baselines import fit_pca
from cuello.few_label import FewLabelClassifier
from cuello.seeding import seeded
from cuello.study.figures import COLOURS, MARKS, new
from cuello.study.summary import Spread, group, spread, values
from cuello.study.trials import Ran, Record, Trial, over
from cuello_labs._comparison import sign_of_difference
from cuello_labs._images import (
    DENOISING,
    Images,
    draw_labelled,
    few_label_accuracy,
    image_strips,
    images,
    knn_accuracy,
    rounded,
)
from cuello_labs.base import Findings, Lab, Picture, Table

METHODS = {
    "knn": ("5-NN on pixels", "no"),
    "knn-copies": ("5-NN on pixels", "20 copies"),
    "pca": ("PCA + logistic regression", "no"),
    "from_scratch": ("from scratch", "no"),
    "from_scratch-labelled": ("from scratch", "labelled"),
    "fine_tune": ("pre-trained", "no"),
    "fine_tune-unlabelled": ("pre-trained", "unlabelled"),
    "fine_tune-labelled": ("pre-trained", "labelled"),
    "fine_tune-both": ("pre-trained", "both"),
}
"""Method, and the images that are augmented in training."""

PAIRS = (
    ("knn", "knn-copies"),
    ("from_scratch", "from_scratch-labelled"),
    ("fine_tune", "fine_tune-labelled"),
)
"""Pairs without and with augmented labelled images, which the verdict compares."""

COPIES, EXAMPLES = 20, 10

Array = npt.NDArray[Any]


def trials(quick: bool) -> list[Trial]:
    """Return every method with each number of labels; a seed draws labels and weights."""
    common: dict[str, Any] = (
        {"data": "digits", "train_size": 1000, "test_size": 500, "hidden": [64], "latent_dim": 32}
        | {"epochs": 20, "steps": 100, "augment": "shift=0.1,rotate=10,scale=0.1"}
        if quick
        else {"data": "mnist", "train_size": 10000, "test_size": 10000, "hidden": [256, 128]}
        | {"latent_dim": 32, "epochs": 30, "steps": 300}
        | {"augment": "mild,elastic=1.5"}
    )
    labels = (10,) if quick else (10, 30)
    settings = [{"method": m, "per_class": count} for count in labels for m in METHODS]
    return over(3 if quick else 5, settings, **common)


def run(missing: list[Trial]) -> Ran:
    """Pre-train once a seed, with and without augmentation; then classify with few labels."""
    if not missing:
        return
    data = images(*(missing[0].options[key] for key in ("data", "train_size", "test_size")))
    for seed in sorted({trial.seed for trial in missing}):
        encoders: dict[bool, Autoencoder] = {}
        for trial in (trial for trial in missing if trial.seed == seed):
            method = trial.options["method"]
            if method.startswith(("from_scratch", "fine_tune")):
                augmented = method.endswith(("-unlabelled", "-both"))
                if augmented not in encoders:
                    encoders[augmented] = _pretrain(data, trial, augmented)
                accuracy = _classify(data, trial, encoders[augmented])
            else:
                accuracy = _baseline(data, trial)
            result: dict[str, Any] = {"accuracy": accuracy}
            if seed == 0 and method == "knn-copies":
                few = data.X[:EXAMPLES]
                result["originals"] = rounded(few, 2)
                result["examples"] = rounded(augmented_copies(few, trial.options["augment"], 0), 2)
            yield trial, result


def _pretrain(data: Images, trial: Trial, augmented: bool) -> Autoencoder:
    model = Autoencoder(
        **DENOISING,
        **{name: trial.options[name] for name in ("hidden", "latent_dim", "epochs")},
        augment=trial.options["augment"] if augmented else None,
        random_state=trial.seed,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CuelloWarning)
        return model.fit(data.X)


def _classify(data: Images, trial: Trial, encoder: Autoencoder) -> float:
    method, few = trial.options["method"], trial.options["per_class"]
    labelled = draw_labelled(data.y, few, trial.seed)
    model = FewLabelClassifier(
        FrozenEstimator(encoder),
        method=method.split("-")[0],
        learning_rates=(0.001, 0.003),
        cv=2,
        batch_size=50,
        epochs=max(1, trial.options["steps"] * 50 // len(labelled)),
        augment=trial.options["augment"] if method.endswith(("-labelled", "-both")) else None,
        random_state=trial.seed,
    )
    return float(model.fit(data.X[labelled], data.y[labelled]).score(data.X_test, data.y_test))


def _baseline(data: Images, trial: Trial) -> float:
    method, few = trial.options["method"], trial.options["per_class"]
    labelled = draw_labelled(data.y, few, trial.seed)
    X, y = data.X[labelled], data.y[labelled]
    if method == "pca":
        pca = fit_pca(data.X, trial.options["latent_dim"], seed=0)
        embeddings, test = (pca.transform(_flat(rows)) for rows in (data.X, data.X_test))
        few_labels = {"per_class": few, "seed": trial.seed}
        return few_label_accuracy(embeddings, data.y, test, data.y_test, **few_labels)
    if method == "knn-copies":
        spec = trial.options["augment"]
        copies = [augmented_copies(X, spec, 1000 * trial.seed + i) for i in range(COPIES)]
        X, y = np.concatenate([X, *copies]), np.tile(y, COPIES + 1)
    return knn_accuracy(X, y, data.X_test, data.y_test)


def augmented_copies(X: Array, spec: str, seed: int) -> Array:
    """Return one changed copy of each image (n, height, width); the seed draws the changes."""
    with seeded(seed):
        copies: Array = Augment.parse(spec)(torch.from_numpy(X)).numpy()
    return copies


def _flat(X: Array) -> Array:
    return X.reshape(len(X), -1)


def show(records: list[Record]) -> Findings:
    """Compare each method with and without augmentation."""
    accuracy = {
        key: spread(values(subset, "accuracy"))
        for key, subset in group(records, "method", "per_class").items()
    }
    holds, verdict = judge(accuracy, gains(records))
    counts = sorted({count for _, count in accuracy})
    columns = [f"accuracy, {count} labels a class" for count in counts]
    pictures = [
        Picture(
            name="accuracy",
            caption="Accuracy on test images by method, without augmentation and with it: mean and "
            "standard deviation over seeds.",
            figure=_draw(accuracy, counts),
        )
    ]
    shown = next((record for record in records if "examples" in record), None)
    if shown is not None:
        lines = {"images": np.array(shown["originals"])}
        lines["one augmented copy of each"] = np.array(shown["examples"])
        pictures.append(
            Picture(
                name="copies",
                caption="Training images, and one copy of each as augmentation draws them anew at "
                "every step.",
                figure=image_strips(lines),
            )
        )
    return Findings(
        holds=holds,
        verdict=verdict,
        tables=[
            Table(
                title="Accuracy with few labels",
                columns=("method", "augmented images", *columns),
                rows=[
                    (*words, *(accuracy.get((method, count)) for count in counts))
                    for method, words in METHODS.items()
                    if (method, counts[0]) in accuracy
                ],
                note="Mean ± sd over draws of labels and of weights. Unlabelled images serve "
                "pre-training, labelled ones the classifier; a learning rate or penalty is chosen "
                "by cross-validation among the labelled images alone.",
            )
        ],
        pictures=pictures,
    )


def gains(records: list[Record]) -> dict[tuple[str, int], Spread]:
    """Return how much accuracy rises, seed by seed: by augmented method and labels a class.

    Both of a pair have the same labels, so that their difference is less noisy than either.
    """
    accuracies = {
        (r["options"]["method"], r["options"]["per_class"], r["seed"]): r["accuracy"]
        for r in records
    }
    return {
        (augmented, count): spread(
            accuracies[augmented, count, seed] - accuracies[without, count, seed]
            for seed in sorted({seed for _, _, seed in accuracies})
        )
        for count in sorted({count for _, count, _ in accuracies})
        for without, augmented in PAIRS
    }


def judge(
    accuracy: Mapping[tuple[str, int], Spread], gained: Mapping[tuple[str, int], Spread]
) -> tuple[bool | None, str]:
    """Return whether augmenting labelled images helps every method, and the sentence that says so.

    Parameters
    ----------
    accuracy : mapping of (method, labels a class) to Spread
    gained : mapping of the same to Spread
        As :func:`gains` returns it.
    """
    without = {augmented: plain for plain, augmented in PAIRS}
    signs = [sign_of_difference(gain, spread([0.0])) for gain in gained.values()]
    helped = sum(sign > 0 for sign in signs)
    holds = True if helped == len(signs) else False if helped == 0 and min(signs) < 0 else None
    mixed = "helps in some cases and not in others" if helped else "does not clearly help"
    verb = {True: "helps", False: "does not help", None: mixed}[holds]
    listed = "; ".join(
        f"{METHODS[method][0]} with {count} labels a class, "
        f"{accuracy[without[method], count]} to {accuracy[method, count]}"
        for method, count in gained
    )
    return holds, (
        f"Augmenting labelled images {verb}: accuracy rises beyond the noise in {helped} of "
        f"{len(signs)} comparisons and falls in {sum(sign < 0 for sign in signs)} ({listed})."
    )


def _draw(accuracy: Mapping[tuple[str, int], Spread], counts: list[int]) -> Any:
    methods = list(dict.fromkeys(method for method, _ in accuracy))
    with new(width=8.2, height=1.3 + 0.42 * len(methods)) as (figure, axes):
        for i, count in enumerate(counts):
            accuracies = [accuracy[method, count] for method in methods]
            axes.errorbar(
                [s.mean for s in accuracies],
                [
                    position + 0.2 * (i - (len(counts) - 1) / 2)
                    for position in range(len(accuracies))
                ],
                xerr=[s.sd for s in accuracies],
                fmt=MARKS[i],
                color=COLOURS[i],
                capsize=3,
                label=f"{count} labels a class",
            )
        labels = [f"{METHODS[m][0]} ({METHODS[m][1]})" for m in methods]
        axes.set_yticks(range(len(methods)), labels)
        axes.set_ylim(len(methods) - 0.5, -0.5)
        axes.set(xlabel="accuracy on test images", ylabel="method (augmented images)")
        axes.legend(loc="lower left", bbox_to_anchor=(0, 1.0), ncols=2, fontsize=9)
    return figure


LAB = Lab(
    name="augmentation",
    title="Augmentation with few labels",
    claim="Augmentation gets more data from the same data.",
    source="autoencoder lectures",
    protocol={
        "data": "10,000 MNIST images without labels, of which 10 or 30 a class have labels; the "
        "10,000 official test images",
        "augmentation": "shifts up to 8 % of the side, turns up to 8 degrees, scale up to 10 %, "
        "shear up to 5 degrees, elastic up to 1.5 pixels; drawn anew for every step",
        "network": "dense, hidden layers of 256 and 128, 32 latents; denoising autoencoder, 30 "
        "epochs",
        "classifier": "the encoder, pre-trained or newly initialised, with a new head; all of it "
        "is trained for 300 steps of 50 labelled images, at a rate chosen from 0.001 and 0.003",
        "baselines": f"5 nearest neighbours on pixels, also among {COPIES} augmented copies of "
        "each labelled image; logistic regression on PCA embeddings",
        "seeds": "5 draws of labels, each with other weights",
    },
    trials=trials,
    run=run,
    show=show,
    data=("mnist",),
)
