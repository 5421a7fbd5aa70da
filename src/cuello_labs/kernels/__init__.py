"""Compiled training steps for stacks of small plain dense networks.

:mod:`cuello.train.many` finds this module by the entry point ``cuello.compiled_training``.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn
from torch.nn.utils import parameters_to_vector, vector_to_parameters

from cuello.train import Callback, Rows, TrainingConfig
from cuello.train.stack import Histories
from cuello_labs.kernels.plain_dense import layers_of, train_plain_dense
from cuello_labs.kernels.steps import available

__all__ = ["available", "train"]


def train(
    models: Sequence[nn.Module],
    rows: Rows,
    configs: Sequence[TrainingConfig],
    callbacks: Callback,
) -> Histories | None:
    """Train networks of one shape in place, each by its own configuration.

    Returns
    -------
    Histories or None
        None if compiled steps cannot train such networks; nothing was changed then.
    """
    layers = layers_of(models[0])
    if layers is None:
        return None
    with torch.no_grad():
        weights = torch.stack([parameters_to_vector(model.parameters()) for model in models])
    with torch.random.fork_rng(devices=[]):
        histories = train_plain_dense(layers, weights.numpy(), rows, configs, callbacks)
    for model, trained in zip(models, weights, strict=True):
        vector_to_parameters(trained.clone(), model.parameters())
        model.eval()
    return histories
