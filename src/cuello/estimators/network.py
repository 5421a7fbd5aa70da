"""A trained module between the data's own units."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from cuello.arrays import Array, Codes, Float32s, Floats
from cuello.data.scaling import Scaling
from cuello.kinds import AutoencoderModule
from cuello.metrics import sample_errors

__all__ = ["TrainedNetwork", "in_batches"]

_INFERENCE_BATCH = 1024  # the layer outputs of a convolutional network are many times its input


@torch.no_grad()
def in_batches(
    samples: int, compute: Callable[[int, int], Tensor | Array], shape: tuple[int, ...]
) -> Float32s:
    """Fill (samples, *shape) a batch at a time: no scaled copy of all samples is ever made."""
    out = np.empty((samples, *shape), dtype=np.float32)
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

    def decode(self, Z: Float32s) -> Float32s:
        """Return the samples of embeddings (n, latent_dim)."""
        return in_batches(
            len(Z),
            lambda a, b: self._unscale(self.module.decode(torch.from_numpy(Z[a:b]))),
            self.shape,
        )

    def decode_nearest(self, Z: Float32s, classes: Codes | None = None) -> Float32s:
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

        return in_batches(len(Z), compute, self.shape)

    def reconstruct(self, X: Array, factor: float = 1.0) -> Float32s:
        """Return the reconstructions of samples that are multiplied by a factor once scaled."""

        def compute(start: int, stop: int) -> Array:
            return self._unscale(self._rebuild(X[start:stop], factor * self.scale(X[start:stop])))

        return in_batches(len(X), compute, self.shape)

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

    def _unscale(self, x: Tensor) -> Float32s:
        return self.scaling.invert(x.numpy())
