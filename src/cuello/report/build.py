"""From a run folder to the page: gathers what :mod:`cuello.report.page` draws."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.decomposition import PCA

from cuello import atomic
from cuello.networks import NETWORKS
from cuello.report.content import Gallery, LatentProjection, ReportContent
from cuello.report.page import render
from cuello.run.folder import RunFolder

__all__ = ["gather", "write_report"]

Arrays = dict[str, npt.NDArray[Any]]

_SHOWN_LATENTS = 8

_MADE = {"original": "original", "model": "model", "pca": "PCA"}


@dataclass(frozen=True)
class _Shown:
    """How a gallery is called, and which arrays it has: names in the file to names on the page."""

    title: str
    caption: str
    versions: Mapping[str, str]
    figures: Mapping[str, str]


_GALLERIES = {
    name: _Shown(title, caption, _MADE, {"errors": "MSE"})
    for name, title, caption in (
        ("typical", "Test rows", "Drawn at random from the test part."),
        ("best", "Best reconstructions", "The smallest errors of the test part."),
        ("worst", "Worst reconstructions", "The largest errors of the test part."),
    )
}
_USES = {
    "anomalous": _Shown(
        "Anomalies",
        "The strangest test rows. Of score 2, one usual row in 100 is as strange, of 3 one in "
        "1,000. `cuello anomalies` gives all rows a score, and says what about them is strange.",
        {"original": "original", "model": "model"},
        {"scores": "score"},
    ),
    "denoised": _Shown(
        "Cleaned rows",
        "Test rows, the same damaged by the noise that the model learned with (Gaussian, of 0.3 "
        "of the range, where it learned with none), and what it makes of those, scaled. "
        "`cuello denoise` cleans rows of yours.",
        {"original": "original", "noisy": "noisy", "result": "cleaned"},
        {"before": "noise, MSE", "after": "left, MSE"},
    ),
    "sampled": _Shown(
        "New rows",
        "Decoded from codes that were drawn, not from any row; below each the nearest training "
        "row, and how far it is (root of the mean squared difference, scaled). "
        "`cuello sample` makes more.",
        {"original": "new", "nearest": "nearest"},
        {"distance": "distance"},
    ),
}


def write_report(folder: RunFolder) -> None:
    """Write ``report.html`` from the other files of a run folder."""
    atomic.write_bytes(folder.report, render(gather(folder)).encode())


def gather(folder: RunFolder) -> ReportContent:
    """Collect what the page shows.

    Raises
    ------
    RunError
        If the run is not finished or a file is damaged.
    """
    config, metrics = folder.read_json("config.json"), folder.read_json("metrics.json")
    arrays = folder.read_arrays("examples.npz")
    classes = tuple(config["data"]["classes"])
    sequences = NETWORKS[config["autoencoder"]["params"]["network"]].is_sequence
    low, span = (0.0, 1.0) if sequences else _unit_range(arrays)

    def drawn(all_shown: Mapping[str, _Shown]) -> tuple[Gallery, ...]:
        return tuple(
            _gallery(arrays, name, shown, classes, low, span, sequences=sequences)
            for name, shown in all_shown.items()
            if f"{name}_original" in arrays
        )

    return ReportContent(
        title=f"{config['data']['name']}: {config['autoencoder']['params']['kind']} autoencoder",
        options=_options(config),
        notes=tuple(config["notes"]),
        history=folder.read_lines("history.jsonl"),
        metrics=metrics,
        classes=classes,
        latent=_latent_map(arrays, classes),
        galleries=drawn(_GALLERIES),
        uses=drawn(_USES),
        columns=_columns(config),
    )


def _unit_range(arrays: Arrays) -> tuple[float, float]:
    """Return what to subtract from, and divide pixels by, to have them in 0..1; tables stay."""
    shown = arrays.get("typical_original", np.empty((0, 0)))
    if shown.dtype == np.uint8:
        return 0.0, 255.0
    if shown.ndim < 3 or (shown.min() >= 0.0 and shown.max() <= 1.0):
        return 0.0, 1.0
    low, high = float(shown.min()), float(shown.max())
    return low, max(high - low, 1e-12)


def _latent_map(arrays: Arrays, classes: tuple[str, ...]) -> LatentProjection | None:
    if "projection_embeddings" not in arrays:
        return None
    codes = arrays["projection_embeddings"].astype(np.float64)
    if codes.shape[1] == 1:
        xy = np.column_stack([codes[:, 0], arrays["projection_errors"]])
        axes = ("latent 1", "reconstruction error")
    elif codes.shape[1] == 2:
        xy, axes = codes, ("latent 1", "latent 2")
    elif "projection_coordinates" in arrays:
        xy, axes = arrays["projection_coordinates"], ("learned projection of the embeddings", "")
    else:
        # A single row has no components: it is where the mean is.
        pca = PCA(2, random_state=0).fit(codes) if len(codes) > 1 else None
        xy = np.zeros((len(codes), 2)) if pca is None else pca.transform(codes)
        shares = (0.0, 0.0) if pca is None else pca.explained_variance_ratio_
        first, second = (f"{100 * share:.0f} %" for share in shares)
        axes = (
            f"first principal component of the codes ({first})",
            f"second principal component of the codes ({second})",
        )
    labels = arrays.get("projection_labels")
    numbers = labels is not None and _are_numbers(labels) and not np.isnan(labels).all()
    return LatentProjection(
        xy=xy.astype(np.float32),
        axes=axes,
        label=labels if classes else None,
        names=_names(arrays["projection_rows"], None, ()),  # the class has a line of its own
        images=arrays.get("projection_images"),
        value=labels if numbers else None,
    )


def _gallery(
    arrays: Arrays,
    name: str,
    shown: _Shown,
    classes: tuple[str, ...],
    low: float,
    span: float,
    *,
    sequences: bool,
) -> Gallery:
    return Gallery(
        title=shown.title,
        caption=shown.caption,
        versions={
            called: (arrays[f"{name}_{version}"] - low) / span
            for version, called in shown.versions.items()
        },
        figures={called: arrays[f"{name}_{figure}"] for figure, called in shown.figures.items()},
        names=_names(arrays[f"{name}_rows"], arrays.get(f"{name}_labels"), classes),
        sequences=sequences,
    )


def _names(
    rows: npt.NDArray[Any], labels: npt.NDArray[Any] | None, classes: tuple[str, ...]
) -> tuple[str, ...]:
    if labels is None or not (classes or _are_numbers(labels)):
        return tuple(f"row {row}" for row in rows)
    return tuple(
        f"row {row}, {_label(label, classes)}" for row, label in zip(rows, labels, strict=True)
    )


def _are_numbers(labels: npt.NDArray[Any]) -> bool:
    return labels.ndim == 1 and labels.dtype.kind == "f"


def _label(label: Any, classes: tuple[str, ...]) -> str:
    if not label >= 0 and (classes or np.isnan(label)):
        return "unlabelled"
    return classes[label] if classes else f"label {label:g}"


def _columns(config: Mapping[str, Any]) -> tuple[str, ...]:
    from cuello.data import Dataset

    encoding = config["data"].get("encoding") or {}
    empty = np.empty((0, 0))
    return Dataset(X=empty, name="", source="", encoding=encoding).columns


def _options(config: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    data, job = config["data"], config["job"]
    params = config["autoencoder"]["params"]
    rows = data["rows"]
    own_network = ("encoder", "decoder") if params["encoder"] else ("network", "network_options")
    model = (
        "kind", "kind_options", *own_network, "hidden", "latent_dim", "activation",
        "latent_activation", "initializer", "batch_norm", "dropout", "loss", "reduction",
        "output_activation", "scaling",
    )  # fmt: skip
    hidden = {"network", "network_options", "encoder", "decoder"}
    training = [name for name in params if name not in {*model, *hidden}]
    chosen = config["autoencoder"]["resolved"]
    shown = {
        "data": {
            "name": data["name"],
            "source": data["source"],
            "rows": ", ".join(f"{n:,} {part}" for part, n in rows.items()),
            "shape of a row": " x ".join(map(str, data["shape"])),
            **_what_labels_say(data),
            "labels": job["labels"] or "none kept",
            "fingerprint": data["fingerprint"][:16],
        },
        "model": {name: _decided(name, params, chosen) for name in model},
        "training": {name: _decided(name, params, chosen) for name in training},
        "versions": {name: str(value) for name, value in config["versions"].items()},
    }
    diagnosis = config["autoencoder"]["diagnosis"]["statistics"]
    if diagnosis:
        shown["what became of it"] = {
            name.replace("_", " "): _statistic(value) for name, value in diagnosis.items()
        }
    if config.get("command"):
        shown["versions"]["command"] = config["command"]
    return shown


def _what_labels_say(data: Mapping[str, Any]) -> dict[str, str]:
    task = data.get("task", "multiclass")
    if task == "multilabel":
        return {"properties": ", ".join(data["properties"])}
    return {
        "classes": "none; labels are numbers"
        if task == "regression"
        else ", ".join(data["classes"]) or "none"
    }


def _decided(name: str, params: Mapping[str, Any], chosen: Mapping[str, Any]) -> str:
    decided = _text(chosen.get(name, params[name]))
    return f"auto: {decided}" if params[name] == "auto" and name in chosen else decided


def _statistic(value: float | list[float]) -> str:
    if isinstance(value, list):
        shown = ", ".join(f"{v:.2g}" for v in value[:_SHOWN_LATENTS])
        more = len(value) - _SHOWN_LATENTS
        return shown + (f" and {more} more" if more > 0 else "")
    return f"{value:.4g}"


def _text(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none"
    if isinstance(value, dict):
        return ", ".join(f"{k} {v}" for k, v in value.items()) or "none"
    words = {None: "none", True: "yes", False: "no"}
    return words[value] if value is None or isinstance(value, bool) else str(value)
