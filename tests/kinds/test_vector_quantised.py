"""The codebook against its formulas: nearest vectors, moving means, revival, use."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from torch import nn

from cuello import Autoencoder, InputError, kinds
from cuello.kinds import Batch
from cuello.train import Rows, TrainingConfig, train

FEATURES = 12


def rows(n=64, seed=0):
    return torch.randn(n, FEATURES, generator=torch.Generator().manual_seed(seed))


def module(latents=6, *, trained=True, **options):
    """Linear halves; ``trained`` by one batch, so that the codebook is that of a run."""
    torch.manual_seed(0)
    parts = kinds.Parts(
        encoder=nn.Linear(FEATURES, latents),
        decoder=nn.Linear(latents, FEATURES),
        reconstruction=kinds.ReconstructionLoss(loss="mse", output="identity"),
        shape=(FEATURES,),
        latent_dim=latents,
    )
    made = kinds.build_module("vector-quantised", parts, **({"codebook_size": 8} | options))
    if trained:
        made.losses(Batch(rows()), "autoencoder")
    return made


def parts_of(made, x):
    return made.encoder(x).detach().unflatten(1, (made.groups, -1))  # (B, G, W)


def buffers(made):
    return {name: buffer.clone() for name, buffer in made.named_buffers()}


@pytest.mark.parametrize("groups", [1, 2, 3, 6])
def test_every_part_is_replaced_by_the_nearest_vector(groups):
    made = module(groups=groups).eval()
    chosen, z = made.indices(rows()), made.encode(rows())
    for row, parts in enumerate(parts_of(made, rows())):
        for group, part in enumerate(parts):
            distances = [(part - vector).square().sum().item() for vector in made.codebook[group]]
            assert chosen[row, group] == int(np.argmin(distances))
            start, stop = group * len(part), (group + 1) * len(part)
            assert torch.equal(z[row, start:stop], made.codebook[group, chosen[row, group]])


@pytest.mark.parametrize(
    ("latents", "groups"), [(32, 8), (16, 4), (10, 2), (6, 1), (3, 1), (1, 1), (7, 1), (64, 16)]
)
def test_chosen_groups_are_of_about_four_numbers(latents, groups):
    assert module(latents, trained=False).groups == groups


@pytest.mark.parametrize(("batches", "kept"), [(2, 2 / 11), (1000, 0.9)])
def test_moving_means_are_their_formula(batches, kept):
    made = module(groups=2, decay=0.9)
    made.batches.fill_(batches - 1)
    made._update(parts_of(made, rows()).transpose(0, 1), made.indices(rows()).T)
    before = buffers(made)
    x = rows(16, seed=1)
    chosen = made.indices(x)
    made.losses(Batch(x), "autoencoder")
    size = made.usage.shape[1]
    assert (before["usage"] >= 0.1 * 16 / size).all()  # none is dead, so none was moved
    for group in range(2):
        usage, sums = before["usage"][group].clone(), before["sums"][group].clone()
        for code in range(size):
            taken = parts_of(made, x)[chosen[:, group] == code, group]
            usage[code] = kept * usage[code] + (1 - kept) * len(taken)
            sums[code] = kept * sums[code] + (1 - kept) * taken.sum(dim=0)
        smoothed = (usage + 1e-5) / (usage.sum() + size * 1e-5) * usage.sum()
        torch.testing.assert_close(made.usage[group], usage)
        torch.testing.assert_close(made.sums[group], sums)
        torch.testing.assert_close(made.codebook[group], sums / smoothed[:, None])


def test_smoothed_usage_has_the_same_total_and_no_zero():
    made = module().double()
    made.usage[:, 3] = 0.0
    smoothed = made._smoothed()
    torch.testing.assert_close(smoothed.sum(dim=1), made.usage.sum(dim=1), rtol=1e-12, atol=0.0)
    torch.testing.assert_close(
        smoothed[:, 3], torch.full_like(smoothed[:, 3], 1e-5), rtol=1e-4, atol=0.0
    )


def test_the_first_batch_puts_every_vector_on_a_row():
    made = module(groups=2, trained=False, codebook_size=16, decay=0.0)
    made._revive(parts_of(made, rows(40)).transpose(0, 1))
    for group, vectors in enumerate(made.codebook):
        distances = torch.cdist(vectors, parts_of(made, rows(40))[:, group])
        nearest = distances.min(dim=1)
        assert (nearest.values < 1e-3).all()
        assert len(nearest.indices.unique()) == 16  # each on a row of its own


def test_dead_vectors_are_moved_onto_rows_and_the_others_stay():
    made = module(groups=1)
    made.usage[0, [1, 5]] = 1e-6
    before = buffers(made)
    x = rows(24, seed=3)
    made._revive(parts_of(made, x).transpose(0, 1))
    alive = [code for code in range(8) if code not in (1, 5)]
    for name in ("codebook", "usage", "sums"):
        assert torch.equal(getattr(made, name)[0, alive], before[name][0, alive])
    parts = parts_of(made, x)[:, 0]
    places = [(parts == made.codebook[0, code]).all(dim=1).nonzero().item() for code in (1, 5)]
    assert places[0] != places[1]
    assert (made.usage[0, [1, 5]] == 24 / 8).all()  # they begin with the mean use
    torch.testing.assert_close(made.sums / made._smoothed()[:, :, None], made.codebook)


def test_fewer_rows_than_vectors_fill_the_codebook_over_several_batches():
    made = module(groups=1, codebook_size=16, trained=False)
    lasting = []
    for step in range(8):
        made._revive(parts_of(made, rows(2, seed=step)).transpose(0, 1))
        lasting.append(int((made.usage >= 0.1 * 2 / 16).sum()))
    assert lasting == [2, 4, 6, 8, 10, 12, 14, 16]
    assert len(made.codebook[0].unique(dim=0)) == 16


def test_codebook_follows_an_encoder_that_moves_fast():
    """A vector that keeps 99 % of itself at each step would stay behind, and one win all rows."""
    made = module(groups=1)
    for step in range(20):
        with torch.no_grad():
            made.encoder.bias += 0.5
        made.losses(Batch(rows(32, seed=step)), "autoencoder")
    with torch.no_grad():
        assert made.eval().diagnose(rows(200)).statistics["perplexity"] > 4


def test_evaluation_changes_nothing():
    made = module().eval()
    made.usage[:, 0] = 0.0  # dead, and moved if this were training
    before = buffers(made)
    x = rows(32, seed=7)
    made.losses(Batch(x), "autoencoder")
    made.held_out_losses(Batch(x))
    made.reconstruct(x)
    made.diagnose(x)
    made.train().encode(x)  # as in a classifier that is trained on top
    assert all(torch.equal(getattr(made, name), was) for name, was in before.items())


def test_gradient_goes_straight_through():
    made = module(commitment=0.0).eval()
    x = rows(8)
    z = made.encoder(x)
    z.retain_grad()
    made.encoder.forward = lambda _: z
    made.losses(Batch(x), "autoencoder")["reconstruction"].backward()
    q = made.encode(x).detach().requires_grad_()
    made.reconstruction(made.decoder(q), x).backward()
    assert torch.equal(z.grad, q.grad)
    assert q.grad.any()


def test_encode_can_be_trained_through():
    made = module().eval()
    made.encode(rows()).sum().backward()
    assert made.encoder.bias.grad.tolist() == [64.0] * 6


def test_commitment_is_its_formula_and_moves_the_encoder_only():
    made = module(commitment=0.5).eval()
    x = rows(8)
    term = made.losses(Batch(x), "autoencoder")["commitment"]
    expected = 0.5 * (made.encoder(x) - made.encode(x)).square().mean()
    torch.testing.assert_close(term, expected)
    term.backward()
    assert made.encoder.weight.grad.any()
    assert made.decoder.weight.grad is None


def test_gradient_of_the_decoder_agrees_with_finite_differences():
    """The encoder's gradient is not that of the loss: the choice of a vector has none."""
    made = module().double().eval()
    x = rows(4).double()
    names = [name for name, _ in made.decoder.named_parameters()]

    def loss(*values):
        decoder = torch.func.functional_call(
            made.decoder, dict(zip(names, values, strict=True)), made.encode(x)
        )
        return made.reconstruction(decoder, x)

    assert torch.autograd.gradcheck(loss, tuple(made.decoder.parameters()))


def test_before_the_first_batch_embeddings_are_left_as_they_are():
    made = module(trained=False)
    assert torch.equal(made.encode(rows()), made.encoder(rows()))


@pytest.mark.parametrize("use", ["one", "two", "all"])
def test_perplexity_is_its_definition(use):
    made = module(groups=2).eval()
    chosen = {
        "one": torch.zeros(80, 2, dtype=torch.long),
        "two": torch.tensor([[0, 1]] * 60 + [[3, 2]] * 20),
        "all": torch.arange(80)[:, None].repeat(1, 2) % 8,
    }[use]
    made.indices = lambda x: chosen
    statistics = made.diagnose(torch.zeros(80, FEATURES)).statistics
    p = np.array([0.75, 0.25])
    expected = {"one": (1, 1), "two": (np.exp(-(p * np.log(p)).sum()), 2), "all": (8, 8)}[use]
    assert statistics["perplexity"] == pytest.approx(expected[0])
    assert statistics["vectors_in_use"] == expected[1]


def test_a_codebook_that_is_hardly_used_is_reported():
    made = module(codebook_size=64).eval()
    made.codebook.fill_(100.0)
    made.codebook[:, 0] = 0.0
    (finding,) = made.diagnose(rows()).findings
    assert "only 1 of 64" in finding
    assert "lower the kind's codebook_size" in finding
    assert module(codebook_size=64).eval().diagnose(rows()).findings == []


def test_bfloat16_chooses_in_float32():
    made = module().eval()
    x = rows().bfloat16().float()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        z = made.encoder(x)
        made.encoder.forward = lambda _: z
        assert made.encode(x).dtype == torch.float32
        under = made.indices(x)
    made.encoder.forward = lambda _: z.float()
    assert torch.equal(under, made.indices(x))


def test_sum_reduction_scales_both_terms_alike():
    made = module().eval()
    terms = made.losses(Batch(rows()), "autoencoder")
    summed = copy.deepcopy(made)
    summed.reconstruction = kinds.ReconstructionLoss(loss="mse", output="identity", reduction="sum")
    more = summed.losses(Batch(rows()), "autoencoder")
    torch.testing.assert_close(more["reconstruction"], FEATURES * terms["reconstruction"])
    torch.testing.assert_close(more["commitment"], 6 * terms["commitment"])


def test_most_of_the_codebook_is_used_and_the_seed_decides_it():
    X = Rows(torch.tanh(rows(512) @ rows(FEATURES, seed=2)))
    first, again = module(trained=False), module(trained=False)
    for made in (first, again):
        train(made, X, TrainingConfig(epochs=10, learning_rate=0.01))
    assert all(torch.equal(was, getattr(again, name)) for name, was in buffers(first).items())
    with torch.no_grad():
        assert first.diagnose(X.x).statistics["vectors_in_use"] == 8
        assert first.diagnose(X.x).statistics["perplexity"] > 5


@pytest.mark.parametrize(
    ("option", "value", "way_out"),
    [
        ("groups", 4, "divide latent_dim=6. Allowed: 1, 2, 3, 6, or 0"),
        ("groups", -1, "0 or more"),
        ("groups", 12, "Allowed: 1, 2"),
        ("codebook_size", 1, "2 or more"),
        ("commitment", -0.1, "0 or more"),
        ("decay", 1.0, "use decay=0.99"),
    ],
)
def test_wrong_options_are_refused(option, value, way_out):
    with pytest.raises(InputError, match=f"{option}={value}.*{way_out}"):
        module(trained=False, **{option: value})


def test_two_rows_are_enough():
    X = rows(2).numpy()
    model = Autoencoder("vector-quantised", latent_dim=4, hidden=(8,), epochs=3).fit(X)
    assert np.isfinite(model.reconstruct(X)).all()
