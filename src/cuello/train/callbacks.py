"""What is called while a model trains."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

from cuello.errors import InputError
from cuello.train.state import Epoch

__all__ = ["Callback", "combine"]


@dataclass(frozen=True)
class Callback:
    """Hold functions to call while training.

    Any other object with one of these methods is a callback as well. Ready ones for trackers of
    experiments are in :mod:`cuello.train.trackers`.

    Parameters
    ----------
    on_step_end : callable
        ``on_step_end(done, total)``, after every few steps of a training of so many in all.
    on_epoch_end : callable
        ``on_epoch_end(record)``, after every epoch, with its :class:`cuello.train.Epoch`.
    on_train_begin : callable
        ``on_train_begin(options)``, before the first epoch, with the options of the estimator and
        of the training by name, and ``initial_epoch``: above 0 where a checkpoint is continued.
    on_train_end : callable
        ``on_train_end(error)``, after the last epoch, with None; or with the exception, a
        ``KeyboardInterrupt`` for example, that ended the training before.

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
    on_train_begin: Callable[[Mapping[str, Any]], None] = lambda options: None
    on_train_end: Callable[[BaseException | None], None] = lambda error: None

    def knowing(self, options: Mapping[str, Any]) -> Callback:
        """Return this callback, told further options before a training."""
        begin = self.on_train_begin
        return replace(self, on_train_begin=lambda own: begin({**options, **own}))


_METHODS = tuple(field.name for field in fields(Callback))


def combine(callbacks: object | Sequence[object] | None) -> Callback:
    """Return one callback that calls all of these in their order; refuse other objects."""
    listed = callbacks if isinstance(callbacks, list | tuple) else [callbacks]
    listed = [one for one in listed if one is not None]
    for one in listed:
        if not any(callable(getattr(one, name, None)) for name in _METHODS):
            raise InputError(
                f"has none of the methods {', '.join(_METHODS)}",
                argument="callbacks",
                value=one,
                remedy="give an object with one of them, such as cuello.train.Callback",
            )

    def call_all(name: str) -> Callable[..., None]:
        methods = [method for one in listed if (method := getattr(one, name, None))]

        def call(*facts: Any) -> None:
            for method in methods:
                method(*facts)

        return call

    return Callback(**{name: call_all(name) for name in _METHODS})
