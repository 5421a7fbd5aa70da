"""What happened in each epoch."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

__all__ = ["Epoch"]


@dataclass(frozen=True, kw_only=True)
class Epoch:
    """One pass over the training rows.

    ``train`` and ``validation`` hold the mean of each named term over the rows; ``validation`` is
    None where there are no validation rows. ``learning_rate`` is that of the last step.
    """

    epoch: int
    train: dict[str, float]
    validation: dict[str, float] | None
    learning_rate: float
    seconds: float

    @property
    def loss(self) -> float:
        """The number that early stopping watches: validation's total, or else training's."""
        return sum((self.validation or self.train).values())

    def to_json(self) -> dict[str, Any]:
        """Return plain numbers."""
        return asdict(self)
