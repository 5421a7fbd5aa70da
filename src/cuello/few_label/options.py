"""Options of few-label learning: those of all methods, and the base of those of one method."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from numbers import Integral, Real
from typing import Annotated, Any, Self

from cuello.errors import Argument, InputError, Use, unknown
from cuello.options import Option, Range, read_options
from cuello.train import TrainingConfig

__all__ = ["AUTO", "FewLabelOptions", "MethodOptions"]

AUTO = ("auto",)  # what an option takes beside numbers, where it can be left to the method
_DEFAULT_STEPS, _FEWEST_EPOCHS = 150, 20
_DEFAULT_WEIGHT_DECAY = 0.01


@dataclass(frozen=True, kw_only=True)
class _Checked:
    """Options that are checked against their types, ranges and choices when they are set."""

    def __post_init__(self) -> None:
        for name, option in read_options(type(self)).items():
            value = getattr(self, name)
            if _fits(option, value):
                continue
            if option.choices and option.range is None:
                raise unknown(name, str(value), option.choices)
            raise InputError(argument=name, value=value, allowed=_allowed(option))

    @classmethod
    def read(cls, values: Mapping[str, Any] | None) -> Self:
        """Return the options of this class among values, and defaults of the others."""
        names = {field.name for field in fields(cls)}
        return cls(**{k: v for k, v in (values or {}).items() if k in names})


def _fits(option: Option, value: object) -> bool:
    if value is None or isinstance(value, bool):
        return type(value).__name__.removesuffix("Type") in option.type
    if isinstance(value, str):
        return value in option.choices if option.choices else "str" in option.type
    if option.range is None:
        return True  # checked where it is read
    number = Real if "float" in option.type else Integral
    return isinstance(value, number) and float(value) in option.range


def _allowed(option: Option) -> str:
    if option.range is None:
        return "True or False" if option.type == "bool" else option.type
    number = f"{'' if 'float' in option.type else 'a whole number, '}{option.range}"
    return ", or ".join([number, *map(repr, option.choices)])


@dataclass(frozen=True, kw_only=True)
class MethodOptions(_Checked):
    """Options of one method: its subclass has a field for each, with type, default and help.

    Examples
    --------
    >>> @dataclass(frozen=True, kw_only=True)
    ... class Options(MethodOptions):
    ...     '''Options of a method.
    ...
    ...     Parameters
    ...     ----------
    ...     steps : int
    ...         Steps of training.
    ...     '''
    ...     steps: int = 100
    >>> Options.read({"steps": 5, "of another": 1})
    Options(steps=5)
    """


@dataclass(frozen=True, kw_only=True)
class FewLabelOptions(_Checked):
    """Options of the estimators that every method can read; see :class:`FewLabelClassifier`.

    Raises
    ------
    InputError
        If a value is outside its range.

    Examples
    --------
    >>> FewLabelOptions(epochs="auto", batch_size=64).training(0.01, 100, seed=0).epochs
    75
    """

    encoder_lr_factor: Annotated[float, Range(0.0, 1.0, open_low=True)] = 0.1
    learning_rates: Sequence[float] = (0.001, 0.003, 0.01, 0.03)
    cv: int = 3
    epochs: Annotated[int | str, Range(1), AUTO] = "auto"
    batch_size: int = 64
    weight_decay: Annotated[float | str, Range(0.0), AUTO] = "auto"
    layer_decay: Annotated[float, Range(0.0, 1.0, open_low=True)] = 1.0
    head_hidden: Annotated[int | None, Range(1)] = None
    batch_norm: bool = False
    dropout: Annotated[float, Range(0.0, 1.0, open_high=True)] = 0.0
    augment: str | None = "auto"
    device: str = "auto"
    precision: str = "auto"
    method_options: Mapping[str, Any] | None = None
    max_time: Annotated[float | None, Range(0.0, open_low=True)] = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if not len(self.learning_rates):
            raise InputError(
                "is empty", argument="learning_rates", remedy="give one rate or more: (0.01,)"
            )
        if self.cv < 2 and self.cv != 0:
            raise InputError(
                argument="cv", value=self.cv, allowed="at least 2 folds, or 0 to hold nothing out"
            )
        if self.batch_norm and self.batch_size == 1:
            raise InputError(
                ["needs ", Argument("batch_size", 2), " or more: one sample has no variance"],
                argument="batch_norm",
                value=True,
                remedy=Use("batch_norm", False),
            )
        self.training(self.learning_rates[0], 1, 0)

    @property
    def decay(self) -> float:
        """Weight decay, with the default in the place of ``auto``."""
        decay = self.weight_decay
        return _DEFAULT_WEIGHT_DECAY if isinstance(decay, str) else decay

    def training(self, rate: float, samples: int, seed: int) -> TrainingConfig:
        """Return the configuration of fine-tuning on so many labelled samples."""
        batch_size = min(self.batch_size, samples) if self.batch_size > 0 else self.batch_size
        epochs = self.epochs
        if isinstance(epochs, str):
            steps = math.ceil(samples / max(batch_size, 1))
            epochs = max(math.ceil(_DEFAULT_STEPS / steps), _FEWEST_EPOCHS)
        return TrainingConfig(
            optimizer="adamw",
            learning_rate=rate,
            weight_decay=self.decay,
            epochs=int(epochs),
            batch_size=batch_size,
            device=self.device,
            precision=self.precision,
            seed=seed,
        )
