"""A trained module between the data's own units, and how well it learned."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from cuello.arrays import Array, Codes, Float32s, Floats
from cuello.data.scaling import Scaling
from cuello.errors import InputError
from cuello.kinds import AutoencoderModule, Diagnosis
from cuello.metrics import sample_errors

__all__ = ["TrainedNetwork", "at_most", "examine_module", "in_batches"]

_INFERENCE_BATCH = 1024  # the layer outputs of a convolutional network are many times its input
_EXAMINED_SAMPLES = 10_000
_DIAGNOSED_ELEMENTS = 2_000_000
"""A kind diagnoses all samples at once, which takes many times their memory."""
_CONSTANT = 1e-5
"""Deviation of embeddings, as a share of their size, that rounding alone may cause."""
_WORST_EXPLAINED = 1e30


@torch.no_grad()
def in_batches(
    samples: int,
    compute: Callable[[int, int], Tensor | Array],
    shape: tuple[int, ...],
    dtype: type[np.floating[Any]] = np.float32,
) -> Array:
    """Fill (samples, *shape) a batch at a time: no scaled copy of all samples is ever made."""
    out = np.empty((samples, *shape), dtype=dtype)
    for start in range(0, samples, _INFERENCE_BATCH):
        stop = min(start + _INFERENCE_BATCH, samples)
        out[start:stop] = compute(start, stop)
    return out


@dataclass(frozen=True)
class TrainedNetwork:
    """Encode and decode samples in the data's own units: all that applications need.

    Parameters
    ----------
    module : AutoencoderModule
        Trained, on the CPU.
    scaling : Scaling
        Fitted on the training samples.
    shape : tuple of int
        Shape of a sample.
    kind : str
        Name of the module's kind.
    classes : ndarray
        Classes that a kind which needs labels learned; otherwise empty.
    """

    module: AutoencoderModule
    scaling: Scaling
    shape: tuple[int, ...]
    kind: str
    classes: Array

    def scale(self, X: Array) -> Tensor:
        """Return scaled samples."""
        return torch.from_numpy(self.scaling.apply(X))

    def encode(self, X: Array) -> Float32s:
        """Return the embeddings (n, latent_dim) of samples."""
        shape = (self.module.latent_dim,)
        return in_batches(len(X), lambda a, b: self.module.encode(self.scale(X[a:b])), shape)

    def decode(self, Z: Float32s) -> Array:
        """Return the samples of embeddings (n, latent_dim); refuse (InputError) other shapes."""
        expected = self.module.latent_dim
        if Z.ndim != 2 or Z.shape[1] != expected:
            raise InputError(
                f"embeddings have shape {Z.shape}; expected (n, {expected}), as from transform."
            )
        return in_batches(
            len(Z),
            lambda a, b: self._unscale(self.module.decode(torch.from_numpy(Z[a:b]))),
            self.shape,
            self.scaling.dtype,
        )

    def decode_nearest(self, Z: Float32s, classes: Codes | None = None) -> Array:
        """Return the samples of embeddings that were drawn, or lie between others.

        Each is first moved to the nearest that can be.

        Parameters
        ----------
        Z : ndarray of shape (n, latent_dim)
            Embeddings.
        classes : ndarray of shape (n,) or None
            Class codes for the decoder of a conditional kind; None: drawn, by their frequencies.
        """

        def compute(start: int, stop: int) -> Array:
            z = self.module.nearest_embedding(torch.from_numpy(Z[start:stop]))
            condition = () if classes is None else (torch.from_numpy(classes[start:stop]),)
            return self._unscale(self.module.decode(z, *condition))

        return in_batches(len(Z), compute, self.shape, self.scaling.dtype)

    def reconstruct(self, X: Array, factor: float = 1.0) -> Array:
        """Return the reconstructions of samples that are multiplied by a factor once scaled."""

        def compute(start: int, stop: int) -> Array:
            return self._unscale(self._rebuild(X[start:stop], factor * self.scale(X[start:stop])))

        return in_batches(len(X), compute, self.shape, self.scaling.dtype)

    def errors(self, X: Array) -> Floats:
        """Return the mean squared error (n,) of each scaled sample."""
        errors = np.empty(len(X))
        for start in range(0, len(X), _INFERENCE_BATCH):
            some = X[start : start + _INFERENCE_BATCH]
            x = self.scale(some)
            with torch.no_grad():
                errors[start : start + len(some)] = sample_errors(
                    x.numpy(), self._rebuild(some, x).numpy()
                )
        return errors

    def _rebuild(self, X: Array, x: Tensor) -> Tensor:
        """Return scaled reconstructions of scaled samples x; X are the samples as they are."""
        back: Tensor = self.module.reconstruct(x)
        if self.module.reconstruction.missing:
            back[torch.from_numpy(np.isnan(X))] = torch.nan  # a short sequence stays short
        return back

    def _unscale(self, x: Tensor) -> Array:
        return self.scaling.invert(x.numpy())


@torch.no_grad()
def examine_module(module: AutoencoderModule, x: Tensor, rate: float) -> tuple[Float32s, Diagnosis]:
    """Return embeddings of scaled training samples (n, ...), and how well they were learned.

    That is what the kind says of its module, the variance it explains, and whether it learned
    nothing; ``rate`` is the learning rate to lower then. Up to 10,000 samples are examined.
    """
    x = x[:_EXAMINED_SAMPLES]
    embeddings = in_batches(len(x), lambda a, b: module.encode(x[a:b]), (module.latent_dim,))
    x = at_most(x, x[0].numel())
    statistics, findings = module.diagnose(x)
    present = ~x.isnan()
    back, filled = module.reconstruct(x), x.nan_to_num()
    mean = filled.sum(dim=0) / present.sum(dim=0).clamp(min=1)
    error = float((filled - back)[present].square().mean())
    variance = float((filled - mean)[present].square().mean())
    explained = 1.0 - error / variance if variance > 0.0 else 0.0
    if not math.isfinite(explained):  # weights that overflow; JSON has no infinity
        explained = -_WORST_EXPLAINED
    lower = f"learning_rate={float(f'{rate / 10:g}')}, more epochs, or batch_norm=True"
    size = np.abs(embeddings).max(initial=0.0)
    if variance > 0.0 and embeddings.std(axis=0).max() <= _CONSTANT * size:
        text = f"every sample has the same embedding: nothing was learned; try {lower}"
        findings = [*findings, text]
    elif variance > 0.0 and explained <= 0.0:
        text = (
            "reconstructions are no better than the mean of each feature (explained variance "
            f"{explained:.3f}); try {lower}"
        )
        findings = [*findings, text]
    return embeddings, Diagnosis({"explained_variance": explained, **statistics}, findings)


def at_most(samples: Any, elements: int) -> Any:
    """Return the first samples, of so many elements each: two million elements in all."""
    return samples[: max(256, _DIAGNOSED_ELEMENTS // elements)]
