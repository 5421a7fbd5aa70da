"""The models of a run: saved as records and named tensors, and rebuilt from them.

``config.json`` holds the record of each model under its name, ``model.safetensors`` its tensors
under ``NAME/...``.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from sklearn.utils.validation import check_is_fitted
from torch import Tensor

from cuello import atomic
from cuello.anomalies import AnomalyDetector
from cuello.anomalies.base import SCORES
from cuello.anomalies.fitted import COMBINED, FittedScores, ScoreTail
from cuello.arrays import Record
from cuello.errors import Argument, CuelloWarning, RunError, Use
from cuello.estimators import Autoencoder
from cuello.estimators.records import autoencoder_of, projector_of, record_autoencoder
from cuello.few_label import FewLabelClassifier, FewLabelRegressor
from cuello.few_label.estimator import classifier_of, record_classifier, tensors_of_classifier
from cuello.run.folder import RunFolder

__all__ = [
    "FewLabelModel",
    "Models",
    "arrays_of_detector",
    "check_remote_code",
    "detector_of",
    "load_models",
    "record_detector",
    "save_models",
]

FewLabelModel = FewLabelClassifier | FewLabelRegressor

Tensors = Mapping[str, Tensor]


class Models(NamedTuple):
    """The estimators of a run; None where it has none (see :class:`cuello.run.Run`)."""

    autoencoder: Autoencoder
    classifier: FewLabelModel | None = None
    detector: AnomalyDetector | None = None
    projection: Autoencoder | None = None


class _Part(NamedTuple):
    """Functions that save and rebuild a model."""

    record: Callable[[Any], Record]
    tensors: Callable[[Any], Tensors]
    load: Callable[[Record, Tensors, Any], Any]
    """From record, tensors and the autoencoder of the run; raises where they do not fit."""


def _weights(model: Any) -> Tensors:
    weights: Tensors = model.module_.state_dict()
    return weights


def record_detector(detector: AnomalyDetector) -> Record:
    """Return everything but the arrays and the autoencoder."""
    check_is_fitted(detector, "scores_")
    params = detector.get_params(deep=False)
    del params["autoencoder"], params["random_state"]
    fitted = detector.scores_
    return {
        "params": params,
        "threshold": detector.threshold_,
        "scores": {name: list(learned) for name, learned in fitted.learned.items()},
        "combined": list(fitted.members),
        "held_out": fitted.n_held_out,
    }


def arrays_of_detector(detector: AnomalyDetector) -> dict[str, Tensor]:
    """Return the learned arrays, by ``learned/SCORE/ARRAY`` and ``tails/SCORE``."""
    fitted = detector.scores_
    arrays = {
        f"learned/{score}/{name}": array
        for score, learned in fitted.learned.items()
        for name, array in learned.items()
    } | {f"tails/{name}": tail.scores for name, tail in fitted.tails.items()}
    return {name: torch.from_numpy(np.asarray(array)) for name, array in arrays.items()}


def detector_of(record: Record, arrays: Tensors, autoencoder: Autoencoder) -> AnomalyDetector:
    """Rebuild the detector that :func:`record_detector` and :func:`arrays_of_detector` describe.

    Scores that are not registered here are left out. Raise KeyError, TypeError or ValueError where
    record, arrays and autoencoder do not belong together.
    """
    method, members = record["params"]["method"], tuple(record["combined"])
    for name in [name for name in record["scores"] if name not in SCORES]:
        problem = f"the anomaly score {name!r} is not registered; import the module that defines it"
        if name in (method, *members):
            raise ValueError(problem)
        warnings.warn(f"{problem}, or do without", CuelloWarning, stacklevel=2)
    learned = {
        name: {key: arrays[f"learned/{name}/{key}"].numpy() for key in keys}
        for name, keys in record["scores"].items()
        if name in SCORES
    }
    for name, kept in learned.items():
        if kept:
            SCORES[name].check(kept, autoencoder)
    tails = {name: ScoreTail(arrays[f"tails/{name}"].numpy()) for name in (*learned, COMBINED)}
    detector = AnomalyDetector(autoencoder, **record["params"])
    detector.autoencoder_ = autoencoder
    detector.n_features_in_ = autoencoder.n_features_in_
    detector.scores_ = FittedScores(learned, tails, members, int(record["held_out"]))
    detector.threshold_ = float(record["threshold"])
    detector.offset_ = -detector.threshold_
    detector.false_positive_rate_ = detector.scores_.count_positives(method, detector.threshold_)
    return detector


_MODEL_PARTS = {
    "autoencoder": _Part(record_autoencoder, _weights, lambda r, t, _: autoencoder_of(r, t)),
    "classifier": _Part(record_classifier, tensors_of_classifier, classifier_of),
    "detector": _Part(record_detector, arrays_of_detector, detector_of),
    "projection": _Part(record_autoencoder, _weights, projector_of),
}


def save_models(folder: RunFolder, models: Models) -> None:
    """Write tensors, and into the configuration the records that rebuild the models."""
    tensors: dict[str, Tensor] = {}
    records: dict[str, Record | None] = dict.fromkeys(_MODEL_PARTS)
    for name, model in models._asdict().items():
        if model is not None:
            records[name] = _MODEL_PARTS[name].record(model)
            tensors |= {f"{name}/{k}": v for k, v in _MODEL_PARTS[name].tensors(model).items()}
    # Tensors that share memory cannot be written.
    copies = {name: tensor.clone().contiguous() for name, tensor in tensors.items()}
    atomic.write(folder.weights, lambda temporary: save_file(copies, temporary))
    folder.set_config(**records)


def check_remote_code(folder: RunFolder, params: object, *, trust_remote_code: bool) -> None:
    """Refuse (RunError) options that name networks to import, unless the folder is trusted."""
    networks = [params.get(w) for w in ("encoder", "decoder")] if isinstance(params, dict) else []
    if any(networks) and not trust_remote_code:
        raise RunError(
            f"{folder.path} was trained with its own networks: opening it imports and runs "
            f"{' and '.join(map(str, networks))}",
            remedy=["if you trust whoever wrote that folder, ", Use("trust_remote_code", True)],
        )


def load_models(folder: RunFolder, *, trust_remote_code: bool = False) -> Models:
    """Rebuild the models of a finished run, equal to the saved ones to the bit.

    Refuse (RunError) files that are missing, damaged, or of different runs, and networks to import
    unless the folder is trusted: without ``trust_remote_code`` nothing in it can run code.
    """
    config = folder.read_json("config.json")
    record = config.get("autoencoder")
    params = record.get("params") if isinstance(record, dict) else None
    check_remote_code(folder, params, trust_remote_code=trust_remote_code)
    if not folder.weights.is_file():
        raise RunError(
            f"{folder.weights} does not exist: the run is not finished",
            remedy=["continue it with ", Argument("resume", str(folder.path))],
        )
    try:
        with safe_open(folder.weights, framework="pt") as f:
            tensors = {name: f.get_tensor(name) for name in f.keys()}  # noqa: SIM118
        foreign = [name for name in tensors if name.partition("/")[0] not in _MODEL_PARTS]
        if foreign:
            raise ValueError(f"tensor {foreign[0]!r} belongs to no model")
        models: dict[str, Any] = {}
        for name, part in _MODEL_PARTS.items():
            of_model = {
                key.removeprefix(f"{name}/"): tensor
                for key, tensor in tensors.items()
                if key.startswith(f"{name}/")
            }
            if name == "autoencoder" or config[name] is not None:
                models[name] = part.load(config[name], of_model, models.get("autoencoder"))
        return Models(**models)
    except (OSError, SafetensorError, KeyError, TypeError, ValueError, RuntimeError) as error:
        reason = " ".join(str(error).split())[:300] or type(error).__name__
        raise RunError(
            f"{folder.path}: config.json and model.safetensors cannot be used together ({reason})",
            remedy="restore the folder or run the fit again",
        ) from error
