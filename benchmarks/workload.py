"""The workload: one network, one set of images, one training."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

import cuello
from cuello import kinds, networks
from cuello.kinds import Batch
from cuello.train import Rows, TrainingConfig, train

__all__ = ["FEATURES", "HIDDEN", "LATENT", "RATE", "Cuello", "images", "linear_layers", "network"]

FEATURES, HIDDEN, LATENT, RATE = 784, (512, 256), 32, 1e-3
_SIDE = 28
_DARK = 0.81  # share of MNIST's pixels that are 0


def images(rows: int) -> tuple[npt.NDArray[np.float32], str]:
    """Return (rows, 784) pixels in 0..1, and where they are from. Downloads nothing."""
    try:
        X = cuello.load("mnist", offline=True).X[:rows]
    except cuello.DataError:
        return _blobs(rows), "synthetic images (set CUELLO_DATA for MNIST)"
    return X.reshape(len(X), FEATURES).astype(np.float32) / 255.0, "MNIST"


def _blobs(rows: int) -> npt.NDArray[np.float32]:
    """Draw four soft spots an image, with as many pixels at 0 as in MNIST."""
    rng = np.random.default_rng(0)
    axis = np.arange(_SIDE, dtype=np.float32)
    X = np.zeros((rows, _SIDE, _SIDE), dtype=np.float32)
    for _ in range(4):
        centre = rng.uniform(7, 21, (2, rows, 1)).astype(np.float32)
        width = rng.uniform(1.5, 3.0, (rows, 1)).astype(np.float32)
        across, down = np.exp(-(((axis - centre) / width) ** 2))
        X += down[:, :, None] * across[:, None, :]
    flat = X.reshape(rows, FEATURES)
    return np.clip(1.5 * (flat - np.quantile(flat[:1000], _DARK)), 0.0, 1.0)


def network(
    features: int = FEATURES,
    hidden: Sequence[int] = HIDDEN,
    latent: int = LATENT,
    *,
    kind: str = "plain",
) -> kinds.AutoencoderModule:
    """Build a dense autoencoder (ReLU, sigmoid output, MSE), the same one at every call."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        encoder, decoder = networks.build_network(
            "dense", (features,), latent, latent, hidden=hidden
        )
        loss = kinds.ReconstructionLoss(loss="mse", output="sigmoid")
        parts = kinds.Parts(
            encoder=encoder,
            decoder=decoder,
            reconstruction=loss,
            shape=(features,),
            latent_dim=latent,
        )
        return kinds.build_module(kind, parts)


def linear_layers(model: nn.Module) -> list[nn.Linear]:
    """Return the linear layers from input to output."""
    return [layer for layer in model.modules() if isinstance(layer, nn.Linear)]


@dataclass(frozen=True)
class RecordedRows(Rows):
    """Rows that remember in which order they were taken."""

    order: list[Tensor | slice] = field(default_factory=list)

    def to(self, device: torch.device) -> RecordedRows:
        """Stay here."""
        return self

    def take(self, index: Tensor | slice, progress: float = 1.0) -> Batch:
        """Return the samples at these positions."""
        self.order.append(index)
        return super().take(index, progress)


class Cuello:
    """cuello's own loop on the workload, as a contestant."""

    def __init__(
        self,
        x: npt.NDArray[np.float32],
        batch_size: int,
        precision: str,
        *,
        kind: str = "plain",
    ) -> None:
        self.rows = RecordedRows(torch.from_numpy(x))
        self.model = network(kind=kind)
        self.batch_size, self.precision = batch_size, precision

    def epochs(self, count: int) -> float:
        """Train on from the present weights; return the mean loss of the last epoch.

        Every call pays for a new optimizer and a copy of the weights, which a longer training
        pays for once.
        """
        config = TrainingConfig(
            learning_rate=RATE,
            schedule="constant",
            epochs=count,
            batch_size=self.batch_size,
            device="cpu",
            precision=self.precision,
        )
        return train(self.model, self.rows, config)[-1].train["reconstruction"]
