"""Where and how a model is trained follows from the machine, the model and the batch alone."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from cuello import networks
from cuello.train.placement import Placement, choose_placement


def test_a_small_step_takes_one_thread_and_float32():
    placed = choose_placement("cpu", "auto", 64, nn.Linear(10, 10))
    assert (placed.bf16, placed.threads) == (False, 1)


@pytest.mark.parametrize(("batch", "threads", "bf16"), [(63, 1, False), (64, 3, True)])
def test_a_large_step_takes_all_threads_and_bf16(batch, threads, bf16, monkeypatch):
    monkeypatch.setattr(torch, "get_num_threads", lambda: 3)
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": True})
    placed = choose_placement("cpu", "auto", batch, nn.Linear(1024, 1024, bias=False))
    assert (placed.threads, placed.bf16) == (threads, bf16)


@pytest.mark.parametrize(("precision", "bf16"), [("bf16", True), ("float32", False)])
def test_precision_can_be_chosen(precision, bf16):
    assert choose_placement("cpu", precision, 64, nn.Linear(10, 10)).bf16 is bf16


def test_bf16_only_where_the_processor_has_it(monkeypatch):
    large = nn.Linear(1024, 1024)
    for flags, expected in (({"avx512_bf16": True}, True), ({"amx_bf16": True}, True), ({}, False)):
        monkeypatch.setattr(torch.cpu, "get_capabilities", lambda flags=flags: flags)
        assert choose_placement("cpu", "auto", 128, large).bf16 is expected


def test_threads_are_as_before_afterwards():
    before = torch.get_num_threads()
    placed = Placement(torch.device("cpu"), bf16=False, threads=before + 1)
    with placed.limit_threads():
        assert torch.get_num_threads() == before + 1
    assert torch.get_num_threads() == before
    with pytest.raises(InterruptedError), placed.limit_threads():
        raise InterruptedError
    assert torch.get_num_threads() == before


def test_dense_weights_count_once_a_row_and_others_once_a_pixel_or_step():
    """Products of a step, in units of 64 Mi: from one on it is large."""
    threads = torch.get_num_threads() + 1  # more than one, on any machine
    torch.set_num_threads(threads)
    try:
        dense = nn.Linear(1023, 1024)  # with its bias 1 Mi, noted or not
        networks.note_uses(dense, torch.zeros(1, 1023))
        for batch, expected in ((63, 1), (64, threads)):
            assert choose_placement("cpu", "auto", batch, dense).threads == expected
            assert choose_placement("cpu", "auto", batch, nn.Linear(1023, 1024)).threads == expected
        encoder, _ = networks.build_network("conv", (28, 28), 2, 2)
        weights = sum(p.numel() for p in encoder.parameters())
        assert 128 * weights < 64 * 1024**2 < 128 * networks.multiplications(encoder)
        assert choose_placement("cpu", "auto", 128, encoder).threads == threads
        encoder, _ = networks.build_network("sequence", (50, 8), 2, 2, hidden=(128,))
        assert choose_placement("cpu", "auto", 128, encoder).threads == threads
    finally:
        torch.set_num_threads(threads - 1)
