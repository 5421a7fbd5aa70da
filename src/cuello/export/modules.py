"""The networks of a run with everything around them: from the data's own units and back to them.

Shapes: B samples of a batch, ... the shape of a sample, K latents, C outputs of the head.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from cuello.data.scaling import Scaling
from cuello.few_label import FewLabelClassifier, FewLabelRegressor
from cuello.few_label.methods.label_spreading import NeighbourVote
from cuello.few_label.tasks import Regression, Task
from cuello.kinds import AutoencoderModule

__all__ = ["Decoder", "Encoder", "LabelPredictor"]


class _Scaled(nn.Module):
    """A module between the scaling of the data, (x - offset) / width, and back."""

    takes: str
    gives: str
    module: Any
    offset: Tensor
    width: Tensor

    def __init__(self, module: nn.Module, scaling: Scaling) -> None:
        super().__init__()
        self.module = module
        self.is_identity = scaling.name == "none"
        self.register_buffer("offset", torch.tensor(scaling.offset, dtype=torch.float32))
        self.register_buffer("width", torch.tensor(scaling.width, dtype=torch.float32))

    def scale(self, x: Tensor) -> Tensor:
        """Return scaled samples."""
        return x if self.is_identity else (x - self.offset) / self.width

    def scale_back(self, x: Tensor) -> Tensor:
        """Return samples in the data's own units."""
        return x if self.is_identity else x * self.width + self.offset


class Encoder(_Scaled):
    """Samples (B, ...) in the data's own units to embeddings (B, K)."""

    takes, gives = "samples", "embeddings"
    module: AutoencoderModule

    def forward(self, samples: Tensor) -> Tensor:
        """Return the embedding of each sample."""
        return self.module.encode(self.scale(samples))


class Decoder(_Scaled):
    """Embeddings (B, K) to samples (B, ...) in the data's own units."""

    takes, gives = "embeddings", "samples"
    module: AutoencoderModule

    def forward(self, embeddings: Tensor) -> Tensor:
        """Return the sample of each embedding."""
        return self.scale_back(self.module.decode(embeddings))


class LabelPredictor(_Scaled):
    """Samples (B, ...) in the data's own units to calibrated probabilities (B, C), or numbers."""

    takes = "samples"

    def __init__(self, model: FewLabelClassifier | FewLabelRegressor) -> None:
        super().__init__(model.module_, model.autoencoder_.scaling_)
        self.task: Task = model.task_
        self.temperature = model.temperature_
        self.gives = "predictions" if isinstance(self.task, Regression) else "probabilities"

    def forward(self, samples: Tensor) -> Tensor:
        """Return the prediction for each sample."""
        return self.task.activate(self.module(self.scale(samples)) / self.temperature)

    @torch.no_grad()
    def tied(self, samples: Tensor) -> Tensor:
        """Return for which samples (B,) it depends on rounding: the last vote is tied."""
        if isinstance(self.module, NeighbourVote):
            return self.module.tied(self.scale(samples))
        return torch.zeros(len(samples), dtype=torch.bool)
