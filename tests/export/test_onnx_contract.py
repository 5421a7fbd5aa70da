"""The contract of ONNX files for every registered kind, network and method: PyTorch's answers."""

from __future__ import annotations

import functools
import tempfile
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator

import cuello
from cuello import Autoencoder, FewLabelClassifier, FewLabelRegressor, InputError, RunError
from cuello.export import onnx_models
from cuello.export.convert import convert, export_models, parts_of
from cuello.few_label import METHODS
from cuello.few_label.methods.label_spreading import FeatureSpace, NeighbourVote
from cuello.kinds import KINDS
from cuello.networks import NETWORKS
from cuello.run import Run
from cuello.run.folder import RunFolder

pytestmark = pytest.mark.filterwarnings("ignore::cuello.CuelloWarning")

QUICK = {
    "auto": {"steps": 8},
    "mean_teacher": {"steps": 8},
    "ladder": {"epochs": 8, "hidden": [32, 16]},
}
"""Options that make a method fast; one that is not listed takes its defaults."""
COMMON = {
    # Every runtime has these since opset 13; nothing of PyTorch's own may be among them.
    *(
        "Abs",
        "Add",
        "And",
        "ArgMin",
        "Atan",
        "Cast",
        "Clip",
        "Concat",
        "Constant",
        "ConstantOfShape",
    ),
    *("Conv", "ConvTranspose", "Div", "Elu", "Equal", "Erf", "Exp", "Expand", "Gather"),
    *("GatherElements", "GatherND", "Gemm", "Greater", "GreaterOrEqual", "GRU", "Identity"),
    *("IsInf", "IsNaN", "LeakyRelu", "Less", "Log", "LSTM", "MatMul", "Max", "Min", "Mul", "Neg"),
    *(
        "Not",
        "Pad",
        "Pow",
        "Range",
        "Reciprocal",
        "ReduceMax",
        "ReduceSum",
        "Relu",
        "Reshape",
        "Shape",
        "Sigmoid",
    ),
    *("Slice", "Softmax", "Softplus", "Split", "Sqrt", "Squeeze", "Sub", "Sum", "Tanh", "Tile"),
    *("TopK", "Transpose", "Unsqueeze", "Where"),
}


def rows_for(network, rows=96, seed=0):
    """Rows in units of their own: a table, bytes, or sequences of which a third end early."""
    rng = np.random.default_rng(seed)
    if network == "conv":
        return rng.integers(0, 256, (rows, 2, 9, 7)).astype(np.float32)
    if network == "sequence":
        # PyTorch writes out a recurrent layer step by step, several times: few steps.
        X = 100.0 + 7.0 * rng.normal(size=(rows, 3, 2)).astype(np.float32)
        X[::3, 2:] = np.nan
        return X
    return (rng.normal(size=(rows, 12)) * np.arange(1, 13) * 10 + 1000).astype(np.float32)


@functools.cache
def trained(kind, network):
    X = rows_for(network)
    y = np.arange(len(X)) % 3 if KINDS[kind].needs_labels else None
    # Every layer is written out step by step: one, but for kinds that are about several.
    deep = network != "sequence" and kind in ("plain", "stacked", "ladder")
    hidden = (8, 6) if deep else (8,)
    model = Autoencoder(kind, network=network, hidden=hidden, latent_dim=3, epochs=2)
    return model.fit(X, y)


def run_of(autoencoder, classifier=None, classes=("a", "b", "c")):
    config = {"data": {"classes": list(classes), "properties": []}}
    return Run(RunFolder(Path(tempfile.mkdtemp())), config, autoencoder, classifier)


def compute(content, rows):
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    (given,), (found,) = session.get_inputs(), session.get_outputs()
    assert given.shape[0] == found.shape[0] == "batch"
    return session.run([found.name], {given.name: rows})[0]


def assert_near(found, expected, span):
    assert found.dtype == np.float32
    assert found.shape == expected.shape
    np.testing.assert_allclose(found / span, expected / span, rtol=0, atol=1e-5)


# Every kind and every network; `make test-all` runs the product of both.
PAIRS = [
    pytest.param(
        kind, network, marks=() if (network == "dense") != (kind == "plain") else pytest.mark.long
    )
    for kind in sorted(KINDS)
    for network in sorted(NETWORKS)
    if network == "dense" or not KINDS[kind].dense_only
]


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "network"), PAIRS)
def test_every_kind_on_every_network(kind, network):
    model, X = trained(kind, network), rows_for(network)
    found = export_models(run_of(model), X)
    assert set(found) == {"encoder", "decoder"}
    assert {one.rows for one in found.values()} == {len(X)}
    assert all(one.difference < 1e-5 for one in found.values())
    encoder, decoder = found["encoder"].content, found["decoder"].content
    other = rows_for(network, rows=7, seed=1)  # no row that it was compared on
    codes = model.transform(other)
    for rows in (1, 2, 7):
        assert_near(compute(encoder, other[:rows]), codes[:rows], np.abs(codes).max())
        back = model.inverse_transform(codes[:rows])
        assert_near(compute(decoder, codes[:rows]), back, np.ptp(back))
    for content in (encoder, decoder):
        assert_common_operators_and_nothing_of_this_machine(content)


def assert_common_operators_and_nothing_of_this_machine(content):
    model = onnx.load_from_string(content)
    onnx.checker.check_model(model, full_check=True)
    assert {node.op_type for node in model.graph.node} <= COMMON
    assert [(o.domain, o.version <= 18) for o in model.opset_import] == [("", True)]
    for place in (Path(cuello.__file__).parent, Path(onnx.__file__).parent.parent):
        assert str(place).encode() not in content
    assert b".py" not in content


def clouds(classes=3, n=150, seed=0):
    rng = np.random.default_rng(seed)
    y = rng.permutation(np.arange(n) % classes)
    X = 5.0 * rng.normal(size=(classes, 8))[y] + rng.normal(size=(n, 8))
    known = np.full(n, -1)
    for c in range(classes):
        rows = np.flatnonzero(y == c)[:6]
        known[rows] = c
    return X.astype(np.float32), y, known


SMALL = Autoencoder(kind="plain", hidden=(12,), latent_dim=4, epochs=8, batch_size=32)


@functools.cache
def small():
    return clone(SMALL).fit(clouds()[0])


def classifier(method, **options):
    options = {
        "method_options": QUICK.get(method),
        "learning_rates": (0.01,),
        "epochs": 20,
    } | options
    return FewLabelClassifier(FrozenEstimator(small()), method=method, **options)


@pytest.mark.slow
@pytest.mark.parametrize(
    "method",
    [
        "linear_probe",
        *(pytest.param(m, marks=pytest.mark.long) for m in sorted(METHODS) if m != "linear_probe"),
    ],
)
def test_every_method_on_two_classes(method):
    X, _, known = clouds(2)
    model = classifier(method).fit(X, known)
    model.temperature_ = 1.7  # where it is 1, leaving it out would not be seen
    run = run_of(small(), model)
    found = convert(run, "classifier", parts_of(run, X[:100])["classifier"])
    other = clouds(2, seed=1)[0][:9]
    for rows in (1, 9):
        expected = model.predict_proba(other[:rows])
        assert_near(compute(found.content, other[:rows]), expected, 1.0)


def samples(data, n=120, seed=0):
    """Images of bars, a table, or sequences of one length, with a class each."""
    rng = np.random.default_rng(seed)
    y = np.arange(n) % 3
    if data == "table":
        return (rng.normal(size=(n, 6)) + 4.0 * np.eye(3, 6)[y]).astype(np.float32), y
    if data == "sequence":
        waves = np.sin(np.arange(3) * (0.3 + y[:, None]) + rng.random((n, 1)))
        return (waves[..., None] + 0.1 * rng.normal(size=(n, 3, 2))).astype(np.float32), y
    X = 40.0 * rng.random((n, 8, 8))
    for image, side in zip(X, y, strict=True):
        bar = image[3:5] if side == 0 else image[:, 3:5] if side == 1 else image[2:6, 2:6]
        bar += 200.0
    return X.astype(np.float32), y


@functools.cache
def encoder_of(data):
    network = "sequence" if data == "sequence" else "dense"
    return Autoencoder(network=network, hidden=(8,), latent_dim=3, epochs=2).fit(samples(data)[0])


# Every method and every sort of data; `make test-all` runs the product of both.
METHODS_AND_SORTS = [
    pytest.param(
        method,
        data,
        marks=() if METHODS[method].tables_only or (i + j) % 3 == 0 else pytest.mark.long,
    )
    for i, method in enumerate(METHODS)
    for j, data in enumerate(["image", "sequence", "table"])
    if data == "table" or not METHODS[method].tables_only
]


@pytest.mark.parametrize(("method", "data"), METHODS_AND_SORTS)
def test_every_method_on_every_sort_of_data(method, data):
    X, y = samples(data)
    options = {"learning_rates": (0.01,), "epochs": 5, "method_options": QUICK.get(method)}
    model = FewLabelClassifier(FrozenEstimator(encoder_of(data)), method=method, cv=2, **options)
    model.fit(X, np.where(np.arange(len(y)) < 30, y, -1))
    model.temperature_ = 1.7  # where it is 1, leaving it out would not be seen
    run = run_of(encoder_of(data), model)
    other = samples(data, n=90, seed=1)[0]
    part = parts_of(run, other)["classifier"]
    found = convert(run, "classifier", part)
    clear = other[~part.tied]
    assert len(clear) > 60
    for rows in (1, len(clear)):
        assert_near(compute(found.content, clear[:rows]), model.predict_proba(clear[:rows]), 1.0)
    assert_common_operators_and_nothing_of_this_machine(found.content)
    meta = {p.key: p.value for p in onnx.load_from_string(found.content).metadata_props}
    assert meta["classes"] == '["a", "b", "c"]'


@pytest.mark.slow
@pytest.mark.parametrize("by", ["components", "embedding"])
def test_a_vote_by_either_measure_of_nearness(by):
    X, _, known = clouds()
    model = classifier("label_spreading").fit(X, known)
    space = model.module_.space
    if (len(space.components) > 0) != (by == "components"):
        problem = model._problem(torch.from_numpy(model.autoencoder_.scaling_.apply(X)))
        other = FeatureSpace.candidates(problem)[by == "components"]
        shares = model.module_.shares
        model.module_ = NeighbourVote(problem, other, other(problem.x), shares)
    run = run_of(small(), model)
    found = convert(run, "classifier", parts_of(run, X)["classifier"])
    assert_near(compute(found.content, X[:20]), model.predict_proba(X[:20]), 1.0)


def test_rows_whose_last_voter_is_tied_are_left_out():
    X, _, known = clouds()
    model = classifier("label_spreading").fit(X, known)
    vote = model.module_
    k, codes = vote.k, vote.space(torch.from_numpy(model.autoencoder_.scaling_.apply(X[:9])))
    steps = torch.arange(1, len(vote.features) + 1)[:, None]
    far = codes.max() + steps * torch.ones(codes.shape[1])
    vote.features.copy_(far)
    vote.features[k] = vote.features[k - 1]  # for every row, and they vote for other classes
    vote.shares[k - 1 : k + 1] = torch.eye(3)[:2]
    run = run_of(small(), model)
    part = parts_of(run, X[:9])["classifier"]
    assert part.tied.all()
    with pytest.raises(RunError, match="hangs on rounding"):
        convert(run, "classifier", part)
    vote.features[k] += 1e-3
    part = parts_of(run, X[:9])["classifier"]
    assert not part.tied.any()
    assert convert(run, "classifier", part).rows == 9


def test_numbers_and_properties():
    X, y, known = clouds()
    told = np.where(known >= 0, 1000.0 + 50.0 * y, np.nan)
    options = {"method": "fine_tune_slow", "learning_rates": (0.01,), "epochs": 5}
    number = FewLabelRegressor(FrozenEstimator(small()), **options).fit(X, told)
    run = run_of(small(), number)
    parts = parts_of(run, X)
    assert set(parts) == {"encoder", "decoder", "regressor"}
    found = convert(run, "regressor", parts["regressor"])
    expected = number.predict(X[:5]).astype(np.float32)
    assert_near(compute(found.content, X[:5]), expected, 1000.0)
    several = np.where(known[:, None] >= 0, np.stack([y == 0, y > 0, y == 1], 1), np.nan)
    model = FewLabelClassifier(FrozenEstimator(small()), task="multilabel", **options).fit(
        X, several
    )
    run = run_of(small(), model)
    found = convert(run, "classifier", parts_of(run, X)["classifier"])
    assert_near(compute(found.content, X[:5]), model.predict_proba(X[:5]), 1.0)


def test_one_that_differs_is_refused(monkeypatch):
    from cuello.export import modules

    forward = modules.Encoder.forward

    def off(self, rows):
        return forward(self, rows) * 1.0005

    monkeypatch.setattr(modules.Encoder, "forward", off)
    with pytest.raises(RunError, match=r"the encoder as ONNX differs from PyTorch by [34]\.\de-04"):
        onnx_models(run_of(small()))


def test_a_layer_that_cannot_be_written_is_named(monkeypatch):
    from cuello.export import modules

    def by_value(self, rows):
        return rows if float(rows.sum()) > 0 else -rows

    monkeypatch.setattr(modules.Decoder, "forward", by_value)
    with pytest.raises(RunError, match="the decoder cannot be expressed in ONNX"):
        onnx_models(run_of(small()))


@pytest.mark.parametrize("missing", ["onnx", "onnxscript", "onnxruntime"])
def test_what_is_not_installed_is_named(monkeypatch, missing):
    monkeypatch.setitem(__import__("sys").modules, missing, None)
    with pytest.raises(InputError, match=rf"need {missing}.*pip install \"cuello\[onnx\]\""):
        onnx_models(run_of(small()))
