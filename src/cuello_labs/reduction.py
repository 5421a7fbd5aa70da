"""Fewer dimensions: classes and neighbours in 2-D embeddings, beside PCA."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.manifold import trustworthiness

from cuello.estimators import Autoencoder
from cuello.estimators.baselines import fit_pca
from cuello.study.figures import new
from cuello.study.summary import Spread, group, spread, values
from cuello.study.trials import Ran, Record, Trial, over
from cuello_labs._comparison import Published, compare, sign_of_difference
from cuello_labs._fit import fit_quietly
from cuello_labs._image_grids import latent_scatter
from cuello_labs._images import Images, images, knn_accuracy, rounded
from cuello_labs.base import Findings, Lab, Picture, Table

METHODS = {
    "pca": "PCA",
    "plain": "plain",
    "variational": "variational",
    "denoising": "denoising",
    "stacked": "stacked",
    "wasserstein": "Wasserstein",
    "adversarial": "adversarial",
    "neighbour": "neighbour",
}
IN_32 = ("pca", "plain", "variational")
PUBLISHED = {"pca": 0.420, "plain": 0.793, "variational": 0.765}
"""5-NN accuracy of 2-D embeddings of MNIST."""

PUBLISHED_ALONE = {"UMAP": 0.954, "parametric UMAP": 0.961}
"""The same for methods that are no autoencoders: not run here."""

NETWORK_OPTIONS = ("hidden", "latent_dim", "epochs", "batch_size", "learning_rate")
TRUST_SAMPLES, DRAWN_SAMPLES, NEIGHBOURS = 2000, 1000, 5

Array = npt.NDArray[Any]


def trials(quick: bool) -> list[Trial]:
    """Return every kind with 2 latents, some with 32; PCA has no seed."""
    common: dict[str, Any] = (
        {"data": "digits", "train_size": 1000, "test_size": 400, "hidden": [64, 64]}
        | {"epochs": 30, "batch_size": 32, "learning_rate": 0.005}
        if quick
        else {"data": "mnist", "train_size": 20000, "test_size": 10000, "hidden": [100, 100, 100]}
        | {"epochs": 20, "batch_size": 128, "learning_rate": 0.002}
    )
    kinds = ("pca", "plain", "variational", "neighbour") if quick else METHODS
    wide = ("pca", "plain") if quick else IN_32
    settings = [{"method": kind, "latent_dim": 2} for kind in kinds]
    settings += [{"method": kind, "latent_dim": 32} for kind in wide]
    seeds = 3 if quick else 5
    return [
        trial
        for trial in over(seeds, settings, **common)
        if trial.seed == 0 or trial.options["method"] != "pca"
    ]


def run(missing: list[Trial]) -> Ran:
    """Fit to unlabelled images; seeds draw the weights."""
    if not missing:
        return
    data = images(*(missing[0].options[key] for key in ("data", "train_size", "test_size")))
    networks = [trial for trial in missing if trial.options["method"] != "pca"]
    for trial in missing:
        if trial.options["method"] == "pca":
            pca = fit_pca(data.X, trial.options["latent_dim"], seed=trial.seed)
            embeddings = [pca.transform(X.reshape(len(X), -1)) for X in (data.X, data.X_test)]
            yield trial, _measure(data, embeddings[0], embeddings[1], trial)
    models = [
        Autoencoder(
            trial.options["method"],
            kind_options={"noise_share": 0.9, "noise_until": 1.0}
            if trial.options["method"] == "denoising"
            else None,
            linear_skip=False,
            validation_fraction=0.0,
            **{name: trial.options[name] for name in NETWORK_OPTIONS},
            random_state=trial.seed,
        )
        for trial in networks
    ]
    for index, diverged in fit_quietly(models, data.X):
        model, trial = models[index], networks[index]
        result: dict[str, Any] = {"diverged": diverged}
        if not diverged:
            result |= _measure(data, model.transform(data.X), model.transform(data.X_test), trial)
        yield trial, result


def _measure(data: Images, embeddings: Array, test: Array, trial: Trial) -> dict[str, Any]:
    flat = data.X_test[:TRUST_SAMPLES].reshape(-1, data.X_test[0].size)
    trust = trustworthiness(flat, test[:TRUST_SAMPLES], n_neighbors=NEIGHBOURS)
    measured: dict[str, Any] = {
        "knn": knn_accuracy(embeddings, data.y, test, data.y_test),
        "trust": float(trust),
    }
    if trial.seed == 0 and trial.options["latent_dim"] == 2:
        measured["embeddings"] = rounded(test[:DRAWN_SAMPLES])
        measured["labels"] = data.y_test[:DRAWN_SAMPLES].tolist()
    return measured


def show(records: list[Record]) -> Findings:
    """Compare 2-D embeddings with PCA's and with the published figures."""
    groups = group(records, "method", "latent_dim")
    knn = {key: spread(values(subset, "knn")) for key, subset in groups.items()}
    trust = {key: spread(values(subset, "trust")) for key, subset in groups.items()}
    of_mnist = all(record["options"]["data"] == "mnist" for record in records)
    holds, verdict = judge(
        {m: accuracy for (m, size), accuracy in knn.items() if size == 2}, of_mnist
    )
    # Published figures say nothing of other images.
    published = {METHODS[m]: figure for m, figure in PUBLISHED.items()} | PUBLISHED_ALONE
    published = published if of_mnist else {}
    rows: list[tuple[object, ...]] = [
        (
            METHODS[method],
            size,
            PUBLISHED.get(method) if size == 2 else None,
            knn[method, size],
            trust[method, size],
            len(subset),
        )
        for (method, size), subset in groups.items()
    ]
    rows += [(name, 2, figure, None, None, None) for name, figure in PUBLISHED_ALONE.items()]
    drawn = {
        m: subset[0]
        for (m, size), subset in groups.items()
        if size == 2 and "embeddings" in subset[0]
    }
    pictures = [
        Picture(
            name="accuracy",
            caption=f"5-NN accuracy of 2-D embeddings{', ours and published' * of_mnist}.",
            figure=compare(
                {METHODS[m]: accuracy for (m, size), accuracy in knn.items() if size == 2}
                | {name: spread([]) for name in PUBLISHED_ALONE if of_mnist},
                unit="5-NN accuracy on test images",
                published={name: Published(figure) for name, figure in published.items()},
            ),
        ),
        Picture(
            name="trustworthiness",
            caption="Trustworthiness of 2-D embeddings: whether neighbours in 2-D are neighbours "
            "among the images.",
            figure=compare(
                {METHODS[m]: measured for (m, size), measured in trust.items() if size == 2},
                unit=f"trustworthiness ({NEIGHBOURS} neighbours; 1 is best)",
            ),
        ),
    ]
    if drawn:
        pictures.append(
            Picture(
                name="embeddings",
                caption="2-D embeddings of test images, coloured by class; the name of each class "
                "is at the median of its embeddings (first seed).",
                figure=_scatter_plots(drawn),
            )
        )
    return Findings(
        holds=holds,
        verdict=verdict,
        tables=[
            Table(
                title="Embeddings by kind",
                columns=(
                    "kind",
                    "latent dimension",
                    "published 5-NN accuracy, MNIST",
                    "our 5-NN accuracy",
                    f"trustworthiness, {NEIGHBOURS} neighbours",
                    "seeds",
                ),
                rows=rows,
                note="Accuracy on test images, neighbours among the embeddings of training images. "
                "Mean ± sd over seeds of weights. UMAP is no autoencoder and was not run.",
            )
        ],
        pictures=pictures,
    )


def judge(knn: Mapping[str, Spread], of_mnist: bool) -> tuple[bool | None, str]:
    """Return whether plain and variational embeddings beat PCA's, and the sentence that says so.

    Parameters
    ----------
    knn : mapping of kind to Spread
        5-NN accuracy of 2-D embeddings.
    of_mnist : bool
        Whether they are comparable with the published figures.
    """
    pca, named = knn["pca"], {m: knn[m] for m in ("plain", "variational")}
    signs = [sign_of_difference(accuracy, pca) for accuracy in named.values()]
    holds = True if min(signs) > 0 else False if min(signs) < 0 else None
    verb = {True: "keep", False: "do not keep", None: "do not clearly keep"}[holds]
    listed = " and ".join(
        f"{accuracy}" + (f" (published {PUBLISHED[m]:.3f})" if of_mnist else "") + f", {m}"
        for m, accuracy in named.items()
    )
    order = sign_of_difference(*named.values())
    beside = {1: "above", 0: "within the noise of", -1: "below"}[order]
    published = f" (published {PUBLISHED['pca']:.3f})" if of_mnist else ""
    others = {
        m: accuracy for m, accuracy in knn.items() if m not in ("pca", *named) and accuracy.count
    }
    best = max(others, key=lambda m: others[m].mean, default=None)
    more = f"; of the other kinds, {METHODS[best]} has most, {others[best]}" if best else ""
    return holds, (
        f"2-D embeddings of autoencoders {verb} classes apart better than PCA's: 5-NN accuracy "
        f"{listed}, against {pca}{published}; plain is {beside} variational{more}."
    )


def _scatter_plots(drawn: Mapping[str, Record]) -> Any:
    columns = min(4, len(drawn))
    rows = -(-len(drawn) // columns)
    with new(columns, rows, width=3.2 * columns, height=3.2 * rows, squeeze=False) as (
        figure,
        axes,
    ):
        for panel in axes.flat:
            panel.set_axis_off()
        for panel, (method, record) in zip(axes.flat, drawn.items(), strict=False):
            panel.set_axis_on()
            latent_scatter(panel, np.array(record["embeddings"]), labels=np.array(record["labels"]))
            panel.set_title(METHODS[method], loc="left")
    return figure


LAB = Lab(
    name="reduction",
    title="Dimension reduction: embeddings in 2-D",
    claim="An autoencoder reduces dimensions. Of 2-D embeddings of MNIST, 5-NN accuracy was "
    "published as 0.420 for PCA, 0.793 for an autoencoder, 0.765 for a variational one, 0.954 for "
    "UMAP and 0.961 for parametric UMAP.",
    source="autoencoder lectures; published 2-D MNIST figures",
    protocol={
        "data": "20,000 MNIST images without labels, the 10,000 official test images; "
        "trustworthiness on 2,000 of them",
        "network": "dense, three hidden layers of 100 on each side, ReLU; 2 latents, or 32",
        "training": "Adam, learning rate 0.002 with a cosine schedule, batches of 128, 20 epochs",
        "kinds": "plain, variational, denoising, stacked, Wasserstein, adversarial and neighbour, "
        "with their defaults",
        "baseline": "PCA with as many components",
        "seeds": "5 a kind; PCA has none",
    },
    trials=trials,
    run=run,
    show=show,
    data=("mnist",),
)
