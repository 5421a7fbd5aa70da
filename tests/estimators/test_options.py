"""Options are defined in one place: a new one appears wherever options are read."""

from __future__ import annotations

import inspect
from dataclasses import dataclass, fields
from typing import Annotated, Any

import pytest
from sklearn.base import BaseEstimator, clone

from cuello import Autoencoder, InputError
from cuello.estimators.assemble import Architecture
from cuello.estimators.options import RecordOptions
from cuello.options import Range, describe, read_options
from cuello.train import TrainingConfig, training_options


@dataclass(frozen=True, kw_only=True)
class Momentous(TrainingConfig):
    """A training with one option more.

    Parameters
    ----------
    lookahead : float
        Share of a step to look ahead.
    """

    lookahead: Annotated[float, Range(0.0, 1.0)] = 0.5


OPTIONS = RecordOptions(Momentous)


@OPTIONS
class Toy(BaseEstimator):
    """Train a toy.

    Parameters
    ----------
    **options
    size : int
        Size.
    """

    def __init__(self, *, size: int = 3, **options: Any) -> None:
        self.size = size
        self.__dict__.update(OPTIONS.complete(options))


def test_an_option_that_is_added_to_the_config_is_an_option_of_the_estimator():
    assert Toy().lookahead == 0.5
    toy = clone(Toy(lookahead=0.2, epochs=4))
    assert (toy.get_params()["lookahead"], toy.epochs) == (0.2, 4)
    assert repr(toy) == "Toy(epochs=4, lookahead=0.2)"
    assert "lookahead" in inspect.signature(Toy).parameters
    option = read_options(Toy)["lookahead"]
    assert (option.help, option.range, option.type) == (
        "Share of a step to look ahead.",
        Range(0.0, 1.0),
        "float",
    )
    with pytest.raises(InputError, match=r"lookahead=2\.0 must be a finite number, 0 or more and"):
        Momentous(lookahead=2.0)
    with pytest.raises(TypeError, match="unexpected keyword argument 'lookahed'"):
        Toy(lookahed=0.1)


@pytest.mark.parametrize("record", [TrainingConfig, Architecture])
def test_an_autoencoder_takes_every_option_with_default_help_and_range(record):
    options, defined = read_options(Autoencoder), read_options(record)
    taken = {field.name for field in fields(record)} - {"seed"}
    assert taken <= inspect.signature(Autoencoder).parameters.keys()
    assert taken <= Autoencoder().get_params().keys()
    for name in taken - {"kind"}:
        ours, theirs = options[name], defined[name]
        assert (ours.help, ours.range, ours.choices) == (theirs.help, theirs.range, theirs.choices)
        if name not in ("epochs", "batch_size"):
            assert (ours.default, ours.type) == (theirs.default, theirs.type)
    assert (options["epochs"].default, options["epochs"].type) == ("auto", "int | str")
    assert options["batch_size"].range == Range(1)


def test_every_option_has_help():
    assert all(option.help for option in read_options(Autoencoder).values())
    assert set(describe(Autoencoder).parameters) >= set(Autoencoder().get_params())
    assert all(option.help for option in training_options().values())


def test_options_reach_the_training(monkeypatch):
    seen = []
    monkeypatch.setattr(
        "cuello.estimators.autoencoder.train",
        lambda module, rows, config, **more: seen.append(config) or [],
    )
    values = {
        "optimizer": "sgd",
        "learning_rate": 0.5,
        "momentum": 0.25,
        "weight_decay": 0.125,
        "schedule": "linear",
        "warm_up": 0.5,
        "epochs": 3,
        "batch_size": 4,
        "shuffle": "never",
        "patience": 2,
        "gradient_clip": 1.5,
        "device": "cpu",
        "precision": "float32",
        "max_time": 100.0,
    }
    assert values.keys() == training_options().keys() - {"seed"}
    X = [[float(i), float(i % 3), 1.0] for i in range(12)]
    Autoencoder(hidden=(4,), latent_dim=1, **values).fit(X)
    assert {name: getattr(seen[0], name) for name in values} == values
