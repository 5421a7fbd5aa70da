"""The error of a training whose loss stopped being finite: what happened, and what to do."""

from __future__ import annotations

import math
from collections.abc import Sequence

from cuello.errors import Argument, DivergedError
from cuello.train.config import TrainingConfig

__all__ = ["divergence_error"]


def divergence_error(
    step: int,
    term: str,
    value: float,
    losses: Sequence[float],
    config: TrainingConfig,
    largest_input: float,
) -> DivergedError:
    """Build the error that names the step, the most likely cause and the remedy.

    Parameters
    ----------
    step : int
        Number of the step since the start of the training, from 0.
    term : str
        The first term that is not finite.
    value : float
        Its value: NaN or an infinity.
    losses : sequence of float
        Total losses of the steps just before, oldest first.
    config : TrainingConfig
        Options of the training.
    largest_input : float
        Largest absolute value of the (scaled) training samples.

    Examples
    --------
    >>> print(divergence_error(7, "mse", math.nan, [0.2, 3e8], TrainingConfig(), 1.0))
    the loss term 'mse' became nan at step 7. Likely cause: learning_rate=0.001 is too large: the
    loss rose from 0.2 to 3e+08 in the steps before. The last good weights were kept; try
    learning_rate=0.0001 or gradient_clip=1.0.
    """
    rate = Argument("learning_rate", config.learning_rate)
    smaller = Argument("learning_rate", float(f"{config.learning_rate / 10:g}"))
    remedy: list[str | Argument] = ["try ", smaller, " or ", Argument("gradient_clip", 1.0)]
    lowest = min(losses, default=math.inf)
    cause: list[str | Argument]
    if losses and losses[-1] > 10 * lowest:
        rise = f"from {lowest:.3g} to {max(losses):.3g}"
        cause = [rate, f" is too large: the loss rose {rise} in the steps before"]
    elif largest_input > 1e3:
        cause = [f"the inputs are large (up to {largest_input:.3g})"]
        remedy = ["try ", Argument("scaling", "standard"), " or ", Argument("scaling", "minmax")]
    elif losses or step > 0:
        cause = ["one update at ", rate, " overflowed"]
    else:
        cause = ["the very first loss, before any update, is not finite"]
        remedy = ["try another initializer, or another loss"]
    start = f"the loss term {term!r} became {value} at step {step}. Likely cause: "
    return DivergedError([start, *cause, ". The last good weights were kept"], remedy=remedy)
