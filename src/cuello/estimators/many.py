"""Fit many autoencoders to the same samples: together where alike, else one by one."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy.typing as npt

from cuello.arrays import Array
from cuello.errors import DivergedError
from cuello.estimators.autoencoder import Autoencoder
from cuello.kinds import KINDS
from cuello.train import Callback
from cuello.train.many import PER_NETWORK, train_many, why_not_stackable
from cuello.train.progress import quiet

__all__ = ["fit_many", "groups_of"]

# Estimators that differ in these alone compute the same, from other weights and at other rates.
_MAY_DIFFER = {*PER_NETWORK, "random_state", "initializer"}


def groups_of(models: Sequence[Autoencoder]) -> list[list[int]]:
    """Return the positions of estimators that differ only in seeds, rates and initial weights.

    Rates are those of learning, and of noise.
    """
    groups: dict[str, list[int]] = {}
    for position, model in enumerate(models):
        groups.setdefault(json.dumps(_stacked_options(model), sort_keys=True), []).append(position)
    return list(groups.values())


def _stacked_options(model: Autoencoder) -> dict[str, str]:
    """Return the options that must be the same in a stack, as texts."""
    options: dict[str, Any] = model.get_params(deep=False)
    free = KINDS[model.kind_].stacked_options if model.kind_ in KINDS else ()
    of_kind = options.pop("kind_options") or {}
    # Nothing at all may be another computation than a little.
    options |= {name: bool(value) if name in free else value for name, value in of_kind.items()}
    options |= options.pop("network_options") or {}
    return {k: json.dumps(v, default=id) for k, v in options.items() if k not in _MAY_DIFFER}


def fit_many(
    models: Sequence[Autoencoder],
    X: Array,
    y: npt.ArrayLike | None = None,
    *,
    validation: Array | None = None,
    step: Callable[[int, int], None] | None = None,
    say: Callable[[str], None] = lambda text: None,
) -> Iterator[tuple[int, DivergedError | None]]:
    """Fit estimators to the same samples, and yield the position of each one that is done.

    Small networks of one shape are trained as one stacked computation, with the results of training
    them one by one (:mod:`cuello.train.many`); the others are trained one after another.

    Parameters
    ----------
    models : sequence of Autoencoder
        Fitted in place.
    X, y, validation
        As for :meth:`Autoencoder.fit`. Without ``validation``, estimators that hold out samples
        of their own are trained one by one, for each sees other samples.
    step : callable or None
        Called with the steps done, and all steps, of the group that is being trained.
    say : callable
        Called with the reason why a group is trained one by one.

    Yields
    ------
    position : int
        Of the estimator in ``models``.
    error : DivergedError or None
        Why its training stopped; it then holds its last good weights.

    Examples
    --------
    >>> import numpy as np
    >>> X = np.random.default_rng(0).random((40, 6))
    >>> options = {"hidden": (4,), "latent_dim": 2, "epochs": 3, "validation_fraction": 0.0}
    >>> models = [Autoencoder("plain", random_state=seed, **options) for seed in range(3)]
    >>> sorted(position for position, error in fit_many(models, X))
    [0, 1, 2]
    >>> models[2].transform(X).shape
    (40, 2)
    """
    callbacks = Callback() if step is None else Callback(on_step_end=step)
    groups = groups_of(models)
    if len(groups) > 1:
        options = [_stacked_options(models[group[0]]) for group in groups]
        names = ", ".join(
            name
            for name in sorted(set().union(*options))
            if len({each.get(name) for each in options}) > 1
        )
        strategy = "one by one" if len(groups) == len(models) else f"in {len(groups)} stacks"
        say(f"{len(models)} networks are trained {strategy}: they differ in {names}.")
    for group in groups:
        alike = [models[position] for position in group]
        if len(alike) > 1:
            reason = "each holds out samples of its own"
            if validation is not None or alike[0].validation_fraction == 0.0:
                reason, errors = _fit_stack(alike, X, y, validation, callbacks)
                if not reason:
                    yield from zip(group, errors, strict=True)
                    continue
            say(f"{len(alike)} networks are trained one by one: {reason}.")
        for position, model in zip(group, alike, strict=True):
            error = None
            try:
                with quiet():
                    model.fit(X, y, validation=validation, callbacks=callbacks)
            except DivergedError as diverged:
                error = diverged
            yield position, error


def _fit_stack(
    models: list[Autoencoder],
    X: Array,
    y: npt.ArrayLike | None,
    validation: Array | None,
    callbacks: Callback,
) -> tuple[str, list[DivergedError | None]]:
    """Train estimators as one stack; or return why that cannot be, and train none."""
    prepared = [model._prepare(X, y, validation) for model in models]
    (samples, codes, held_out, augment), first = prepared[0], models[0]
    modules = [model.module_ for model in models]
    configs = [model.training_config_ for model in models]
    if reason := why_not_stackable(modules, configs):
        return reason, []
    rows = first._rows(samples, codes)
    try:
        outcomes = train_many(
            modules,
            rows,
            configs,
            validation=None if held_out is None else first._rows(held_out),
            augment=augment,
            callbacks=callbacks,
        )
    except (RuntimeError, NotImplementedError) as error:
        # What a kind computes may depend on values, which no batched computation can follow.
        return f"their losses cannot be batched ({str(error).splitlines()[0][:80]})", []
    for model, outcome in zip(models, outcomes, strict=True):
        model.history_ = outcome.history
        model._examine(rows.x)
    return "", [outcome.error for outcome in outcomes]
