"""Contents to draw: digits with PCA standing in for the model, a table, and an empty run."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from sklearn.datasets import load_digits, load_wine
from sklearn.decomposition import PCA

from cuello.report.content import Gallery, LatentProjection, ReportContent
from cuello.run.few_labels import display_name

HOSTILE = "</script><script>window.broken=1</script>\"'&<img src=x onerror=window.broken=1>"

METHODS = {
    "pca_logistic": 0.842,
    "knn_pixels": 0.861,
    "from_scratch": 0.803,
    "linear_probe": 0.884,
    "fine_tune_slow": 0.921,
    "fine_tune": 0.913,
}

NUMBERS = {
    "pca_ridge": 0.412,
    "knn_pixels": 0.301,
    "from_scratch": 0.254,
    "linear_probe": 0.433,
    "fine_tune_slow": 0.467,
    "fine_tune": -0.055,
}


METRICS: dict[str, Any] = {
    "data": {
        "name": "empty",
        "source": "nowhere",
        "task": "multiclass",
        "shape": [4],
        "classes": [],
        "properties": [],
        "rows": {"train": 9, "validation": 0, "test": 0},
    },
    "reconstruction": {
        "test_mse": float("nan"),
        "pca_test_mse": float("nan"),
        "latent_dim": 2,
        "pca_components": 2,
    },
    "few_labels": [],
    "timing": {
        "train_seconds": 1.0,
        "epochs": 1,
        "rows_per_second": 9.0,
        "few_label_seconds": 0.0,
        "total_seconds": 1.0,
        "peak_memory_mb": None,
    },
}
"""Of a run without test samples and labels."""


def config(name: str, **params: Any) -> dict[str, Any]:
    """Return what a report shows of config.json."""
    names = (
        "kind", "kind_options", "network", "network_options", "encoder", "decoder", "hidden",
        "latent_dim", "activation", "latent_activation", "initializer", "batch_norm", "dropout",
        "loss", "reduction", "output_activation", "scaling", "optimizer", "epochs",
    )  # fmt: skip
    return {
        "command": "cuello fit digits --kind denoising --labels 100 --seed 0",
        "job": {"labels": "100"},
        "data": METRICS["data"] | {"name": name, "fingerprint": "0123456789abcdef" * 4},
        "notes": [],
        "versions": {"cuello": "0.1.0", "torch": "2.13.0"},
        "autoencoder": {
            "params": dict.fromkeys(names) | params,
            "resolved": {},
            "diagnosis": {"statistics": {}},
        },
    }


def empty() -> ReportContent:
    return ReportContent(
        title="Nothing yet",
        config=config("nothing") | {"command": None},
        metrics=METRICS,
        history=[],
        classes=(),
        latent=None,
    )


def few_label_rows(
    labels: int = 100, repeats: int = 5, *, is_table: bool = False
) -> list[dict[str, Any]]:
    generator = np.random.default_rng(0)
    rows = []
    for method, mean in METHODS.items():
        draws = mean + 0.012 * generator.standard_normal(repeats)
        rows.append(
            {
                "method": method,
                "display_name": display_name(method, is_table=is_table),
                "labels": labels,
                "repeats": repeats,
                "accuracy_mean": float(draws.mean()),
                "accuracy_sd": float(draws.std(ddof=1)) if repeats > 1 else 0.0,
                "macro_f1_mean": float(draws.mean() - 0.004),
                "macro_f1_sd": float(draws.std()),
                "cv_accuracy_mean": float(draws.mean() - 0.01),
                "accuracy": draws.tolist(),
            }
        )
    return rows


def curves(epochs: int, terms: tuple[str, ...] = ("reconstruction", "kl")) -> list[dict[str, Any]]:
    generator = np.random.default_rng(1)
    history = []
    for epoch in range(1, epochs + 1):
        base = 0.02 + 0.2 * float(np.exp(-epoch / 8))
        train = {t: base / (i + 1) * (1 + 0.03 * generator.random()) for i, t in enumerate(terms)}
        rise = 1.05 + max(0, epoch - 35) * 0.004
        validation = {t: v * rise * (1 + 0.04 * generator.random()) for t, v in train.items()}
        history.append(
            {
                "epoch": epoch,
                "train": train,
                "validation": validation,
                "learning_rate": 0.001 * 0.5 ** (epoch // 20),
                "seconds": 0.8,
            }
        )
    return history


def confusion(classes: tuple[str, ...], seed: int = 0) -> dict[str, Any]:
    generator = np.random.default_rng(seed)
    count = len(classes)
    matrix = generator.poisson(0.4, (count, count)) + np.diag(generator.integers(25, 40, count))
    if count > 8:
        matrix[8, 1] = 9
    return {"method": "fine_tune_slow", "matrix": matrix.tolist(), "classes": list(classes)}


def digits(epochs: int = 50) -> ReportContent:
    """Draw the bundled digits, 500 of them as a test split."""
    data = load_digits()
    images, target = data.images / 16, data.target
    train, test = images[500:].reshape(-1, 64), images[:500].reshape(-1, 64)
    model, pca = PCA(16, random_state=0).fit(train), PCA(8, random_state=0).fit(train)
    made = [p.inverse_transform(p.transform(test)).reshape(-1, 8, 8) for p in (model, pca)]
    error = ((made[0] - images[:500]) ** 2).mean(axis=(1, 2))
    classes = tuple(str(digit) for digit in range(10))

    def gallery(title: str, caption: str, rows: Any) -> Gallery:
        return Gallery(
            title=title,
            caption=caption,
            versions={"original": images[rows], "model": made[0][rows], "PCA": made[1][rows]},
            figures={"MSE": error[rows]},
            names=tuple(f"{row}: {classes[target[row]]}" for row in rows),
        )

    order = np.argsort(error)
    latent = LatentProjection(
        xy=model.transform(test)[:, :2].astype(np.float32),
        axes=("first principal component (14 %)", "second principal component (11 %)"),
        label=target[:500].astype(np.int64),
        names=tuple(f"test row {row}" for row in range(500)),
        images=np.round(images[:500] * 255).astype(np.uint8),
    )
    return ReportContent(
        title="Denoising autoencoder on digits, 100 labels",
        config=config("digits", kind="denoising", hidden=[512, 256], epochs=epochs)
        | {
            "notes": [
                "No test split came with the data; 500 samples were set aside at random.",
                "12 rows that occur twice were kept.",
            ]
        },
        history=curves(epochs),
        metrics={
            "data": METRICS["data"]
            | {
                "name": "digits",
                "shape": [8, 8],
                "classes": list(classes),
                "rows": {"train": 1000, "validation": 297, "test": 500},
            },
            "reconstruction": {"test_mse": 0.01234, "pca_test_mse": 0.02013, "latent_dim": 16},
            "summary": ["Task 'multiclass': 10 classes."],
            "few_labels": few_label_rows(),
            "method": "fine_tune_slow",
            "evaluated_on": "test split (500 samples)",
            "confusion": confusion(classes),
            "timing": {
                "train_seconds": 41.3,
                "epochs": epochs,
                "rows_per_second": 31234.5,
                "few_label_seconds": 83.0,
                "total_seconds": 131.0,
                "peak_memory_mb": 612.4,
            },
        },
        classes=classes,
        latent=latent,
        galleries=(
            gallery(
                "Test reconstructions", "Twelve test samples taken at random.", list(range(12))
            ),
            gallery("Best reconstructions", "Test samples with the lowest error.", order[:8]),
            gallery(
                "Worst reconstructions", "Test samples with the highest error.", order[-8:][::-1]
            ),
        ),
    )


def wine() -> ReportContent:
    """Draw a table: no images, three classes, thirteen columns."""
    data = load_wine()
    X = data.data
    centre, spread = X.mean(axis=0), X.std(axis=0)
    made = []
    for size in (5, 3):
        pca = PCA(size, random_state=0).fit((X - centre) / spread)
        codes = pca.transform((X - centre) / spread)
        made.append(pca.inverse_transform(codes) * spread + centre)
    error = (((made[0] - X) / spread) ** 2).mean(axis=1)
    rows = np.argsort(-error)[:5]
    base = digits()
    names = tuple(f"row {row}" for row in range(len(X)))
    return replace(
        base,
        title="Autoencoder on wine",
        classes=("Barolo", "Grignolino", "Barbera"),
        metrics=base.metrics
        | {
            "data": base.metrics["data"] | {"name": "wine", "shape": [X.shape[1]]},
            "few_labels": few_label_rows(is_table=True),
            "confusion": confusion(("Barolo", "Grignolino", "Barbera")),
        },
        columns=tuple(data.feature_names),
        latent=LatentProjection(
            xy=codes[:, :2].astype(np.float32),
            axes=("latent 1", "latent 2"),
            label=data.target.astype(np.int64),
            names=names,
            images=None,
        ),
        galleries=(
            Gallery(
                title="Worst reconstructions",
                caption="Rows with the highest error, after scaling.",
                versions={"original": X[rows], "model": made[0][rows], "PCA": made[1][rows]},
                figures={"MSE": error[rows]},
                names=tuple(names[row] for row in rows),
            ),
        ),
    )


def number_rows(repeats: int = 3) -> list[dict[str, Any]]:
    rows = []
    for method, mean in NUMBERS.items():
        values = [mean + 0.02 * (i - (repeats - 1) / 2) for i in range(repeats)]
        rows.append(
            {
                "method": method,
                "display_name": display_name(method, is_table=True),
                "labels": 150,
                "repeats": repeats,
                "r2": values,
                "r2_mean": mean,
                "r2_sd": 0.02,
                "mae_mean": 43.256,
                "mae_sd": 1.25,
                "cv_r2_mean": None if method == "fine_tune" else mean - 0.01,
            }
        )
    return rows


def numbers() -> ReportContent:
    """Draw a table whose labels are numbers."""
    pairs = {"true": [1.0, 2.0, float("nan"), 30.0], "predicted": [1.5, 2.0, 3.0, 28.123456]}
    base = wine()
    data = base.metrics["data"] | {"task": "regression", "name": "diabetes", "classes": []}
    assert base.latent is not None
    value = np.arange(len(base.latent.xy)) / 8.0
    value[1] = np.nan
    return _without_classes(
        replace(base, latent=replace(base.latent, value=value)),
        data=data,
        few_labels=number_rows(),
        scatter={"method": "fine_tune_slow", "name": "a < b & c", **pairs},
    )


def several() -> ReportContent:
    """Draw digits whose labels are three properties."""
    counts = [[[40, 10], [5, 45]], [[90, 0], [10, 0]], [[100, 0], [0, 0]]]
    names = ["even", HOSTILE, "prime"]
    base = digits()
    return _without_classes(
        base,
        data=base.metrics["data"] | {"task": "multilabel", "classes": [], "properties": names},
        properties={"method": "fine_tune_slow", "names": names, "counts": counts},
    )


def _without_classes(content: ReportContent, **metrics: Any) -> ReportContent:
    rest = {key: value for key, value in content.metrics.items() if key != "confusion"}
    assert content.latent is not None
    latent = replace(content.latent, label=None)
    return replace(content, classes=(), metrics=rest | metrics, latent=latent)
