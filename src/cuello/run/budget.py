"""The time that a run may take, and what it had to leave out to keep it."""

from __future__ import annotations

from dataclasses import dataclass, field

from cuello import clock
from cuello.estimators import Autoencoder
from cuello.formats import duration
from cuello.train.loop import affordable_epochs

__all__ = ["PROJECTION", "SLOW_METHOD", "TRAINING", "TRAINING_ALONE", "Budget"]

TRAINING, TRAINING_ALONE, PROJECTION, SLOW_METHOD = 0.5, 0.75, 0.1, 0.25
_RESERVE = 0.1


@dataclass
class Budget:
    """Keep a run within its time, reading and training before an interruption included.

    The autoencoder trains for at most half of it, or three quarters without labels; the projection
    for at most a tenth. Few-label methods that do not train the encoder come first. A method is
    begun while more than a tenth is left, for embeddings, models and report (if it trains the
    encoder, a quarter more), and finished. The method that was asked for, or else the linear probe,
    always runs. A further label draw is begun only if all of it, at the pace of the first, fits.

    Parameters
    ----------
    seconds : float or None
        The budget; None is no limit.
    spent : float
        Seconds of the run before it was interrupted.
    """

    seconds: float | None
    spent: float = 0.0
    began: float = field(default_factory=lambda: clock.now())
    losses: list[str] = field(default_factory=list)
    """What was shortened or left out."""

    @property
    def elapsed(self) -> float:
        """Return the seconds that the run has taken."""
        return self.spent + clock.now() - self.began

    def share(self, factor: float) -> float | None:
        """Return a share in seconds; None without a budget."""
        return None if self.seconds is None else factor * self.seconds

    def allows(self, seconds: float = 0.0) -> bool:
        """Return whether there is time for so many seconds more, and then for the rest."""
        return self.seconds is None or (self.elapsed + seconds < (1.0 - _RESERVE) * self.seconds)

    def note_training(self, name: str, model: Autoencoder | None) -> None:
        """Note that a training was shortened, if it was."""
        if model is not None:
            done, config = len(model.history_), model.training_config_
            if affordable_epochs(config, model.history_) <= done < config.epochs:
                self.losses.append(f"{name} trained {done} of {config.epochs} epochs")

    def notes(self) -> list[str]:
        """Return the note for summary and report: none if nothing was lost."""
        budget = f"to keep the time budget of {duration(self.seconds)}, "
        return [budget + "; ".join(self.losses)] if self.losses else []
