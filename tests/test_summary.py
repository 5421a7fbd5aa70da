"""What a network consists of and costs, against formulas."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from cuello import networks
from cuello.networks import LayerSummary, summarize, total


def only(layers: list[LayerSummary], kind: str) -> list[LayerSummary]:
    return [layer for layer in layers if layer.type == kind]


def test_dense_layers_multiply_inputs_by_outputs():
    encoder, decoder = networks.build_network("dense", (7, 5), 2, 2, hidden=(20,), batch_norm=True)
    layers = summarize(encoder, decoder, (7, 5), 2)
    dense = only(layers, "Linear")
    assert [m.multiply_adds for m in dense] == [35 * 20, 20 * 2, 2 * 20, 20 * 35]
    assert [m.parameters for m in dense] == [36 * 20, 21 * 2, 3 * 20, 21 * 35]
    assert [m.bytes for m in dense] == [4 * m.parameters for m in dense]
    assert [m.name for m in dense] == ["encoder.0.1", "encoder.1.0", "decoder.0.0", "decoder.1.0"]
    # weight and bias; mean and variance in float32 and a count in int64 besides
    assert {(m.parameters, m.bytes) for m in only(layers, "BatchNorm1d")} == {(40, 4 * 80 + 8)}
    assert layers[-1].output_shape == (7, 5)
    whole = total(layers)
    assert whole.parameters == sum(p.numel() for m in (encoder, decoder) for p in m.parameters())
    assert whole.multiply_adds == 2 * (35 * 20 + 20 * 2)


def test_shared_weights_are_counted_once():
    encoder, decoder = networks.build_network(
        "dense", (12,), 2, 2, hidden=(5,), options={"tied": True}
    )
    layers = summarize(encoder, decoder, (12,), 2)
    assert [m.parameters for m in only(layers, "TiedLinear")] == [5, 12]
    assert [m.multiply_adds for m in only(layers, "TiedLinear")] == [2 * 5, 5 * 12]


@pytest.mark.parametrize("kernel_size", [3, 5])
def test_convolutions_multiply_kernel_channels_and_pixels(kernel_size):
    encoder, decoder = networks.build_network(
        "conv",
        (3, 10, 6),
        2,
        2,
        hidden=(4, 8),
        options={"kernel_size": kernel_size, "up": "transposed"},
    )
    layers = summarize(encoder, decoder, (3, 10, 6), 2)
    k = kernel_size**2
    down = only(layers, "Conv2d")
    assert [m.multiply_adds for m in down] == [k * 3 * 4 * 5 * 3, k * 4 * 8 * 3 * 2]
    assert [m.output_shape for m in down] == [(4, 5, 3), (8, 3, 2)]
    up = only(layers, "ConvTranspose2d")  # every pixel of the smaller image meets every weight
    assert [m.multiply_adds for m in up] == [k * 8 * 4 * 3 * 2, k * 4 * 3 * 5 * 3]


def test_up_convolutions_cost_what_they_compute():
    encoder, decoder = networks.build_network("conv", (8, 8), 2, 2, hidden=(4,))
    (up,) = only(summarize(encoder, decoder, (8, 8), 2), "UpConvolution")
    assert up.multiply_adds == 4 * 4 * 4 * 1 * 4 * 4  # kernel 4 x 4, 4 to 1 channels, 4 x 4 pixels


@pytest.mark.parametrize(("cell", "gates"), [("lstm", 4), ("gru", 3)])
@pytest.mark.parametrize("bidirectional", [False, True])
def test_recurrent_layers_multiply_their_gates_at_every_step(cell, gates, bidirectional):
    options = {"cell": cell, "bidirectional": bidirectional}
    encoder, decoder = networks.build_network(
        "sequence", (9, 2), 3, 3, hidden=(5, 4), options=options
    )
    layers = only(summarize(encoder, decoder, (9, 2), 3), cell.upper())
    both = 1 + bidirectional
    widths = [(2, 5), (5 * both, 4), (4 + 1, 4), (4 * both, 5)]
    expected = [gates * (i + h) * h * 9 for i, h in widths for _ in range(both)]
    assert [m.multiply_adds for m in layers] == expected
    assert {m.output_shape for m in layers} == {(9, 5), (9, 4)}


def test_what_a_module_computes_beside_its_parts_is_counted():
    class Outer(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = nn.Linear(6, 6)
            self.weight = nn.Parameter(torch.ones(6, 4))

        def forward(self, x):
            return self.inner(self.inner(x)) @ self.weight

    layers = summarize(Outer(), nn.Linear(4, 6), (6,), 4)
    assert [(m.name, m.multiply_adds) for m in layers] == [
        ("encoder", 24),
        ("encoder.inner", 72),  # twice
        ("decoder", 24),
    ]


def test_nothing_is_touched():
    encoder, decoder = networks.build_network(
        "conv", (8, 8), 2, 2, hidden=(4,), batch_norm=True, dropout=0.5
    )
    encoder.train()
    encoder[0][2].eval()
    decoder.eval()
    modes = [m.training for m in [*encoder.modules(), *decoder.modules()]]
    before = copy.deepcopy(encoder.state_dict())
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    summarize(encoder, decoder, (8, 8), 2)
    assert torch.equal(torch.rand(2), expected)
    assert modes == [m.training for m in [*encoder.modules(), *decoder.modules()]]
    assert all(torch.equal(before[k], v) for k, v in encoder.state_dict().items())
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in encoder.modules())
    assert all(p.grad is None for p in encoder.parameters())
