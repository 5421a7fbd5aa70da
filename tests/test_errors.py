"""Errors: the same after the way back from a worker process."""

from __future__ import annotations

import pickle

import pytest

from cuello.errors import (
    Argument,
    CuelloError,
    CuelloWarning,
    DataError,
    DivergedError,
    InputError,
    RunError,
    UnknownNameError,
    Use,
)


@pytest.mark.parametrize(
    "kind", [CuelloError, InputError, UnknownNameError, DataError, RunError, DivergedError]
)
@pytest.mark.parametrize(
    "facts",
    [
        {"problem": "a sentence"},
        {"argument": "epochs", "value": 0, "allowed": "1 or more", "remedy": Use("epochs", 9)},
        {"problem": (Argument("host"), " is in use"), "value": "a file"},
        {"problem": "is missing", "argument": "labels"},
    ],
)
def test_an_error_is_the_same_once_it_was_sent(kind, facts):
    error = kind(**facts)
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is kind
    assert str(again) == str(error)
    assert vars(again) == vars(error)


def test_a_warning_is_the_same_once_it_was_sent():
    again = pickle.loads(pickle.dumps(CuelloWarning(("chosen: ", Argument("epochs", 3)))))
    assert str(again) == "chosen: epochs=3"
    assert again.text == ("chosen: ", Argument("epochs", 3))
