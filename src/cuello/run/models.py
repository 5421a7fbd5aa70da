"""The models of a run: saved as records and named tensors, and rebuilt from them.

``config.json`` holds the record of each model under its name, ``model.safetensors`` its tensors
under ``NAME/...``.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any, NamedTuple

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from sklearn.utils.validation import check_is_fitted
from torch import Tensor, nn

from cuello import atomic
from cuello.anomalies import AnomalyDetector
from cuello.anomalies.base import SCORES
from cuello.anomalies.fitted import COMBINED, FittedScores, ScoreTail
from cuello.arrays import Record
from cuello.data.scaling import Scaling
from cuello.errors import Argument, CuelloWarning, RunError, Use
from cuello.estimators import Autoencoder
from cuello.estimators.assemble import resolve_network
from cuello.estimators.sources import name_of_source
from cuello.few_label import FewLabelClassifier, FewLabelRegressor
from cuello.few_label.estimator import classifier_of, record_classifier, tensors_of_classifier
from cuello.kinds import KINDS, Diagnosis
from cuello.run.folder import RunFolder
from cuello.train import TrainingConfig

__all__ = [
    "FewLabelModel",
    "Models",
    "arrays_of_detector",
    "autoencoder_of",
    "check_remote_code",
    "detector_of",
    "load_models",
    "record_autoencoder",
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


def record_autoencoder(model: Autoencoder) -> Record:
    """Return everything but the weights; ``resolved`` holds defaults, and ``auto`` resolved."""
    check_is_fitted(model, "module_")
    params = model.get_params(deep=False)
    return {
        "params": params
        | {which: name_of_source(which, params[which]) for which in ("encoder", "decoder")},
        "classes": model.classes_.tolist(),
        "shape": list(model.shape_),
        "scaling": asdict(model.scaling_),
        "training": asdict(model.training_config_),
        "resolved": {
            "latent_dim": model.latent_dim_,
            "loss": model.module_.reconstruction.loss,
            "output_activation": model.module_.reconstruction.output,
            "scaling": model.scaling_.name,
            "epochs": model.training_config_.epochs,
            "batch_size": model.training_config_.batch_size,
            **resolve_network(model.architecture_),
            "kind": model.kind_,
            "network": model.network_,
            "kind_options": {
                name: option.default for name, option in KINDS[model.kind_].options().items()
            }
            | KINDS.implied(model.kind_)
            | dict(model.kind_options or {}),
        },
        "diagnosis": model.diagnosis_._asdict(),
        "embedding_mean": model.embedding_mean_.tolist(),
        "embedding_scale": model.embedding_scale_.tolist(),
    }


def autoencoder_of(record: Record, weights: Tensors) -> Autoencoder:
    """Rebuild what :func:`record_autoencoder` and the module's ``state_dict`` describe."""
    model = Autoencoder(**record["params"])
    model.shape_ = tuple(record["shape"])
    model.n_features_in_ = model.shape_[0]
    model.scaling_ = Scaling.from_json(record["scaling"])
    model.embedding_mean_ = np.asarray(record["embedding_mean"], dtype=np.float32)
    model.embedding_scale_ = np.asarray(record["embedding_scale"], dtype=np.float32)
    model.training_config_ = TrainingConfig(**record["training"])
    model.history_ = []
    model.classes_ = np.asarray(record["classes"])
    model.diagnosis_ = Diagnosis(**record["diagnosis"])
    # Without memory first: a record may ask for more than there are weights for.
    with torch.device("meta"):
        _check_shapes(model.build_module(seed=0), weights)
    module = model.build_module(seed=0)
    model.latent_dim_ = model._n_features_out = module.latent_dim
    if {len(model.embedding_mean_), len(model.embedding_scale_)} != {module.latent_dim}:
        raise ValueError("mean and deviation of the embeddings are of other latents")
    module.load_state_dict(dict(weights))
    model.module_ = module.eval()
    return model


def _check_shapes(module: nn.Module, weights: Tensors) -> None:
    """Refuse weights of another number, name or shape than the module's."""
    wanted = {name: tuple(tensor.shape) for name, tensor in module.state_dict().items()}
    read = {name: tuple(tensor.shape) for name, tensor in weights.items()}
    if wanted != read:
        name = min(name for name, _ in wanted.items() ^ read.items())
        raise ValueError(
            f"weights {name!r} have shape {read.get(name)}, the model's have {wanted.get(name)}"
        )


def projector_of(record: Record, weights: Tensors, autoencoder: Autoencoder) -> Autoencoder:
    """Rebuild the projector of an autoencoder's embeddings; refuse that of another one."""
    if any(record["params"][which] is not None for which in ("encoder", "decoder")):
        raise ValueError("the projector names custom networks, which no projector has")
    projector = autoencoder_of(record, weights)
    if projector.shape_ != (autoencoder.latent_dim_,) or projector.latent_dim_ != 2:
        raise ValueError("the projector is of another autoencoder")
    return projector


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
