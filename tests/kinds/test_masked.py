"""The masked autoencoder: what is hidden, what counts, and what the encoder sees."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from cuello import Autoencoder, InputError, kinds
from cuello.kinds import Batch

SHAPES = st.one_of(
    st.tuples(st.integers(2, 40)),
    st.tuples(st.integers(1, 30), st.integers(2, 30)),
    st.tuples(st.integers(1, 3), st.integers(2, 30), st.integers(1, 30)),
)


def built(shape, missing=False, **options):
    size = math.prod(shape)
    parts = kinds.Parts(
        encoder=nn.Sequential(nn.Flatten(), nn.Linear(size, 3)),
        decoder=nn.Sequential(nn.Linear(3, size), nn.Unflatten(1, shape)),
        reconstruction=kinds.ReconstructionLoss(loss="mse", output="identity", missing=missing),
        shape=shape,
        latent_dim=3,
    )
    return kinds.build_module("masked", parts, **options)


def corners(hidden, patch):
    """One element of each patch of a batch of masks, (B, ...)."""
    if hidden.ndim == 2:
        return hidden
    return (
        hidden[..., ::patch, ::patch].flatten(1)
        if hidden.ndim == 3
        else corners(hidden[:, 0], patch)
    )


@given(shape=SHAPES, share=st.floats(0.01, 0.99), rows=st.integers(1, 9), side=st.integers(0, 9))
def test_every_row_hides_exactly_its_share_of_whole_patches(shape, share, rows, side):
    largest = 1 if len(shape) == 1 else min(min(shape[-2:]), max(shape[-2:]) - 1)
    side = min(side, max(largest, 1))
    model = built(shape, share=share, patch=side)
    hidden = model.hide(torch.zeros(rows, *shape))[1]
    assert hidden.shape == (rows, *shape)
    assert hidden.dtype == torch.bool
    patches = corners(hidden, model.patch)
    n = patches.shape[1]
    assert (patches.sum(dim=1) == min(max(round(share * n), 1), n - 1)).all()
    # Painting each patch in the color of its corner gives the mask back: they are aligned.
    if len(shape) > 1:
        tile = np.ones((model.patch, model.patch), dtype=bool)
        planes = hidden.reshape(-1, *shape[-2:]).numpy()
        for plane in planes:
            whole = np.kron(plane[:: model.patch, :: model.patch], tile)
            assert np.array_equal(whole[: shape[-2], : shape[-1]], plane)
    if len(shape) == 3:
        assert (hidden == hidden[:, :1]).all()


@pytest.mark.parametrize(
    ("shape", "patch"),
    [
        ((30,), 1),
        ((7, 5), 1),
        ((8, 8), 1),
        ((28, 28), 4),
        ((28, 70), 4),
        ((3, 32, 32), 5),
        ((1, 9), 1),
    ],
)
def test_patches_are_about_a_seventh_of_the_shorter_side(shape, patch):
    assert built(shape).patch == patch


def test_every_row_draws_its_own_and_all_are_as_likely():
    model = built((6, 6), patch=2, share=1 / 3)
    hidden = corners(model.hide(torch.zeros(4000, 6, 6))[1], 2)
    assert len(hidden.unique(dim=0)) == math.comb(9, 3)
    error = math.sqrt(1 / 3 * 2 / 3 / 4000)
    assert ((hidden.float().mean(dim=0) - 1 / 3).abs() < 4 * error).all()


@pytest.mark.parametrize("shape", [(10,), (9, 6), (2, 9, 6)])
def test_what_the_encoder_gets_has_the_mean_of_the_row(shape):
    model, x = built(shape, share=0.6), torch.rand(1, *shape) + 0.5
    seen = model.hide(x.expand(20_000, *shape))[0]
    torch.testing.assert_close(seen.mean(dim=0), x[0], rtol=0.08, atol=0)
    hidden = seen == 0
    torch.testing.assert_close(seen, torch.where(hidden, 0, x * model.growth))


def test_the_same_seed_hides_the_same():
    model, x = built((8, 8)), torch.rand(5, 8, 8)
    draws = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        draws.append(model.hide(x)[1])
    assert torch.equal(draws[0], draws[1])
    assert not torch.equal(draws[0], draws[2])


@pytest.mark.parametrize("visible_weight", [0.0, 0.1, 1.0])
def test_elements_count_as_their_weight_says(visible_weight):
    """Gradient of the loss by each of the decoder's last sums, against that of a plain loss."""
    model = built((6, 6), visible_weight=visible_weight)
    x, sums = torch.rand(4, 6, 6), torch.rand(4, 6, 6, requires_grad=True)
    model.decoder = Constant(sums)
    torch.manual_seed(0)
    model.losses(Batch(x), "autoencoder")["reconstruction"].backward()
    torch.manual_seed(0)
    weight = torch.where(model.hide(x)[1], 1.0, visible_weight)
    expected = 2 * (sums - x) * weight / weight.sum()
    torch.testing.assert_close(sums.grad, expected.detach())
    assert (sums.grad[weight == 0] == 0).all()


class Constant(nn.Module):
    def __init__(self, value):
        super().__init__()
        self.value = value

    def forward(self, z):
        return self.value


def test_encode_sees_whole_rows_and_training_does_not():
    model, x = built((6, 6)), torch.rand(4, 6, 6)
    seen = []
    model.encoder.register_forward_pre_hook(lambda module, given: seen.append(given[0]))
    model.encode(x)
    model.reconstruct(x)
    model.losses(Batch(x), "autoencoder")
    assert seen[0] is x
    assert seen[1] is x
    assert ((seen[2] == 0).flatten(1).sum(dim=1) == 18).all()


def test_missing_steps_stay_missing_and_do_not_count():
    model, x = built((6, 4), missing=True), torch.rand(3, 6, 4)
    x[:, 4:] = torch.nan
    assert torch.equal(model.hide(x)[0].isnan(), x.isnan())
    model.encoder = nn.Sequential(Zeroed(), model.encoder)
    assert model.losses(Batch(x), "autoencoder")["reconstruction"].isfinite()


class Zeroed(nn.Module):
    def forward(self, x):
        return x.nan_to_num()


def test_it_fills_in_what_is_hidden():
    """All columns of a row are the same: any visible one tells all hidden ones."""
    X = np.repeat(np.random.default_rng(0).random((200, 1)), 8, axis=1)
    model = Autoencoder(
        "masked", hidden=(32,), latent_dim=3, epochs=60, learning_rate=0.01, loss="mse"
    ).fit(X)
    x = torch.from_numpy(model.scaling_.apply(X))
    torch.manual_seed(0)
    hidden = model.module_.hide(x)[1]
    torch.manual_seed(0)
    filled = model.module_.reconstruct(model.module_.hide(x)[0])
    assert (filled - x)[hidden].square().mean() < 0.1 * x.var()
    assert (model.module_.reconstruct(x) - x).square().mean() < 0.1 * x.var()


@pytest.mark.parametrize("share", [0.0, 1.0, -0.5, math.nan])
def test_shares_outside_0_to_1_are_refused(share):
    with pytest.raises(InputError, match=r"share=.* must be .*above 0 and below 1; use share=0.5"):
        built((4, 4), share=share)


@pytest.mark.parametrize("weight", [-0.1, math.nan, math.inf])
def test_wrong_visible_weights_are_refused(weight):
    with pytest.raises(InputError, match=r"visible_weight=.*0 or more; use visible_weight=0.1"):
        built((4, 4), visible_weight=weight)


@pytest.mark.parametrize(
    ("shape", "patch", "allowed"),
    [
        ((9,), 2, "in 0..1"),
        ((6, 6), 6, "in 0..5"),
        ((6, 6), 7, "in 0..5"),
        ((4, 6), 5, "in 0..4"),
        ((3, 6, 6), -1, "a whole number, 0 or more"),
        ((6, 6), 1.5, "a whole number, 0 or more"),
    ],
)
def test_patches_that_do_not_fit_are_refused(shape, patch, allowed):
    with pytest.raises(InputError, match=f"patch={patch} must be {allowed}"):
        built(shape, patch=patch)


@pytest.mark.parametrize("shape", [(1,), (1, 1), (3, 1, 1)])
def test_rows_of_one_pixel_or_column_are_refused(shape):
    with pytest.raises(InputError, match="1 pixel or column have none; use kind='plain'"):
        built(shape)
