"""What the ladder network is made of, against its formulas and finite differences."""

from __future__ import annotations

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cuello.kinds.lateral import EPS, Combinator, Normal, Statistics, normalise

SIZES = {"rows": st.integers(2, 6), "units": st.integers(1, 4), "seed": st.integers(0, 99)}


def draw(seed, *shapes):
    generator = torch.Generator().manual_seed(seed)
    return [
        torch.randn(shape, generator=generator, dtype=torch.float64).requires_grad_()
        for shape in shapes
    ]


def plain_combine(z, u, a):
    m = a[0] * torch.sigmoid(a[1] * u + a[2]) + a[3] * u + a[4]
    v = a[5] * torch.sigmoid(a[6] * u + a[7]) + a[8] * u + a[9]
    return (z - m) * v + m


@settings(max_examples=10)
@given(**SIZES)
def test_normalised_sums_and_their_statistics(rows, units, seed):
    (sums,) = draw(seed, (rows, units))
    batch = normalise(sums)
    variance, mean = torch.var_mean(sums, 0, correction=0)
    scale = 1 / (variance + EPS).sqrt()
    torch.testing.assert_close(batch, Normal((sums - mean) * scale, mean, scale))
    assert torch.autograd.gradcheck(normalise, sums)
    for part in range(3):
        assert torch.autograd.gradcheck(lambda s, part=part: normalise(s)[part], sums)


@settings(max_examples=10)
@given(**SIZES)
def test_combinator(rows, units, seed):
    above, z, a = draw(seed, (rows, units), (rows, units), (10, units))
    combinator = Combinator(None, units).double()
    combinator.a.data = a.data
    expected = plain_combine(z, normalise(above).z, a)
    torch.testing.assert_close(combinator.denoise(above, z), expected)


def test_a_new_combinator_gives_what_comes_from_beside():
    above, z = draw(0, (6, 3), (6, 3))
    torch.testing.assert_close(Combinator(None, 3).double().denoise(above, z), z)


def test_the_mean_from_above_is_what_the_combinator_gives_at_its_own_mean():
    (a, above) = draw(1, (10, 3), (6, 3))
    combinator = Combinator(None, 3).double().eval()
    combinator.a.data = a.data
    mean = combinator(above)
    u = combinator.statistics.normal(above)
    torch.testing.assert_close(mean, plain_combine(mean, u, a))


@settings(max_examples=10)
@given(**SIZES)
def test_statistics_follow_the_batches_and_can_be_undone(rows, units, seed):
    (sums,) = draw(seed, (rows, units))
    known, batch = Statistics(units).double(), normalise(sums.detach())
    known.eval().update(batch)
    assert torch.equal(known.mean, torch.zeros(units))  # only while training
    known.train()
    for _ in range(400):
        known.update(batch)
    torch.testing.assert_close(known.normal(sums.detach()), batch.z)
    torch.testing.assert_close(known.sums(batch.z), sums.detach())
