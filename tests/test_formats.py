"""Numbers, times, names and labels as texts."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from cuello.few_label.targets import read_classes, read_numbers
from cuello.formats import duration, number_text, shorten
from cuello.run.sheets import enlargement
from cuello.seeding import seeded
from cuello.train import Epoch
from cuello.train.progress import EpochProgress, epoch_text


@pytest.mark.parametrize(
    ("value", "text"), [(0.0123456, "0.0123"), (1797, "1,797"), (float("nan"), "–"), (0.01, "0.01")]
)
def test_numbers(value, text):
    assert number_text(value) == text


def test_padded_numbers_keep_their_zeros():
    assert number_text(0.0099999, padded=True) == "0.0100"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.42, "0.42 s"), (41.3, "41 s"), (83, "1 min 23 s"), (7300, "2 h 1 min"), (None, "–")],
)
def test_durations(seconds, text):
    assert duration(seconds) == text


def test_names_are_cut_in_the_middle():
    assert shorten("scan_0000000000017.png", 12) == "scan_0…7.png"
    assert shorten("short", 12) == "short"


@pytest.mark.parametrize(
    ("size", "factor"), [((8, 8), 7), ((28, 28), 2), ((64, 64), 1), ((384, 192), 0.25)]
)
def test_images_are_shown_at_a_size_that_can_be_seen(size, factor):
    assert enlargement(*size) == factor


def test_the_text_of_an_epoch():
    losses = {"train": {"reconstruction": 0.25}, "validation": {"reconstruction": 0.3}}
    record = Epoch(epoch=2, learning_rate=0.001, seconds=1.0, **losses)
    assert epoch_text(record, 40) == "epoch 3 of 40, loss 0.25, validation 0.3"
    with EpochProgress("plain", 40, visible=False) as progress:
        progress.on_step_end(1, 400)


def test_a_seed_draws_the_same_and_leaves_the_generator_alone():
    before = torch.random.get_rng_state()
    draws = []
    for _ in range(2):
        with seeded(3):
            draws.append(torch.rand(2))
    assert torch.equal(*draws)
    assert torch.equal(before, torch.random.get_rng_state())


def test_labels_are_read():
    classes = read_classes(np.zeros((4, 2)), ["cat", "dog", -1, "dog"], "auto")
    assert classes.y.tolist() == [0, 1, -1, 1]
    assert classes.summary == "Task 'binary': the labels are two classes."
    numbers = read_numbers(np.zeros((3, 2)), [1.0, 3.0, np.nan], "auto", "mse")
    assert numbers.y.tolist() == [-1.0, 1.0, 0.0]
    assert numbers.labelled.tolist() == [True, True, False]
