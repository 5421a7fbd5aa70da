"""An encoder with a head on top, as the training loop wants it.

Shapes: B rows of a batch, ... the shape of one row, K latents, C outputs.
"""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from cuello.few_label.task import Task
from cuello.kinds import Autoencoder, Batch, Players

__all__ = ["EncoderWithHead"]


class EncoderWithHead(nn.Module):
    """Scores from the code of an autoencoder.

    Parameters
    ----------
    autoencoder : kinds.Autoencoder
        Copied; its decoder is left out.
    task : Task
        What the scores are for: how many there are (C), and their loss.
    code_mean, code_scale : ndarray of shape (K,)
        Codes are standardised before the head, so that one learning rate suits every encoder.
    encoder_lr_factor : float
        The encoder's learning rate as a share of the head's; 0 keeps it as it is.
    """

    code_mean: Tensor
    code_scale: Tensor
    progress = 1.0

    def __init__(
        self,
        autoencoder: Autoencoder,
        task: Task,
        code_mean: npt.NDArray[np.float32],
        code_scale: npt.NDArray[np.float32],
        *,
        encoder_lr_factor: float = 1.0,
    ) -> None:
        super().__init__()
        self.body = copy.deepcopy(autoencoder)
        self.body.decoder = nn.Identity()  # not trained, not stored
        self.task = task
        self.head = nn.Linear(len(code_mean), task.outputs)
        self.encoder_lr_factor = encoder_lr_factor
        self.register_buffer("code_mean", torch.as_tensor(code_mean))
        self.register_buffer("code_scale", torch.as_tensor(code_scale))

    def codes(self, x: Tensor) -> Tensor:
        """Return standardised codes (B, K)."""
        return (self.body.features(x) - self.code_mean) / self.code_scale

    def forward(self, x: Tensor) -> Tensor:
        """Return scores before the link (B, C)."""
        scores: Tensor = self.head(self.codes(x))
        return scores

    def losses(self, batch: Batch, player: str) -> dict[str, Tensor]:
        """Return the task's loss."""
        assert batch.y is not None
        return self.task.losses(self(batch.x), batch.y)

    def held_out_losses(self, batch: Batch) -> dict[str, Tensor]:
        """Return the same on held-out rows."""
        return self.losses(batch, "classifier")

    def active(self, progress: float) -> list[str]:
        """Return the one player there is."""
        return ["classifier"]

    def players(self) -> Players:
        """Return the head and, at its own rate, the encoder."""
        groups: list[dict[str, Any]] = [{"params": list(self.head.parameters())}]
        if self.encoder_lr_factor > 0.0:
            encoder = list(self.body.encoder.parameters())
            groups.append({"params": encoder, "lr_scale": self.encoder_lr_factor})
        return {"classifier": groups}
