"""The networks of a run with everything around them: from the data's own units and back to them.

Shapes: B rows of a batch, ... the shape of one row, K latents, C outputs of the head, n rows that
vote.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from cuello.data.scaling import Scaling
from cuello.estimators import Autoencoder
from cuello.few_label import FewLabelClassifier, FewLabelRegressor
from cuello.few_label.methods.label_spreading import NeighbourVote, Space
from cuello.few_label.task import Multiclass, Multilabel, Regression, Task

__all__ = ["Answers", "Decoder", "Encoder", "answers_name"]

_TIE = 1e-4  # share of a squared distance: rounding in float32 is well below it


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
        module = model.module_
        self.module = _Vote(module) if isinstance(module, NeighbourVote) else module
        self.task: Task = model.task_
        self.temperature = model.temperature_

    def forward(self, rows: Tensor) -> Tensor:
        """Return the answer to each row."""
        scores: Tensor = self.module(self.scale(rows)) / self.temperature
        task = self.task
        if isinstance(task, Multiclass):
            return scores.softmax(1)
        if isinstance(task, Regression):
            return scores[:, 0] * task.scale + task.mean
        p = scores.sigmoid()
        return p if isinstance(task, Multilabel) else torch.cat([1.0 - p, p], 1)

    @torch.no_grad()
    def tied(self, rows: Tensor) -> Tensor:
        """Say for which rows the answer hangs on rounding (B,): a vote whose last place is tied."""
        if isinstance(self.module, _Vote):
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


class _Place(nn.Module):
    """What a vote compares rows by, see :class:`Space`: without NumPy on the way.

    Parameters
    ----------
    space : Space
        By components, or by codes.
    """

    mean: Tensor
    width: Tensor
    components: Tensor

    def __init__(self, space: Space) -> None:
        super().__init__()
        self.by_components = len(space.components) > 0
        (source,) = space.source
        if self.by_components:
            self.register_buffer("mean", space.mean)
            self.register_buffer("width", torch.ones(()))
            self.register_buffer("components", space.components)
        else:
            assert source is not None
            self.module = source.module_
            self.register_buffer("mean", torch.from_numpy(source.embedding_mean_))
            self.register_buffer("width", torch.from_numpy(source.embedding_scale_))

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, K)."""
        if self.by_components:
            return (torch.nan_to_num(x).flatten(1) - self.mean) @ self.components.mT
        return (self.module.features(x) - self.mean) / self.width


class _Vote(nn.Module):
    """The scores of a :class:`NeighbourVote`, by operators that every runtime has.

    Parameters
    ----------
    vote : NeighbourVote
        Its rows and their shares are kept here.
    """

    codes: Tensor
    squares: Tensor
    shares: Tensor

    def __init__(self, vote: NeighbourVote) -> None:
        super().__init__()
        self.place = _Place(vote.space)
        self.k = min(vote.k, len(vote.codes))
        self.task = vote.task
        self.register_buffer("codes", vote.codes)
        self.register_buffer("squares", (vote.codes * vote.codes).sum(1))
        self.register_buffer("shares", vote.shares)

    def forward(self, x: Tensor) -> Tensor:
        """Return the logarithms of the shares as the task's scores."""
        here = self.place(x)
        partial = self.squares - 2.0 * (here @ self.codes.mT)
        found = partial.topk(self.k, dim=1, largest=False)
        squares = (found.values + (here * here).sum(1, keepdim=True)).clamp(min=0.0)
        radius = squares[:, -1:].clamp(min=float(np.finfo(np.float32).tiny))
        weights = (-squares / radius).exp()
        votes = (weights[:, :, None] * self.shares[found.indices]).sum(1)
        shares = votes / weights.sum(1, keepdim=True)
        return self.task.from_classes((shares + 1e-6).log())

    def tied(self, x: Tensor) -> Tensor:
        """Say for which rows the last voter is as near as one that has no vote (B,)."""
        if self.k == len(self.codes):
            return torch.zeros(len(x), dtype=torch.bool)
        here, codes = self.place(x).double(), self.codes.double()
        squares = torch.addmm((codes * codes).sum(1), here, codes.mT, alpha=-2.0)
        near = squares.topk(self.k + 1, dim=1, largest=False).values[:, -2:]
        last, next_one = (near + (here * here).sum(1, keepdim=True)).unbind(1)
        tied: Tensor = next_one - last <= _TIE * next_one.clamp(min=1e-12)
        return tied
