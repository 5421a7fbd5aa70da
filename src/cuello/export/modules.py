"""The networks of a run with everything around them: from the data's own units and back to them.

Shapes: B samples of a batch, ... the shape of a sample, K latents, C outputs of the head.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from cuello.data.scaling import Scaling
from cuello.estimators import Autoencoder
from cuello.few_label import FewLabelClassifier, FewLabelRegressor
from cuello.few_label.methods.label_spreading import NeighbourVote
from cuello.few_label.task import Task
from cuello.few_label.tasks import Regression

__all__ = ["Answers", "Decoder", "Encoder", "answers_name"]


class Encoder(nn.Module):
    """Rows (B, ...) in the data's own units to codes (B, K).

    Parameters
    ----------
    model : Autoencoder
        Fitted.
    """

    def __init__(self, model: Autoencoder) -> None:
        super().__init__()
        self.scale = _Scale(model.scaling_)
        self.module = model.module_

    def forward(self, rows: Tensor) -> Tensor:
        """Return the code of each row."""
        return self.module.encode(self.scale(rows))


class Decoder(nn.Module):
    """Codes (B, K) to rows (B, ...) in the data's own units.

    Parameters
    ----------
    model : Autoencoder
        Fitted.
    """

    def __init__(self, model: Autoencoder) -> None:
        super().__init__()
        self.scale = _Scale(model.scaling_)
        self.module = model.module_

    def forward(self, codes: Tensor) -> Tensor:
        """Return the row of each code."""
        return self.scale.back(self.module.decode(codes))


class Answers(nn.Module):
    """Rows (B, ...) in the data's own units to what the labels say of them.

    Probabilities, one a class (B, classes) or one a property (B, C), with the temperature applied;
    or numbers in their own units (B,).

    Parameters
    ----------
    model : FewLabelClassifier or FewLabelRegressor
        Fitted.
    """

    def __init__(self, model: FewLabelClassifier | FewLabelRegressor) -> None:
        super().__init__()
        self.scale = _Scale(model.autoencoder_.scaling_)
        self.module = model.module_
        self.task: Task = model.task_
        self.temperature = model.temperature_

    def forward(self, rows: Tensor) -> Tensor:
        """Return the answer to each row."""
        return self.task.activate(self.module(self.scale(rows)) / self.temperature)

    @torch.no_grad()
    def tied(self, rows: Tensor) -> Tensor:
        """Return for which rows (B,) the answer depends on rounding: the last vote is tied."""
        if isinstance(self.module, NeighbourVote):
            return self.module.tied(self.scale(rows))
        return torch.zeros(len(rows), dtype=torch.bool)


def answers_name(task: Task) -> str:
    """Return what :class:`Answers` gives for a task: ``probabilities`` or ``numbers``."""
    return "numbers" if isinstance(task, Regression) else "probabilities"


class _Scale(nn.Module):
    """The scaling of the data, (x - offset) / width, as a layer.

    Parameters
    ----------
    scaling : Scaling
        Fitted.
    """

    offset: Tensor
    width: Tensor

    def __init__(self, scaling: Scaling) -> None:
        super().__init__()
        self.nothing = scaling.name == "none"
        self.register_buffer("offset", torch.tensor(scaling.offset, dtype=torch.float32))
        self.register_buffer("width", torch.tensor(scaling.width, dtype=torch.float32))

    def forward(self, x: Tensor) -> Tensor:
        """Return scaled rows."""
        return x if self.nothing else (x - self.offset) / self.width

    def back(self, x: Tensor) -> Tensor:
        """Return rows in the data's own units."""
        return x if self.nothing else x * self.width + self.offset
