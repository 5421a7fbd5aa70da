"""Says what is wrong with a training, in words a user can act on."""

from __future__ import annotations

import math
from collections.abc import Sequence

from cuello.train.config import TrainingConfig

__all__ = ["explain_divergence"]


def explain_divergence(
    step: int,
    term: str,
    value: float,
    losses: Sequence[float],
    config: TrainingConfig,
    largest_input: float,
) -> str:
    """Say at which step a loss stopped being finite, why most likely, and what to do.

    Parameters
    ----------
    step : int
        Number of the step since the start of the training, from 0.
    term : str
        The first term that is not finite.
    value : float
        What it is: NaN or an infinity.
    losses : sequence of float
        Total losses of the steps just before, oldest first.
    how : Training
        Settings of the training.
    largest_input : float
        Largest absolute value of the (scaled) training rows.

    Examples
    --------
    >>> print(explain_divergence(7, "mse", math.nan, [0.2, 3e8], TrainingConfig(), 1.0))
    the loss term 'mse' became nan at step 7. Likely cause: learning_rate=0.001 is too large: the
    loss rose from 0.2 to 3e+08 in the steps before. Try learning_rate=0.0001, or gradient_clip=1.
    The last good weights were kept.
    """
    smaller = f"learning_rate={config.learning_rate / 10:g}"
    lowest = min(losses, default=math.inf)
    if losses and losses[-1] > 10 * lowest:
        cause = (
            f"learning_rate={config.learning_rate:g} is too large: the loss rose from "
            f"{lowest:.3g} to {max(losses):.3g} in the steps before"
        )
        remedy = f"Try {smaller}, or gradient_clip=1."
    elif largest_input > 1e3:
        cause = f"the inputs are large (up to {largest_input:.3g})"
        remedy = "Try scaling='standard' or scaling='minmax'."
    elif losses or step > 0:
        cause = f"one update at learning_rate={config.learning_rate:g} overflowed"
        remedy = f"Try {smaller}, or gradient_clip=1."
    else:
        cause = "the first loss of all, before any update, is not finite"
        remedy = "Try another initializer, or another loss."
    return (
        f"the loss term {term!r} became {value} at step {step}. Likely cause: {cause}. {remedy} "
        "The last good weights were kept."
    )
