"""Convolutional networks: sizes restored, up-sampling against its definition, options honoured."""

from __future__ import annotations

import copy
import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from cuello import Autoencoder, InputError, networks
from cuello.networks import INITIALIZERS
from cuello.networks.conv import Residual
from cuello.networks.layers import ToImage, UpConvolution

UPS = ("transposed", "upsample")


def build(shape, **options):
    chosen = {k: options.pop(k) for k in ("up", "residual", "kernel_size") if k in options}
    return networks.build_network("conv", shape, 2, 3, options=chosen, **options)


@pytest.mark.parametrize("up", UPS)
@pytest.mark.parametrize("size", range(1, 41))
def test_every_size_is_restored(up, size):
    shape = (size, 41 - size)
    encoder, decoder = build(shape, hidden=(2, 3, 2), up=up)
    x = torch.rand(2, *shape)
    assert encoder(x).shape == (2, 3)
    assert decoder(torch.rand(2, 2)).shape == x.shape


@settings(max_examples=40)
@given(
    channels=st.integers(0, 4),
    height=st.integers(1, 9),
    width=st.integers(1, 9),
    hidden=st.lists(st.integers(1, 4), max_size=4),
    up=st.sampled_from(UPS),
    residual=st.booleans(),
    batch_norm=st.booleans(),
    kernel_size=st.sampled_from([3, 5]),
    initializer=st.sampled_from(sorted(INITIALIZERS)),
)
def test_each_decoder_block_undoes_the_shape_of_its_mirror_image(
    channels, height, width, hidden, **options
):
    shape = (channels, height, width) if channels else (height, width)
    encoder, decoder = build(shape, hidden=tuple(hidden), dropout=0.1, **options)
    assert len(encoder) == len(decoder) == len(hidden) + 1
    x = [torch.rand(2, *shape)]
    for block in encoder:
        x.append(block(x[-1]))
    for i, block in enumerate(reversed(decoder)):
        given = x[i + 1] if i + 1 < len(x) - 1 else torch.rand(2, 2)
        assert block(given).shape == x[i].shape
    out = decoder(torch.rand(2, 2))
    assert out.is_contiguous()
    out.sum().backward()
    assert all(p.grad is not None for p in decoder.parameters())


@pytest.mark.parametrize("kernel_size", [1, 3, 5])
@pytest.mark.parametrize("size", [(1, 1), (4, 3), (5, 7)])
def test_up_convolution_is_repeating_pixels_and_then_convolving(kernel_size, size):
    height, width = size
    layer = UpConvolution(2, 3, kernel_size, (2 * height, 2 * width)).double()
    x = torch.rand(2, 2, height, width, dtype=torch.float64)
    repeated = F.interpolate(x, scale_factor=2, mode="nearest")
    plain = F.conv2d(repeated, layer.weight, layer.bias, padding=kernel_size // 2)
    torch.testing.assert_close(layer(x), plain)
    cropped = UpConvolution(2, 3, kernel_size, (2 * height - 1, 2 * width - 1)).double()
    cropped.load_state_dict(layer.state_dict())
    torch.testing.assert_close(cropped(x), plain[:, :, :-1, :-1])


def test_residual_adds_what_went_in():
    encoder, decoder = build((8, 8), hidden=(2,), residual=True, activation="tanh")
    (block,) = [m for m in encoder.modules() if isinstance(m, Residual)]
    assert sum(isinstance(m, Residual) for m in decoder.modules()) == 1
    assert sum(isinstance(m, nn.Conv2d) for m in block.modules()) == 2
    x = torch.rand(3, 2, 4, 4)
    torch.testing.assert_close(block(x), torch.tanh(x + block.inner(x)))
    for parameter in block.inner[-1].parameters():
        nn.init.zeros_(parameter)
    torch.testing.assert_close(block(x), torch.tanh(x))


def test_layers_between_are_as_asked_and_the_last_ones_are_plain():
    options = {"activation": "elu", "batch_norm": True, "dropout": 0.2, "latent_activation": "tanh"}
    encoder, decoder = build((6, 6), hidden=(2, 4), **options)
    kinds = [[type(m).__name__ for m in block] for block in encoder]
    assert kinds == [
        ["ToImage", "Conv2d", "BatchNorm2d", "ELU", "Dropout"],
        ["Conv2d", "BatchNorm2d", "ELU", "Dropout"],
        ["FlattenPixels", "Linear", "Tanh"],
    ]
    kinds = [[type(m).__name__ for m in block] for block in decoder]
    assert kinds == [
        ["Linear", "UnflattenPixels", "BatchNorm2d", "ELU", "Dropout"],
        ["UpConvolution", "BatchNorm2d", "ELU", "Dropout"],
        ["UpConvolution", "ToSample"],
    ]


@pytest.mark.parametrize("shape", [(3, 8, 8), (1, 8, 8), (8, 8)])
def test_images_are_channels_last_inside(shape):
    encoder, decoder = build(shape, hidden=(4, 4))
    seen = []
    for module in [*encoder.modules(), *decoder.modules()]:
        if isinstance(module, nn.Conv2d):
            module.register_forward_hook(lambda m, inputs, output: seen.extend([inputs[0], output]))
    x = torch.rand(2, *shape)
    assert torch.equal(ToImage()(x), x.view(2, -1, 8, 8))
    decoder(encoder(x)[:, :2])
    assert len(seen) == 8
    assert all(t.is_contiguous(memory_format=torch.channels_last) for t in seen)


@pytest.mark.parametrize("up", UPS)
@pytest.mark.parametrize(
    ("name", "sd"),
    [
        ("he_normal", lambda a, b: math.sqrt(2 / (9 * a))),
        ("he_uniform", lambda a, b: math.sqrt(2 / (9 * a))),
        ("xavier_normal", lambda a, b: math.sqrt(2 / (9 * (a + b)))),
        ("orthogonal", lambda a, b: 1 / math.sqrt(9 * a)),
        ("uniform", lambda a, b: 1 / math.sqrt(3)),
    ],
)
def test_initial_weights_have_the_spread_of_their_formula(up, name, sd):
    torch.manual_seed(0)
    encoder, decoder = build((16, 16), hidden=(30, 40), up=up, initializer=name)
    for layer, a, b in ((encoder[1][0], 30, 40), (decoder[1][0], 40, 30)):
        assert layer.weight.std().item() == pytest.approx(sd(a, b), rel=0.03)
        assert (layer.bias == 0).all() == (name != "uniform")
    if name == "orthogonal":
        rows = (encoder[1][0].weight).flatten(1)
        torch.testing.assert_close(rows @ rows.T, torch.eye(40), atol=1e-5, rtol=0)


@pytest.mark.parametrize(
    ("shape", "options", "text"),
    [
        ((12,), {}, "shape (12,), only images"),
        ((2, 3, 4, 5), {}, "use network='dense'"),
        ((0, 4, 4), {}, "1 or more of each"),
        ((4, 4), {"hidden": (4, 0)}, "widths of 1 or more"),
        ((4, 4), {"dropout": 1.0}, "dropout=1.0"),
        ((4, 4), {"kernel_size": 4}, "kernel_size=4 must be odd"),
        ((4, 4), {"kernel_size": -1}, "kernel_size=-1 must be a whole number, 3 or more"),
        # PyTorch's AVX2 kernels write past a buffer for it: oneDNN, issue 6035.
        ((4, 4), {"kernel_size": 1}, "kernel_size=1 must be a whole number, 3 or more"),
        ((4, 4), {"up": "upsampel"}, "did you mean 'upsample'"),
        ((4, 4), {"activation": "rleu"}, "did you mean 'relu'"),
        ((4, 4), {"initializer": "hee"}, "Allowed: "),
    ],
)
def test_wrong_options_are_refused(shape, options, text):
    with pytest.raises(InputError) as error:
        build(shape, **options)
    assert text in str(error.value)


def test_copies_give_the_same_and_bfloat16_nearly_so():
    encoder, _ = build((3, 9, 9), hidden=(4, 8), residual=True)
    x = torch.rand(5, 3, 9, 9)
    assert torch.equal(copy.deepcopy(encoder)(x), encoder(x))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        torch.testing.assert_close(encoder(x).float(), encoder(x.clone()).float())
        half = encoder(x).float()
    torch.testing.assert_close(half, encoder(x), atol=0.05, rtol=0.05)


def bars(n=64):
    """Bright bars at random places: two numbers say all about an image."""
    rng = np.random.default_rng(0)
    X = np.zeros((n, 9, 7), dtype=np.float32)
    for image, row, column in zip(X, rng.integers(0, 9, n), rng.integers(0, 7, n), strict=True):
        image[row] = 1.0
        image[:, column] = 1.0
    return X


@pytest.mark.parametrize("options", [{"up": "upsample"}, {"up": "transposed", "residual": True}])
def test_it_learns(options):
    model = Autoencoder(
        "plain",
        network="conv",
        network_options=options,
        hidden=(8, 16),
        latent_dim=8,
        epochs=60,
        batch_size=16,
        learning_rate=0.01,
    ).fit(bars())
    first, last = (sum(model.history_[i].train.values()) for i in (0, -1))
    assert last < 0.5 * first


def test_resumed_training_equals_uninterrupted(tmp_path):
    """Also where the weights themselves are channels-last, whose files are not."""
    from cuello import kinds
    from cuello.train import Callback, Rows, TrainingConfig, train

    def model():
        torch.manual_seed(0)
        encoder, decoder = networks.build_network("conv", (9, 7), 2, 2, hidden=(4, 8))
        parts = kinds.Parts(
            encoder=encoder,
            decoder=decoder,
            reconstruction=kinds.ReconstructionLoss(),
            shape=(9, 7),
            latent_dim=2,
        )
        return kinds.build_module("plain", parts).to(memory_format=torch.channels_last)

    def stop(epoch):
        if epoch.epoch == 1:
            raise InterruptedError

    how = TrainingConfig(epochs=4, batch_size=16, learning_rate=0.01)
    rows = Rows(torch.from_numpy(bars()))
    whole, resumed = model(), model()
    train(whole, rows, how)
    with pytest.raises(InterruptedError):
        train(model(), rows, how, checkpoint=tmp_path / "c", callbacks=Callback(on_epoch_end=stop))
    train(resumed, rows, how, checkpoint=tmp_path / "c")
    for a, b in zip(whole.parameters(), resumed.parameters(), strict=True):
        assert torch.equal(a, b)


def test_a_step_counts_its_weights_once_a_pixel():
    encoder, decoder = build((8, 8), hidden=(2, 4))
    conv = 10 * 2 * 16 + (9 * 2 + 1) * 4 * 4  # 4 x 4 and 2 x 2 pixels
    dense = (16 + 1) * 3
    assert networks.multiplications(encoder) == conv + dense
    dense = 3 * 16
    assert networks.multiplications(decoder) == dense + (9 * 4 + 1) * 2 * 16 + (9 * 2 + 1) * 64
