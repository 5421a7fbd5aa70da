"""Sequences: each row is read up to its own end, and the estimators take rows of any lengths."""

from __future__ import annotations

import functools
import warnings

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.frozen import FrozenEstimator
from torch import nn

from cuello import Autoencoder, CuelloWarning, FewLabelClassifier, InputError, networks
from cuello.data.noise import NOISES, Noise
from cuello.data.sequences import pad
from cuello.kinds import Batch
from cuello.metrics import sample_errors
from cuello.networks.sequence import RECURRENT_CELLS, lengths_of, reverse_within

OPTIONS = [{"cell": c, "bidirectional": b} for c in RECURRENT_CELLS for b in (False, True)]


def build(shape=(7, 3), inputs=2, outputs=2, *, options=None, **common):
    torch.manual_seed(0)
    return networks.build_network("sequence", shape, inputs, outputs, options=options, **common)


def ragged(lengths, steps, features=3, seed=0):
    x = torch.rand(len(lengths), steps, features, generator=torch.Generator().manual_seed(seed))
    for row, length in zip(x, lengths, strict=True):
        row[length:] = torch.nan
    return x


@pytest.mark.parametrize("options", OPTIONS)
@settings(max_examples=25)
@given(
    steps=st.integers(1, 6),
    features=st.integers(1, 4),
    hidden=st.lists(st.integers(1, 5), min_size=1, max_size=3),
    latent=st.integers(1, 4),
)
def test_shapes(options, steps, features, hidden, latent):
    encoder, decoder = build((steps, features), latent, latent + 1, options=options, hidden=hidden)
    assert len(encoder) == len(decoder) == 1
    x = ragged([1, steps], steps, features)
    z = encoder(x)
    assert z.shape == (2, latent + 1)
    assert z.isfinite().all()
    assert decoder(z[:, :-1]).shape == x.shape


@pytest.mark.parametrize("options", OPTIONS)
def test_the_embedding_does_not_depend_on_what_follows_a_row(options):
    encoder, _ = build(options=options, hidden=(4, 5))
    x = ragged([1, 4, 7], 7)
    longer = torch.cat([x, torch.full((3, 5, 3), torch.nan)], 1)
    torch.testing.assert_close(encoder(longer), encoder(x))
    for i, length in enumerate((1, 4, 7)):  # nor on the rows beside it
        torch.testing.assert_close(encoder(x[i : i + 1, :length])[0], encoder(x)[i])


@pytest.mark.parametrize("options", OPTIONS)
def test_reading_agrees_with_packed_sequences(options):
    """Oracle: torch's own layers on packed rows."""
    encoder, _ = build(options=options, hidden=(4, 5))
    x, lengths = ragged([2, 7, 5, 1], 7), torch.tensor([2, 7, 5, 1])
    packed = nn.utils.rnn.pack_padded_sequence(
        x.nan_to_num(), lengths, batch_first=True, enforce_sorted=False
    )
    for layer in encoder[0].layers:
        oracle = RECURRENT_CELLS[options["cell"]](
            layer.forward_.input_size,
            layer.forward_.hidden_size,
            batch_first=True,
            bidirectional=options["bidirectional"],
        )
        state = layer.forward_.state_dict()
        if options["bidirectional"]:
            state |= {f"{k}_reverse": v for k, v in layer.backward_.state_dict().items()}
        oracle.load_state_dict(state)
        packed, last = oracle(packed)
    last = last[0] if options["cell"] == "lstm" else last
    torch.testing.assert_close(encoder(x), encoder[0].to_latent(torch.cat([*last], 1)))


def test_lengths_and_turning():
    x = ragged([1, 3, 4], 4, 1)
    lengths = lengths_of(x)
    assert lengths.tolist() == [1, 3, 4]
    x = x.nan_to_num(-1.0)
    turned = reverse_within(x, lengths)
    assert torch.equal(turned[1, :3], x[1, :3].flip(0))
    assert (turned[1, 3:] == -1.0).all()
    assert torch.equal(reverse_within(turned, lengths), x)


def test_each_gate_is_initialized_by_itself():
    encoder, _ = build(hidden=(6,), initializer="orthogonal", options={"cell": "lstm"})
    layer = encoder[0].layers[0].forward_
    for gate in layer.weight_hh_l0.split(6):
        torch.testing.assert_close(gate @ gate.T, torch.eye(6), atol=1e-5, rtol=0)
    assert (layer.bias_hh_l0 == 0).all()
    encoder, _ = build(hidden=(60,), initializer="uniform")
    bias = encoder[0].layers[0].forward_.bias_ih_l0
    assert bias.std().item() == pytest.approx(3**-0.5, rel=0.15)


def test_dropout_is_between_layers_and_only_while_training():
    encoder, decoder = build(hidden=(40,), dropout=0.5)
    x = ragged([7, 3], 7)
    for network, fed in ((encoder, x), (decoder, torch.rand(2, 2))):
        assert not torch.equal(network.train()(fed), network(fed))
        assert torch.equal(network.eval()(fed), network(fed))


def test_writing_is_given_the_embedding_and_the_time_at_every_step():
    _, decoder = build((4, 3), hidden=(5,))
    fed = []
    decoder[0].layers[0].register_forward_pre_hook(lambda m, inputs: fed.append(inputs[0]))
    z = torch.rand(2, 2)
    decoder(z)
    assert fed[0].shape == (2, 4, 6)
    torch.testing.assert_close(fed[0][:, :, -1], torch.tensor([[0.25, 0.5, 0.75, 1.0]] * 2))
    for step in range(4):
        assert torch.equal(fed[0][:, step, :-1], decoder[0].from_latent(z))


@pytest.mark.parametrize(
    ("shape", "options", "text"),
    [
        ((12,), {}, "samples of shape (12,), only (time, features)"),
        ((3, 4, 5), {}, "'conv' for images"),
        ((3, 4), {"hidden": ()}, "hidden=() must be"),
        ((3, 4), {"hidden": (0,)}, "widths of 1 or more"),
        ((3, 4), {"batch_norm": True}, "use batch_norm=False"),
        ((3, 4), {"options": {"cell": "gur"}}, "did you mean 'gru'"),
        ((3, 4), {"dropout": -0.1}, "dropout=-0.1"),
        ((3, 4), {"activation": "rleu"}, "did you mean 'relu'"),
        ((3, 4), {"initializer": "hee"}, "Allowed: "),
    ],
)
def test_wrong_options_are_refused(shape, options, text):
    with pytest.raises(InputError) as error:
        build(shape, **options)
    assert text in str(error.value)


@pytest.mark.parametrize("name", sorted(NOISES))
def test_noise_leaves_the_end_of_a_row_as_it_is(name):
    x = ragged([2, 7], 7)
    noisy = Noise(name, 0.9, share=0.9, missing=True)(x)
    assert torch.equal(noisy.isnan(), x.isnan())


def test_denoising_trains_on_rows_as_short_as_they_are():
    rows, _ = waves()
    module = small("denoising").initialize(rows).module_
    module.progress = 0.0  # at the end no sample is damaged
    fed = []
    module.encoder.register_forward_pre_hook(lambda m, inputs: fed.append(inputs[0]))
    x = ragged([2, 12, 5], 12, 2)
    module.losses(Batch(x), "autoencoder")
    assert torch.equal(fed[0].isnan(), x.isnan())
    assert not torch.equal(fed[0].nan_to_num(), x.nan_to_num())


def test_sample_errors_do_not_count_what_is_missing():
    X = np.array([[[1.0], [np.nan]], [[1.0], [2.0]]])
    Y = np.array([[[3.0], [7.0]], [[1.0], [4.0]]])
    assert sample_errors(X, Y).tolist() == [4.0, 2.0]
    assert np.isnan(sample_errors(Y, X)[0])  # a reconstruction that is missing is no good one


def waves(n=120, seed=0):
    """Slow and fast waves of 5 to 12 steps; the second feature lies far from the first."""
    rng = np.random.default_rng(seed)
    y = np.arange(n) % 2
    rows = []
    for fast in y:
        phase = rng.uniform(0, 6) + (0.4 + 0.6 * fast) * np.arange(rng.integers(5, 13))
        rows.append(np.stack([np.sin(phase), 100.0 + 30.0 * np.cos(phase)], 1).astype(np.float32))
    rows[0] = np.resize(rows[0], (12, 2))
    return rows, y


def small(kind="plain", **options):
    defaults = {"hidden": (16,), "latent_dim": 4, "epochs": 2, "batch_size": 16}
    return Autoencoder(kind, network="sequence", **(defaults | options))


@pytest.mark.parametrize("kind", ["plain", "denoising"])
def test_lists_and_filled_up_arrays_are_the_same(kind):
    rows, _ = waves()
    X = pad(rows)
    a, b = small(kind).fit(rows), small(kind).fit(X)
    assert a.shape_ == (12, 2)
    assert np.array_equal(a.transform(rows), b.transform(X))
    assert np.isfinite(a.transform(rows)).all()
    back = a.reconstruct(rows)
    assert np.array_equal(np.isnan(back), np.isnan(X))
    assert np.isfinite(a.score_samples(rows)).all()
    values = a.inverse_transform(a.transform(rows))
    assert values.shape == X.shape
    assert np.isfinite(values).all()
    np.testing.assert_array_equal(values[~np.isnan(X)], back[~np.isnan(X)])


def test_whole_arrays_are_sequences_of_one_length():
    X = np.random.default_rng(0).normal(size=(40, 6, 2))
    model = small().fit(X)
    assert model.reconstruct(X).shape == X.shape
    assert np.isfinite(model.reconstruct(X)).all()


def test_features_are_scaled_by_themselves_and_on_steps_that_are_there():
    rows, _ = waves()
    model = small(validation_fraction=0.0).fit(rows)
    steps = np.concatenate(rows)
    assert model.scaling_.name == "standard"
    np.testing.assert_allclose(model.scaling_.offset, steps.mean(0), rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(model.scaling_.width, steps.std(0), rtol=1e-4)


def test_score_is_the_mean_over_steps_that_are_there():
    rows, _ = waves()
    model = small().fit(rows)
    X = model.scaling_.apply(pad(rows))
    back = model.scaling_.apply(model.reconstruct(rows))
    expected = [
        -np.mean((a[:n] - b[:n]) ** 2) for a, b, n in zip(X, back, map(len, rows), strict=True)
    ]
    np.testing.assert_allclose(model.score_samples(rows), expected, rtol=1e-4)


def test_shorter_rows_later_are_filled_up_and_longer_ones_refused():
    rows, _ = waves()
    model = small().fit(rows)
    short = [row[:3] for row in rows[:5]]
    np.testing.assert_array_equal(model.transform(short), model.transform(pad(short)))
    padded = np.concatenate([pad(rows), np.full((len(rows), 4, 2), np.nan)], 1)
    # Those are 64-bit numbers, whose last digits count while they are scaled.
    np.testing.assert_allclose(model.transform(padded), model.transform(rows), atol=1e-5)
    longer = [np.zeros((15, 2))]
    for X in (longer, np.zeros((3, 15, 2))):
        with pytest.raises(InputError, match="15 steps; this model was trained on up to 12"):
            model.transform(X)
    with pytest.raises(InputError, match="samples of shape"):
        model.transform(np.zeros((3, 12, 5)))


@pytest.mark.parametrize(
    ("X", "text"),
    [
        (np.zeros((5, 4)), "needs (n, time, features)"),
        ([np.zeros((3, 2)), np.zeros((3, 1))], "with the same features"),
        ([np.zeros(3), np.zeros(4)], "sequences are (time, features) each"),
        ([np.zeros((3, 2)), np.zeros((0, 2))], "sequence 1 has length 0"),
        (np.array([[[0.0], [np.nan], [1.0]]] * 3), "sequence 0 has NaN before its end"),
    ],
)
def test_what_is_no_sequence_is_refused(X, text):
    with pytest.raises(InputError) as error:
        small().fit(X)
    assert text in str(error.value)


def test_augmentation_is_for_images():
    rows, y = waves()
    with pytest.raises(InputError, match="tables and sequences"):
        small(augment="shift=0.1").fit(rows)
    with pytest.raises(InputError, match="tables and sequences"):
        FewLabelClassifier(small(), augment="shift=0.1").fit(rows, y)


def test_it_learns():
    rows, _ = waves()
    model = small(epochs=30, learning_rate=0.02).fit(rows)
    first, last = (sum(model.history_[i].train.values()) for i in (0, -1))
    assert last < 0.5 * first


@functools.cache
def trained_on_waves():
    return small(epochs=30, learning_rate=0.01).fit(waves()[0])


@pytest.mark.parametrize("method", ["linear_probe", "fine_tune", "label_spreading", "mean_teacher"])
def test_few_labels(method):
    rows, y = waves()
    few = np.where(np.arange(len(y)) < 30, y, -1)
    model = FewLabelClassifier(
        FrozenEstimator(trained_on_waves()),
        method=method,
        epochs=10,
        learning_rates=(0.01,),
        method_options={"steps": 20} if method == "mean_teacher" else None,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CuelloWarning)
        model.fit(rows, few)
    assert model.predict_proba(rows).shape == (len(rows), 2)
    assert model.score(rows, y) > 0.65  # chance is 0.5 with a standard error of 0.05
    assert np.array_equal(model.predict(rows[:3]), model.predict(rows)[:3])
    with pytest.raises(InputError, match="trained on up to 12"):
        model.predict([np.zeros((13, 2))])


def test_multiplications_count_every_step():
    encoder, _ = build((7, 3), hidden=(5,))
    assert networks.multiplications(encoder) == 7 * 3 * 5 * (3 + 5 + 2) + (5 + 1) * 2
