"""What is called while a model trains, and what is shown of it."""

from __future__ import annotations

import io
import sys

import numpy as np
import pytest
from sklearn.base import clone

from cuello import Autoencoder, InputError
from cuello.train import Callback, Epoch
from cuello.train.callbacks import combine
from cuello.train.progress import quiet

X = np.random.default_rng(0).normal(size=(60, 6)).astype(np.float32)


def small(**options):
    return Autoencoder("plain", hidden=(8,), latent_dim=2, batch_size=20, **{"epochs": 3} | options)


class Recorder:
    """Keeps what it is told; it inherits from nothing."""

    def __init__(self):
        self.epochs, self.steps = [], []

    def on_epoch_end(self, record):
        self.epochs.append(record)

    def on_step_end(self, done, total):
        self.steps.append((done, total))


def test_any_object_with_one_of_the_methods_is_told():
    recorder, epochs = Recorder(), []
    model = small().fit(X, callbacks=[recorder, Callback(on_epoch_end=epochs.append)])
    assert recorder.epochs == epochs == list(model.history_)
    assert all(isinstance(record, Epoch) for record in epochs)
    assert recorder.steps[-1] == (9, 9)
    assert [done for done, _ in recorder.steps] == [3, 6, 9]


def test_they_are_called_in_their_order():
    calls = []
    one, two = (
        Callback(on_epoch_end=lambda record, name=name: calls.append(name)) for name in "ab"
    )
    small(epochs=2).fit(X, callbacks=(one, None, two))
    assert calls == ["a", "b", "a", "b"]


def test_what_can_be_told_nothing_is_refused_before_training():
    with pytest.raises(InputError, match=r"callbacks=3 has none of the methods on_step_end"):
        small().fit(X, callbacks=3)
    assert combine(None) is not None


def shown(monkeypatch, model, *, terminal):
    class Text(io.StringIO):
        def isatty(self):
            return terminal

    text = Text()
    monkeypatch.setattr(sys, "stderr", text)
    model.fit(X)
    return text.getvalue()


def test_a_log_gets_a_line_an_epoch(monkeypatch):
    lines = shown(monkeypatch, small(verbose=True), terminal=False).splitlines()
    assert len(lines) == 3
    assert lines[1].startswith("plain: epoch 2 of 3, loss ")
    assert "validation" in lines[1]


def test_a_terminal_gets_a_bar_with_the_losses(monkeypatch):
    text = shown(monkeypatch, small(), terminal=True)
    assert "plain: epoch 3 of 3, loss" in text
    assert "left" in text


def test_nothing_is_shown_where_nobody_looks_or_who_starts_it_shows_it(monkeypatch):
    assert shown(monkeypatch, small(), terminal=False) == ""
    assert shown(monkeypatch, small(verbose=False), terminal=True) == ""
    with quiet():
        assert shown(monkeypatch, small(), terminal=True) == ""
        assert shown(monkeypatch, small(verbose=True), terminal=False) == ""


def test_verbose_is_an_option_and_changes_no_result(monkeypatch):
    with pytest.raises(InputError, match="verbose=2 must be True, False or 'auto'"):
        small(verbose=2).fit(X)
    one = small(verbose=True)
    shown(monkeypatch, one, terminal=False)
    other = clone(one).set_params(verbose=False).fit(X)
    assert np.array_equal(one.transform(X), other.transform(X))
