"""An encoder with a head on top, as the training loop wants it.

Shapes: B rows of a batch, ... the shape of one row, K latents, C outputs.
"""

from __future__ import annotations

import copy
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from cuello.few_label.task import Task
from cuello.kinds import AutoencoderModule, Batch, ParameterGroups

__all__ = ["EncoderWithHead"]


class EncoderWithHead(nn.Module):
    """Scores from the code of an autoencoder.

    Parameters
    ----------
    autoencoder : kinds.AutoencoderModule
        Copied; its decoder is left out.
    task : Task
        What the scores are for: how many there are (C), and their loss.
    embedding_mean, embedding_scale : ndarray of shape (K,)
        Codes are standardised before the head, so that one learning rate suits every encoder.
    encoder_lr_factor : float
        The encoder's learning rate as a share of the head's; 0 keeps it as it is.
    layer_decay : float
        Each block of the encoder learns at this share of the rate of the next one, in (0, 1]; the
        last block at ``encoder_lr_factor`` itself. Source: Howard and Ruder, "Universal language
        model fine-tuning for text classification", ACL 2018, section 3.2 (share 1 / 2.6).
    hidden : int or None
        Units of a hidden layer with ReLU; None: the head is linear.
    batch_norm : bool
        Batch normalisation of the hidden layer before its activation, or without one of the codes.
    dropout : float
        Rate in [0, 1) of what enters the last layer.
    """

    embedding_mean: Tensor
    embedding_scale: Tensor
    progress = 1.0

    def __init__(
        self,
        autoencoder: AutoencoderModule,
        task: Task,
        embedding_mean: npt.NDArray[np.float32],
        embedding_scale: npt.NDArray[np.float32],
        *,
        encoder_lr_factor: float = 1.0,
        layer_decay: float = 1.0,
        hidden: int | None = None,
        batch_norm: bool = False,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.body = copy.deepcopy(autoencoder)
        self.body.decoder = nn.Identity()  # not trained, not stored
        self.task = task
        width = hidden or len(embedding_mean)
        layers = [
            *([nn.Linear(len(embedding_mean), width)] if hidden else []),
            *([nn.BatchNorm1d(width)] if batch_norm else []),
            *([nn.ReLU()] if hidden else []),
            *([nn.Dropout(dropout)] if dropout else []),
            nn.Linear(width, task.outputs),
        ]
        self.head = layers[0] if len(layers) == 1 else nn.Sequential(*layers)
        self.encoder_lr_factor = encoder_lr_factor
        self.layer_decay = layer_decay
        self.register_buffer("embedding_mean", torch.as_tensor(embedding_mean))
        self.register_buffer("embedding_scale", torch.as_tensor(embedding_scale))

    def train(self, mode: bool = True) -> Self:
        """Switch to training; an encoder that is kept as it is stays in evaluation mode."""
        super().train(mode)
        if self.encoder_lr_factor == 0.0:
            self.body.eval()  # or batch normalisation would go on counting, and dropout drop
        return self

    def codes(self, x: Tensor) -> Tensor:
        """Return standardised codes (B, K)."""
        return (self.body.features(x) - self.embedding_mean) / self.embedding_scale

    def forward(self, x: Tensor) -> Tensor:
        """Return scores before the link (B, C)."""
        scores: Tensor = self.head(self.codes(x))
        return scores

    def losses(self, batch: Batch, optimizer: str) -> dict[str, Tensor]:
        """Return the task's loss."""
        assert batch.y is not None
        return self.task.losses(self(batch.x), batch.y)

    def held_out_losses(self, batch: Batch) -> dict[str, Tensor]:
        """Return the same on held-out rows."""
        return self.losses(batch, "classifier")

    def active_optimizers(self, progress: float) -> list[str]:
        """Return the one optimizer there is."""
        return ["classifier"]

    def optimizers(self) -> ParameterGroups:
        """Return the head and, block by block at their own rates, the encoder."""
        groups: list[dict[str, Any]] = [{"params": list(self.head.parameters())}]
        rate = self.encoder_lr_factor
        if rate > 0.0:
            for parameters in _blocks(self.body.encoder):
                groups.append({"params": parameters, "lr_scale": rate})
                rate *= self.layer_decay
        return {"classifier": groups}


def _blocks(encoder: nn.Module) -> list[list[nn.Parameter]]:
    """Return the parameters of each block that has some, from the code to the input."""
    blocks = list(encoder) if isinstance(encoder, nn.Sequential) else [encoder]
    found = [list(block.parameters()) for block in reversed(blocks)]
    return [parameters for parameters in found if parameters]
