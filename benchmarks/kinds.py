"""Compare every kind with PCA on MNIST: reconstruction with few latents, a linear probe of 32.

Nothing is chosen on the test set: every kind runs with its defaults.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import cuello
from benchmarks.timing import Result, Settings
from cuello import kinds
from cuello.metrics import mean_sd, sample_errors

__all__ = ["run"]

Array = npt.NDArray[Any]

LATENTS = (2, 8, 32)
PROBED = 32
SEEDS = (0, 1)
EPOCHS = 6
FIGURE = Path("docs/kinds.svg")


def run(settings: Settings) -> Result:
    """Measure."""
    try:
        data = cuello.load("mnist", offline=True)
    except cuello.DataError:
        return Result(name="kinds", columns=(), rows=[], notes=["needs MNIST: set CUELLO_DATA."])
    assert data.y is not None
    assert data.X_test is not None
    assert data.y_test is not None
    chosen = slice(0, settings.rows)
    train, test = (data.X[chosen], data.y[chosen]), (data.X_test, data.y_test)
    seeds = SEEDS[:1] if settings.quick else SEEDS
    epochs = 1 if settings.quick else EPOCHS
    table: dict[str, dict[int, list[float]]] = {"PCA": _pca_errors(train[0], test[0])}
    probes = {"PCA": [_pca_probe(train, test)]}
    for kind in sorted(kinds.KINDS):
        table[kind], probes[kind] = {latents: [] for latents in LATENTS}, []
        for latents in LATENTS:
            for seed in seeds if latents == PROBED else seeds[:1]:
                model = cuello.Autoencoder(
                    kind=kind, latent_dim=latents, epochs=epochs, random_state=seed
                ).fit(train[0], train[1] if kinds.KINDS[kind].needs_labels else None)
                error = sample_errors(test[0] / 255.0, model.reconstruct(test[0]) / 255.0)
                table[kind][latents].append(float(error.mean()))
                if latents == PROBED:
                    embeddings = model.transform(train[0]), model.transform(test[0])
                    probes[kind].append(_probe(embeddings, train[1], test[1]))
    if not settings.quick:
        _draw(table)
    rows: list[tuple[object, ...]] = [
        (name, *(np.mean(table[name][k]) for k in LATENTS), *mean_sd(probes[name]))
        for name in table
    ]
    return Result(
        name="kinds",
        columns=(
            "kind",
            *(f"test MSE, {k} latents" for k in LATENTS),
            f"linear probe of {PROBED} latents, %",
            "sd",
        ),
        rows=rows,
        notes=[
            f"{len(train[0])} training images, dense 784-512-256, {epochs} epochs, batch 128, the "
            "kind's defaults; squared error per pixel in 0..1 on the official test images.",
            "Linear probe: logistic regression on the embeddings of all training images; "
            f"{len(seeds)} seeds with 32 latents, one with 2 and 8. `conditional` is given the "
            "classes of the training images; it reconstructs with the class that fits best.",
        ],
    )


def _pca_errors(train: Array, test: Array) -> dict[int, list[float]]:
    fitted = PCA(max(LATENTS), random_state=0).fit(_flat(train))
    flat = _flat(test)
    embeddings = fitted.transform(flat)
    return {
        k: [
            float(
                np.square(flat - embeddings[:, :k] @ fitted.components_[:k] - fitted.mean_).mean()
            )
        ]
        for k in LATENTS
    }


def _pca_probe(train: tuple[Array, Array], test: tuple[Array, Array]) -> float:
    fitted = PCA(PROBED, random_state=0).fit(_flat(train[0]))
    embeddings = fitted.transform(_flat(train[0])), fitted.transform(_flat(test[0]))
    return _probe(embeddings, train[1], test[1])


def _probe(embeddings: tuple[Array, Array], y: Array, y_test: Array) -> float:
    line = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000)).fit(embeddings[0], y)
    return 100.0 * float(line.score(embeddings[1], y_test))


def _flat(images: Array) -> Array:
    return images.reshape(len(images), -1).astype(np.float32) / 255.0


def _draw(table: dict[str, dict[int, list[float]]]) -> None:
    """Draw the reconstruction errors, PCA as the line to beat."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(7, 4.2), layout="constrained")
    names = [name for name in table if name != "PCA"]
    names.sort(key=lambda name: np.mean(table[name][PROBED]))
    shades = plt.get_cmap("viridis")([0.85, 0.5, 0.1])
    for offset, (latents, shade) in enumerate(zip(LATENTS, shades, strict=True)):
        at = np.arange(len(names)) + 0.27 * (offset - 1)
        means = [np.mean(table[name][latents]) for name in names]
        axes.bar(at, means, 0.25, color=shade, label=f"{latents} latents")
        axes.axhline(table["PCA"][latents][0], color=shade, linestyle="--", linewidth=1.2)
    axes.set_xticks(range(len(names)), names, rotation=30, ha="right")
    axes.set_ylabel("test MSE per pixel (0..1)")
    axes.set_title("Reconstruction on MNIST; dashed: PCA with as many components")
    figure.legend(loc="outside lower center", ncols=len(LATENTS), frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(FIGURE)
    plt.close(figure)
