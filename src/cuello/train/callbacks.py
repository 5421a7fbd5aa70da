"""What is called while a model trains."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from cuello.errors import InputError
from cuello.train.state import Epoch

__all__ = ["Callback", "combine"]


@dataclass(frozen=True)
class Callback:
    """Hold functions to call while training.

    Any other object with one of these methods is a callback as well.

    Parameters
    ----------
    on_step_end : callable
        ``on_step_end(done, total)``, after every few steps of a training of so many in all.
    on_epoch_end : callable
        ``on_epoch_end(record)``, after every epoch, with its :class:`cuello.train.Epoch`.

    Examples
    --------
    >>> import numpy as np
    >>> from cuello import Autoencoder
    >>> class Losses:
    ...     def on_epoch_end(self, record):
    ...         print(record.epoch, sorted(record.train))
    >>> model = Autoencoder("plain", latent_dim=2, hidden=(8,), epochs=2)
    >>> model.fit(np.random.default_rng(0).normal(size=(50, 6)), callbacks=Losses()).latent_dim_
    0 ['reconstruction']
    1 ['reconstruction']
    2
    """

    on_step_end: Callable[[int, int], None] = lambda done, total: None
    on_epoch_end: Callable[[Epoch], None] = lambda record: None


def combine(callbacks: object | Sequence[object] | None) -> Callback:
    """Return one callback that calls all of these, in their order.

    Raises
    ------
    InputError
        If one has neither method.
    """
    if isinstance(callbacks, Callback):
        return callbacks
    listed = callbacks if isinstance(callbacks, list | tuple) else [callbacks]
    listed = [one for one in listed if one is not None]
    names = ("on_step_end", "on_epoch_end")
    for one in listed:
        if not any(callable(getattr(one, name, None)) for name in names):
            raise InputError(
                "has neither on_epoch_end(record) nor on_step_end(done, total)",
                argument="callbacks",
                value=one,
                remedy="give an object with one of them, such as cuello.train.Callback",
            )
    steps, epochs = ([m for one in listed if (m := getattr(one, n, None))] for n in names)

    def on_step_end(done: int, total: int) -> None:
        for call in steps:
            call(done, total)

    def on_epoch_end(record: Epoch) -> None:
        for call in epochs:
            call(record)

    return Callback(on_step_end, on_epoch_end)
