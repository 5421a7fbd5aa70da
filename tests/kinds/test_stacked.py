"""The stacked autoencoder: whose turn it is, what moves in it, and what it learns."""

from __future__ import annotations

import copy
from itertools import pairwise

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from torch import nn

from cuello import Autoencoder, InputError, kinds
from cuello.kinds import Batch
from cuello.train import Callback


def stack(**options):
    defaults = {"hidden": (12, 8), "latent_dim": 3, "epochs": 12, "batch_size": 16}
    return Autoencoder("stacked", **(defaults | options))


def table(n=64):
    return np.random.default_rng(0).random((n, 20), dtype=np.float32)


def built(encoder, decoder, shape=(6,), **options):
    parts = kinds.Parts(
        encoder=encoder,
        decoder=decoder,
        reconstruction=kinds.ReconstructionLoss(),
        shape=shape,
        latent_dim=2,
    )
    return kinds.build_module("stacked", parts, **options)


def block_of(name):
    """The encoder's block that a weight belongs to; blocks of the decoder under their mirror's."""
    half, place = name.split(".")[:2]
    return int(place) if half == "encoder" else 2 - int(place)


@pytest.mark.parametrize(
    ("share", "epochs", "turns"),
    [
        (0.5, 12, [2, 2, 2, 6]),
        (0.6, 20, [4, 4, 4, 8]),
        (0.0, 4, [0, 0, 0, 4]),
        (0.5, 4, [1, 1, 0, 2]),
        (0.9, 10, [3, 3, 3, 1]),
        (0.99, 100, [33, 33, 33, 1]),
        (0.9, 2, [1, 0, 0, 1]),
        (0.5, 1, [0, 0, 0, 1]),
    ],
)
def test_stages_share_the_greedy_part_evenly_and_the_rest_is_together(share, epochs, turns):
    model = stack(kind_options={"greedy_share": share}, hidden=(4, 4), epochs=epochs)
    optimizers = list(model.initialize(table()).module_.optimizers())
    assert optimizers == ["layer 1", "layer 2", "layer 3", "together"]
    seen = [list(epoch.train) for epoch in model.fit(table(20)).history_]
    terms = ["layer 1", "layer 2", "layer 3", "reconstruction"]
    assert seen == [[t] for t, times in zip(terms, turns, strict=True) for _ in range(times)]
    assert model.module_.active_optimizers(1.0) == ["together"]


@pytest.mark.parametrize("tied", [False, True])
def test_only_the_blocks_of_a_stage_change_in_it(tied):
    """Weights, biases, and the statistics of batch normalisation."""
    model = stack(batch_norm=True, dropout=0.2, network_options={"tied": tied})
    states = []

    def keep(epoch):
        states.append(copy.deepcopy(model.module_.state_dict()))

    states.append(model.initialize(table()).module_.state_dict())
    model.fit(table(), callbacks=Callback(on_epoch_end=keep))
    changed = [
        {block_of(name) for name in before if not torch.equal(before[name], after[name])}
        for before, after in pairwise(states)
    ]
    assert changed == [{0}, {0}, {1}, {1}, {2}, {2}, *[{0, 1, 2}] * 6]


def test_a_stage_moves_all_that_it_owns():
    module = stack().initialize(table()).module_
    named = {id(p): name for name, p in module.named_parameters()}
    for optimizer, groups in module.optimizers().items():
        module.zero_grad()
        module.losses(Batch(torch.rand(9, 20)), optimizer)[
            optimizer if optimizer != "together" else "reconstruction"
        ].backward()
        moved = {name for name, p in module.named_parameters() if p.grad is not None}
        assert moved == {named[id(p)] for group in groups for p in group["params"]}


@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_losses_of_the_stages_by_hand(reduction):
    module = stack(reduction=reduction, dropout=0.5).initialize(table()).module_.train()
    x = torch.rand(9, 20)
    encoder, decoder = module.encoder, module.decoder

    def loss_of(optimizer):
        torch.manual_seed(0)
        (term,) = module.losses(Batch(x), optimizer).values()
        torch.manual_seed(0)
        return term

    expected = loss_of("layer 1")
    torch.testing.assert_close(module.reconstruction(decoder[2](encoder[0](x)), x), expected)
    for stage in (1, 2):
        with torch.no_grad():
            h = encoder.eval()[:stage](x)  # what rests drops no unit
        encoder.train()
        expected = loss_of(f"layer {stage + 1}")
        squares = (decoder[2 - stage](encoder[stage](h)) - h).square()
        torch.testing.assert_close(
            squares.mean() if reduction == "mean" else squares.sum() / 9, expected
        )
    assert all(m.training for m in module.modules())
    module.eval()
    module.losses(Batch(x), "layer 3")
    assert not any(m.training for m in module.modules())


def test_the_loss_falls_in_every_stage_and_the_stages_help():
    X = load_digits().images
    model = stack(hidden=(64, 32), latent_dim=10, epochs=40, batch_size=128).fit(X)
    untrained = -stack(hidden=(64, 32), latent_dim=10).initialize(X).score(X)
    for term in ("layer 1", "layer 2", "layer 3", "reconstruction"):
        curve = [epoch.train[term] for epoch in model.history_ if term in epoch.train]
        assert curve[-1] < curve[0]
    held_out = [epoch.validation["reconstruction"] for epoch in model.history_]
    assert held_out[19] < held_out[0]  # the stages alone
    assert min(held_out) == min(held_out[20:])
    assert -model.score(X) < 0.5 * untrained


def test_stages_train_a_deep_sigmoid_stack_further_than_plain():
    """What they were invented for: gradients fade on their way through many sigmoids."""
    X = load_digits().images
    options = {"hidden": (64, 48, 32), "activation": "sigmoid", "latent_dim": 10}
    options |= {"linear_skip": False}
    stacked, plain = (
        -Autoencoder(kind, **options, epochs=60, learning_rate=0.01).fit(X).score(X)
        for kind in ("stacked", "plain")
    )
    assert stacked < 0.7 * plain


@pytest.mark.parametrize("halt", [1, 2, 6, 8])
def test_resuming_at_and_inside_a_stage_is_exact(halt, tmp_path):
    """Epochs 0-1, 2-3 and 4-5 are of one block each."""

    def stop(epoch):
        if epoch.epoch + 1 == halt:
            raise InterruptedError

    whole = stack(batch_norm=True, dropout=0.2).fit(table())
    with pytest.raises(InterruptedError):
        stack(batch_norm=True, dropout=0.2).fit(
            table(), checkpoint=tmp_path / "part", callbacks=Callback(on_epoch_end=stop)
        )
    resumed = stack(batch_norm=True, dropout=0.2).fit(table(), checkpoint=tmp_path / "part")
    assert [list(e.train) for e in resumed.history_] == [list(e.train) for e in whole.history_]
    theirs = resumed.module_.state_dict()
    assert all(torch.equal(v, theirs[k]) for k, v in whole.module_.state_dict().items())


@pytest.mark.parametrize("share", [-0.1, 1.0, float("nan")])
def test_shares_outside_0_to_1_are_refused(share):
    with pytest.raises(InputError, match=r"greedy_share=.* below 1; use greedy_share=0.5"):
        built(nn.Sequential(nn.Linear(6, 2)), nn.Sequential(nn.Linear(2, 6)), greedy_share=share)


def test_your_own_blocks_are_trained_and_left_in_their_mode():
    encoder = nn.Sequential(nn.Sequential(nn.Linear(6, 4), nn.ReLU()), nn.Linear(4, 2))
    decoder = nn.Sequential(nn.Sequential(nn.Linear(2, 4), nn.ReLU()), nn.Linear(4, 6))
    model = built(encoder, decoder)
    assert list(model.optimizers()) == ["layer 1", "layer 2", "together"]
    assert encoder.training
    assert decoder.training


@pytest.mark.parametrize(
    ("encoder", "decoder", "problem"),
    [
        (nn.Linear(6, 2), nn.Sequential(nn.Linear(2, 6)), "encoder is a Linear"),
        (nn.Sequential(nn.Linear(6, 2)), nn.Linear(2, 6), "decoder is a Linear"),
        (
            nn.Sequential(nn.Linear(6, 4), nn.Linear(4, 2)),
            nn.Sequential(nn.Linear(2, 6)),
            "encoder has 2 blocks and the decoder 1",
        ),
        (
            nn.Sequential(nn.Linear(6, 2), nn.ReLU()),
            nn.Sequential(nn.ReLU(), nn.Linear(2, 6)),
            "block 1 of the encoder and its mirror image have no weights",
        ),
        (
            nn.Sequential(nn.Linear(6, 4), nn.Linear(4, 2)),
            nn.Sequential(nn.Linear(2, 5), nn.Linear(5, 6)),
            r"block 0 of the encoder turns \(2, 6\) into \(2, 4\), and block -1 of the decoder",
        ),
        (
            nn.Sequential(nn.Linear(6, 4), nn.Linear(4, 2)),
            nn.Sequential(nn.Linear(2, 3), nn.Linear(4, 6)),
            r"block 1 of the encoder turns \(2, 4\) into \(2, 2\), .* but gives \(2, 3\)",
        ),
    ],
)
def test_networks_that_are_no_mirror_image_are_refused(encoder, decoder, problem):
    with pytest.raises(InputError, match=f"nn.Sequential; .*{problem}.*, or use kind='plain'"):
        built(encoder, decoder)
