"""Fitted autoencoders as plain JSON values and named weights, and back: no pickle."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict

import numpy as np
import torch
from sklearn.utils.validation import check_is_fitted
from torch import Tensor, nn

from cuello.arrays import Record
from cuello.data.scaling import Scaling
from cuello.estimators.assemble import resolve_network
from cuello.estimators.autoencoder import Autoencoder
from cuello.estimators.sources import name_of_source
from cuello.kinds import KINDS, Diagnosis
from cuello.train import TrainingConfig

__all__ = ["Record", "Weights", "autoencoder_of", "projector_of", "record_autoencoder"]

Weights = Mapping[str, Tensor]


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
            "kind_options": {
                name: option.default for name, option in KINDS[model.kind].options().items()
            }
            | KINDS.implied(model.kind)
            | dict(model.kind_options or {}),
        },
        "diagnosis": model.diagnosis_._asdict(),
        "embedding_mean": model.embedding_mean_.tolist(),
        "embedding_scale": model.embedding_scale_.tolist(),
    }


def autoencoder_of(record: Record, weights: Weights) -> Autoencoder:
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


def _check_shapes(module: nn.Module, weights: Weights) -> None:
    """Refuse weights of another number, name or shape than the module's."""
    wanted = {name: tuple(tensor.shape) for name, tensor in module.state_dict().items()}
    read = {name: tuple(tensor.shape) for name, tensor in weights.items()}
    if wanted != read:
        name = min(name for name, _ in wanted.items() ^ read.items())
        raise ValueError(
            f"weights {name!r} have shape {read.get(name)}, the model's have {wanted.get(name)}"
        )


def projector_of(record: Record, weights: Weights, autoencoder: Autoencoder) -> Autoencoder:
    """Rebuild the projector of an autoencoder's embeddings; refuse that of another one."""
    if any(record["params"][which] is not None for which in ("encoder", "decoder")):
        raise ValueError("the projector names custom networks, which no projector has")
    projector = autoencoder_of(record, weights)
    if projector.shape_ != (autoencoder.latent_dim_,) or projector.latent_dim_ != 2:
        raise ValueError("the projector is of another autoencoder")
    return projector
