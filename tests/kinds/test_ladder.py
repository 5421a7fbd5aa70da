"""The ladder kind: its whole cost against the formulas, its statistics, what it refuses."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from cuello import Autoencoder, InputError
from cuello.kinds import Batch, Parts, ReconstructionLoss, build_module
from cuello.kinds.lateral import EPS
from cuello.networks import dense

WEIGHTS = (1000.0, 10.0, 0.1, 0.1)


def ladder(classes=3, hidden=(7,), latent_dim=5, features=6, seed=0, activation="relu", **options):
    torch.manual_seed(seed)
    encoder, decoder = dense.build_dense(
        (features,),
        latent_dim,
        latent_dim,
        hidden=hidden,
        activation=activation,
        latent_activation=activation,
    )
    parts = Parts(
        encoder=encoder,
        decoder=decoder,
        reconstruction=ReconstructionLoss(loss="mse", output="identity", low=-9.0, high=9.0),
        shape=(features,),
        latent_dim=latent_dim,
        classes=classes,
    )
    network = build_module("ladder", parts, **options).double()
    with torch.no_grad():  # so that no term of a formula is one that starts at 0
        for name, parameter in network.named_parameters():
            if name.endswith((".a", "shift", "gain")):
                parameter += 0.3 * torch.randn_like(parameter)
    return network


def rows(n, features=6, classes=3, labelled=4, seed=1):
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(n, features, generator=generator, dtype=torch.float64)
    y = torch.where(torch.arange(n) < labelled, torch.arange(n) % max(classes, 1), -1)
    order = torch.randperm(n, generator=generator)
    return Batch(x[order], y[order])


def plain_cost(net, batch, noise):
    """The paper's algorithm 1, a row group at a time and with nothing shared."""

    def norm(p):
        mean = p.mean(0)
        std = ((p - mean).square().mean(0) + EPS).sqrt()
        return (p - mean) / std, mean, std

    def up(x, noises):
        h = x + noises[0]
        zs, stats = [h], []
        for layer, n in zip(net.layers, noises[1:], strict=True):
            z, mean, std = norm(h @ layer.linear.weight.T)
            zs.append(z + n)
            stats.append((mean, std))
            scaled = zs[-1] + layer.shift
            h = torch.relu(scaled) if layer.gain is None else layer.gain * scaled
        return zs, stats, h

    if net.top is None:
        labelled, unlabelled = None, batch.x
    else:
        labelled, unlabelled = batch.x[batch.y >= 0], batch.x[batch.y < 0]
    terms = {}
    if net.top is not None:
        logits = up(labelled, noise[0])[2]
        right = logits.softmax(1)[torch.arange(len(labelled)), batch.y[batch.y >= 0]]
        terms["cross_entropy"] = -right.log().mean()
    noisy, _, above = up(unlabelled, noise[1])
    clean, stats, _ = up(unlabelled, [0.0] * len(noise[1]))
    if net.top is not None:
        above = above.softmax(1)
    for level in reversed(range(len(noisy))):
        combinator = net.combinators[-1 - level]
        weight = getattr(combinator.linear, "weight", torch.eye(above.shape[1]).to(above))
        u, _, _ = norm(above @ weight.T)
        a1, a2, a3, a4, a5, a6, a7, a8, a9, a10 = combinator.a
        mu = a1 / (1 + torch.exp(-(a2 * u + a3))) + a4 * u + a5
        v = a6 / (1 + torch.exp(-(a7 * u + a8))) + a9 * u + a10
        above = (noisy[level] - mu) * v + mu
        mean, std = stats[level - 1] if level else (0.0, 1.0)
        difference = clean[level] - (above - mean) / std
        name = f"layer {level}" if level else "input"
        terms[name] = WEIGHTS[level] * difference.square().mean()
    return terms


def drawn(net, few, many, std=0.3):
    """The noise of a step in the order of its draws: labelled samples first, layer by layer.

    Where there are no classes, there are no labelled samples.
    """
    widths = [6, *(len(layer.shift) for layer in net.layers)]
    noise = ([], [])
    for width in widths:
        for group, n in zip(noise, (few, many), strict=True):
            group.append(std * torch.randn(n, width, dtype=torch.float64))
    return noise


@settings(max_examples=12)
@given(classes=st.sampled_from([0, 3]), n=st.integers(8, 14), seed=st.integers(0, 99))
def test_cost_and_gradient_equal_the_formulas(classes, n, seed):
    net, batch = ladder(classes, seed=seed).train(), rows(n, seed=seed)
    torch.manual_seed(seed)
    terms = net.losses(batch, "autoencoder")
    torch.manual_seed(seed)
    few = 4 if classes else 0
    expected = plain_cost(net, batch, drawn(net, few, n - few))
    assert terms.keys() == expected.keys()
    for name in terms:
        torch.testing.assert_close(terms[name], expected[name], rtol=1e-6, atol=1e-6, msg=name)
    owned = list(net.parameters())
    ours = torch.autograd.grad(sum(terms.values()), owned)
    plain = torch.autograd.grad(sum(expected.values()), owned)
    for a, b in zip(ours, plain, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("classes", [0, 3])
def test_estimated_statistics_are_those_of_all_rows_as_one_batch(classes):
    net, x = ladder(classes), rows(50).x
    net.estimate_statistics(x)
    assert net.training
    apply = net if classes else net.encode
    h = x
    for layer in net.layers:
        sums = h @ layer.linear.weight.T
        torch.testing.assert_close(layer.statistics.mean, sums.mean(0))
        torch.testing.assert_close(layer.statistics.variance, sums.var(0, correction=0))
        h = layer.eval()(h)
    alone = torch.cat([net.eval() and apply(row) for row in x.split(1)])
    torch.testing.assert_close(alone, net.train() and apply(x))


def test_decoding_starts_from_the_sums_that_the_embedding_came_from():
    net, x = ladder(), rows(50).x
    net.estimate_statistics(x)
    net.eval()
    sums = []
    net.encoder.last.linear.register_forward_hook(lambda layer, inputs, out: sums.append(out))
    torch.testing.assert_close(net.decoder.statistics.sums(net.encode(x)), sums[0])


@pytest.mark.parametrize("labelled", [0, 1, 9, 10])
def test_any_share_of_labels_gives_finite_terms(labelled):
    terms = ladder().train().losses(rows(10, labelled=labelled), "autoencoder")
    assert terms.keys() == {"cross_entropy", "layer 3", "layer 2", "layer 1", "input"}
    assert all(term.isfinite() for term in terms.values())
    assert (terms["cross_entropy"] == 0) == (labelled == 0)


def test_projected_rows_have_norm_1_and_the_top_has_no_loss():
    net, batch = ladder(projected=True), rows(10)
    linears = [layer for layer in net.modules() if isinstance(layer, nn.Linear)]
    before = [layer.weight.clone() for layer in linears]
    net.eval().losses(batch, "autoencoder")
    assert all(torch.equal(a, b.weight) for a, b in zip(before, linears, strict=True))
    terms = net.train().losses(batch, "autoencoder")
    assert "layer 3" not in terms
    for old, layer in zip(before, linears, strict=True):
        torch.testing.assert_close(layer.weight, old / old.norm(dim=1, keepdim=True))


@pytest.mark.parametrize(
    ("option", "allowed"),
    [
        ({"noise_std": 0.0}, "above 0"),
        ({"input_weight": -1.0}, "0 or more"),
        ({"upper_weight": float("nan")}, "0 or more"),
    ],
)
def test_options_outside_their_range_are_refused(option, allowed):
    (name,) = option
    with pytest.raises(InputError, match=f"{name}=.*{allowed}"):
        ladder(**option)


@pytest.mark.parametrize(("network", "shape"), [("conv", (6, 6)), ("sequence", (6, 2))])
def test_other_networks_are_refused(network, shape):
    with pytest.raises(InputError, match=r"kind='ladder' needs .* network='dense'"):
        Autoencoder("ladder", network=network, hidden=(4,), latent_dim=2).initialize(
            torch.rand(9, *shape).numpy()
        )


def test_a_decoder_that_is_no_mirror_image_is_refused():
    encoder = nn.Sequential(nn.Linear(6, 4), nn.Linear(4, 2))
    decoder = nn.Sequential(nn.Linear(2, 5), nn.Linear(5, 6))
    with pytest.raises(InputError, match=r"mirrors the encoder.*\[4, 6\] units, not \[5, 6\]"):
        Autoencoder("ladder", encoder=encoder, decoder=decoder).initialize(torch.rand(9, 6).numpy())


def test_a_shift_that_does_nothing_is_left_out():
    """Its gradient is rounding, which Adam would turn into steps."""
    assert ladder(activation="identity").encoder.last.shift is None
    assert ladder(activation="identity").top.shift is not None
    assert ladder(activation="relu").encoder.last.shift is not None
