"""An encoder with a head on top, as the training loop expects it.

Shapes: B samples of a batch, ... the shape of a sample, K latents, C outputs.
"""

from __future__ import annotations

import copy
from typing import Any, Self

import torch
from torch import Tensor, nn

from cuello.arrays import Float32s
from cuello.few_label.task import Task
from cuello.kinds import AutoencoderModule, Batch, ParameterGroups

__all__ = ["EncoderWithHead"]


class EncoderWithHead(nn.Module):
    """Scores from the embedding of an autoencoder.

    Parameters
    ----------
    autoencoder : AutoencoderModule
        Copied; its decoder is left out.
    task : Task
        Gives the number of scores (C), and their loss.
    embedding_mean, embedding_scale : ndarray of shape (K,)
        Embeddings are standardised before the head, so that one learning rate suits every encoder.
    encoder_lr_factor : float
        The encoder's learning rate as a share of the head's; 0 keeps it as it is.
    layer_decay : float
        Each block of the encoder learns at this share of the rate of the next one, in (0, 1]; the
        last block at ``encoder_lr_factor`` itself. Source: Howard and Ruder, "Universal language
        model fine-tuning for text classification", ACL 2018, section 3.2 (share 1 / 2.6).
    hidden, batch_norm, dropout
        Layers of the head, see :class:`~cuello.few_label.FewLabelClassifier`.
    """

    embedding_mean: Tensor
    embedding_scale: Tensor
    progress = 1.0

    def __init__(
        self,
        autoencoder: AutoencoderModule,
        task: Task,
        embedding_mean: Float32s,
        embedding_scale: Float32s,
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
        """Switch to training; a frozen encoder stays in evaluation mode."""
        super().train(mode)
        if self.encoder_lr_factor == 0.0:
            self.body.eval()  # or batch normalisation would go on counting, and dropout drop
        return self

    def embeddings(self, x: Tensor) -> Tensor:
        """Return standardised embeddings (B, K)."""
        return (self.body.features(x) - self.embedding_mean) / self.embedding_scale

    def forward(self, x: Tensor) -> Tensor:
        """Return scores before activation (B, C)."""
        scores: Tensor = self.head(self.embeddings(x))
        return scores

    def losses(self, batch: Batch, optimizer: str) -> dict[str, Tensor]:
        """Return the task's loss."""
        assert batch.y is not None
        return self.task.losses(self(batch.x), batch.y)

    def held_out_losses(self, batch: Batch) -> dict[str, Tensor]:
        """Return the same on held-out samples."""
        return self.losses(batch, "classifier")

    def active_optimizers(self, progress: float) -> list[str]:
        """Return the one optimizer."""
        return ["classifier"]

    def optimizers(self) -> ParameterGroups:
        """Return the head and, block by block at their own rates, the encoder."""
        groups: list[dict[str, Any]] = [{"params": list(self.head.parameters())}]
        rate = self.encoder_lr_factor
        if rate > 0.0:
            for parameters in _parameters_by_block(self.body.encoder):
                groups.append({"params": parameters, "lr_scale": rate})
                rate *= self.layer_decay
        return {"classifier": groups}


def _parameters_by_block(encoder: nn.Module) -> list[list[nn.Parameter]]:
    """Return the parameters of each block that has some, from the embedding to the input."""
    blocks = list(encoder) if isinstance(encoder, nn.Sequential) else [encoder]
    every = [list(block.parameters()) for block in reversed(blocks)]
    return [parameters for parameters in every if parameters]
