"""Options of an estimator that records define: signature, defaults and docs come from the records.

Adding a field to :class:`cuello.train.TrainingConfig` adds an option to every estimator.
"""

from __future__ import annotations

import inspect
import math
import re
from collections.abc import Mapping
from dataclasses import fields
from typing import Annotated, Any, TypeVar, get_args, get_type_hints

import numpy as np

from cuello.errors import Argument, InputError, Use
from cuello.train import TrainingConfig

__all__ = ["RecordOptions", "resolve_training_config"]

Estimator = TypeVar("Estimator", bound=type)

_AUTO = ("epochs", "batch_size")  # for these an estimator also takes ``auto``, its default
_AUTO_STEPS = 4_000
_MOST_EPOCHS = 300
_BATCH_ELEMENTS = 4_000_000
"""Elements of a batch; images of 224x224 pixels and 3 channels come in batches of 26."""


class RecordOptions:
    """Options that dataclasses define, for an estimator whose ``__init__`` ends in ``**options``.

    A ``seed`` among their fields is left out: estimators take ``random_state``.
    """

    def __init__(self, *records: type) -> None:
        self.records = records
        self.hints: dict[str, Any] = {}
        self.parameters: dict[str, inspect.Parameter] = {}
        for record in records:
            self.hints |= get_type_hints(record, include_extras=True)
            for name, parameter in inspect.signature(record).parameters.items():
                # Without ranges and choices, which the hints have, it is read more easily.
                written = re.sub(r"Annotated\[([^,]+),.*\]", r"\1", str(parameter.annotation))
                if name in _AUTO and record is TrainingConfig:
                    self.hints[name] = Annotated[(int | str, *get_args(self.hints[name])[1:])]
                    parameter = parameter.replace(default="auto")
                    written = "int | str"
                if name != "seed":
                    self.parameters[name] = parameter.replace(annotation=written)

    def __call__(self, estimator: Estimator) -> Estimator:
        """Spell ``**options`` out, where scikit-learn, inspect and the command line look."""
        init: Any = vars(estimator)["__init__"]
        signature = inspect.signature(init)
        written = [p for p in signature.parameters.values() if p.kind is not p.VAR_KEYWORD]
        names = {p.name for p in written}
        taken = [p for name, p in self.parameters.items() if name not in names]
        init.__signature__ = signature.replace(parameters=[*written, *taken])
        del init.__annotations__["options"]
        init.__annotations__ |= {p.name: self.hints[p.name] for p in taken}
        entries = "\n".join(_entries(record) for record in self.records)
        doc = inspect.getdoc(estimator) or ""
        estimator.__doc__ = doc.replace("**options", entries)
        return estimator

    def complete(self, options: Mapping[str, Any]) -> dict[str, Any]:
        """Return these options and the defaults of the others; raise TypeError for unknown ones."""
        for name in options:
            if name not in self.parameters:
                raise TypeError(f"__init__() got an unexpected keyword argument {name!r}")
        return {name: p.default for name, p in self.parameters.items()} | dict(options)


def _entries(record: type) -> str:
    """Return the entries of a record's parameters in its docstring, but for the seed."""
    section = (inspect.getdoc(record) or "").partition("----------\n")[2]
    return section.partition("\n\n")[0].partition("\nseed : ")[0]


def resolve_training_config(
    estimator: object, samples: int, elements: int, seed: int
) -> TrainingConfig:
    """Return the configuration of a training on samples of so many elements, ``auto`` resolved.

    The options are attributes of the estimator; raise InputError for one outside its range.
    """
    names = [field.name for field in fields(TrainingConfig) if field.name != "seed"]
    options = {name: getattr(estimator, name) for name in names}
    batch_size, epochs = options["batch_size"], options["epochs"]
    if batch_size == "auto":
        batch_size = min(128, samples, max(_BATCH_ELEMENTS // elements, 8))
    if not isinstance(batch_size, int | np.integer) or batch_size > samples:
        most = f"a whole number up to the number of training samples ({samples}), or 'auto'"
        raise InputError(argument="batch_size", value=batch_size, allowed=most)
    if getattr(estimator, "batch_norm", False) and (samples < 2 or batch_size < 2):
        raise InputError(
            [
                f"needs batches of 2 samples or more; got {samples} training samples and ",
                Argument("batch_size", batch_size),
            ],
            argument="batch_norm",
            value=True,
            remedy=Use("batch_norm", False),
        )
    if epochs == "auto":
        epochs = min(math.ceil(_AUTO_STEPS / math.ceil(samples / batch_size)), _MOST_EPOCHS)
    if not isinstance(epochs, int | np.integer):
        whole = "a whole number from 1 on, or 'auto'"
        raise InputError(argument="epochs", value=epochs, allowed=whole)
    options |= {"epochs": int(epochs), "batch_size": int(batch_size), "seed": seed}
    return TrainingConfig(**options)
