"""Many small networks at once: against PyTorch's own steps, one network at a time."""

from __future__ import annotations

import importlib
import itertools
import sys
import threading
import time

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cuello import InputError
from cuello_labs.kernels.rows import LANES, activate
from cuello_labs.kernels.steps import train_compiled
from cuello_labs.kernels.supported import ACTIVATIONS, OPTIMIZERS

FUNCTIONS = {
    "identity": lambda x: x,
    "relu": torch.relu,
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
}


def task(networks=3, sizes=(5, 4, 2, 5), *, n=6, epochs=3, orders=None, seed=0, **changes):
    """Return the arguments of ``train_compiled``, weights and velocity included."""
    rng = np.random.default_rng(seed)

    def numbers(low, high, *shape):
        return rng.uniform(low, high, shape).astype(np.float32)

    parameters = sum((a + 1) * b for a, b in itertools.pairwise(sizes))
    rows = numbers(-1, 1, n, sizes[0])
    orders = epochs if orders is None else orders
    arguments = {
        "weights": numbers(-0.7, 0.7, networks, parameters),
        "velocity": np.zeros((networks, parameters), dtype=np.float32),
        "sizes": sizes,
        "activations": ["tanh"] * (len(sizes) - 1),
        "rows": rows,
        "targets": rows,
        "order": rng.integers(0, n, (networks, orders, n), dtype=np.int32),
        "epochs": epochs,
        "rates": numbers(0.01, 0.05, networks),
        "factors": numbers(0.5, 1.0, epochs * n),
        "momentum": numbers(0.0, 0.9, networks),
        "weight_decay": numbers(0.0, 0.1, networks),
        "scale": 0.5,
    }
    return arguments | changes


def run(arguments):
    """Return losses, weights and velocity after training; the arguments stay as they are."""
    copies = arguments | {k: arguments[k].copy() for k in ("weights", "velocity")}
    weights, velocity = copies.pop("weights"), copies.pop("velocity")
    return train_compiled(weights, velocity, **copies), weights, velocity


def optimizer_of(name, owned, momentum, weight_decay):
    more = {} if name.startswith("adam") else {"momentum": momentum}
    made = {"sgd": "SGD", "rmsprop": "RMSprop", "adam": "Adam", "adamw": "AdamW"}[name]
    return getattr(torch.optim, made)(owned, weight_decay=weight_decay, **more)


def torch_losses(arguments, network):
    """Train one network with PyTorch; return its losses and its weights."""
    a = arguments
    sizes, flat, at = a["sizes"], torch.from_numpy(a["weights"][network].copy()), 0
    layers = []
    for ins, outs in itertools.pairwise(sizes):
        layer = torch.nn.Linear(ins, outs)
        with torch.no_grad():
            layer.weight.copy_(flat[at : at + ins * outs].view(outs, ins))
            layer.bias.copy_(flat[at + ins * outs : at + (ins + 1) * outs])
        at += (ins + 1) * outs
        layers.append(layer)
    owned = [p for layer in layers for p in layer.parameters()]
    name = a.get("optimizer", "sgd")
    own = float(a["momentum"][network]), float(a["weight_decay"][network])
    optimizer = optimizer_of(name, owned, *own)
    bounds = a.get("bounds", range(len(a["rows"]) + 1))
    losses, step = [], 0
    for epoch in range(a["epochs"]):
        seen = []
        order = a["order"][network, epoch % a["order"].shape[1]]
        for start, stop in itertools.pairwise(bounds):
            row = order[start:stop]
            x = torch.from_numpy(a["rows"][row])
            for layer, name in zip(layers, a["activations"], strict=True):
                x = FUNCTIONS[name](layer(x))
            errors = (x - torch.from_numpy(a["targets"][row])).square()
            loss = a["scale"] * errors.sum(1).mean()
            optimizer.param_groups[0]["lr"] = float(a["rates"][network] * a["factors"][step])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            seen += [loss.item()] * len(row)
            step += 1
        losses.append(np.mean(seen))
    return np.array(losses), torch.cat([p.detach().reshape(-1) for p in owned]).numpy()


def check(arguments):
    losses, weights, _ = run(arguments)
    for network in range(len(weights)):
        expected_losses, expected_weights = torch_losses(arguments, network)
        np.testing.assert_allclose(weights[network], expected_weights, rtol=0, atol=1e-5)
        np.testing.assert_allclose(losses[network], expected_losses, rtol=1e-5, atol=1e-7)
    return losses


@settings(max_examples=12)
@given(
    sizes=st.sampled_from([(3, 3), (1, 1, 1), (5, 4, 2, 5), (7, 17, 1, 3, 7), (35, 20, 2, 20, 35)]),
    data=st.data(),
    seed=st.integers(0, 2**20),
)
def test_a_hundred_steps_are_those_of_torch(sizes, data, seed):
    """With rates, momentum and decay of each network its own."""
    names = [data.draw(st.sampled_from(ACTIVATIONS)) for _ in sizes[1:]]
    changes = {}
    if data.draw(st.booleans()):
        changes = {"momentum": np.zeros(2, np.float32), "weight_decay": np.zeros(2, np.float32)}
    scale = data.draw(st.sampled_from([1.0 / sizes[0], 0.2]))
    check(task(2, sizes, n=20, epochs=5, seed=seed, scale=scale, activations=names, **changes))


@pytest.mark.parametrize("bounds", [(0, 6), (0, 4, 6), (0, 1, 3, 6), tuple(range(7))])
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_optimizer_and_batch_size(name, bounds):
    epochs = 12
    steps = epochs * (len(bounds) - 1)
    factors = np.linspace(1.0, 0.1, steps, dtype=np.float32)
    rates = np.array([0.01, 0.003, 0.02], np.float32)
    momentum = np.array([0.0, 0.5, 0.9], np.float32) * (1 if name == "sgd" else 0.1)
    check(
        task(
            epochs=epochs,
            bounds=bounds,
            optimizer=name,
            factors=factors,
            rates=rates,
            momentum=momentum,
        )
    )


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_optimizer_continues_where_another_call_ended(name):
    arguments = task(epochs=4, bounds=(0, 4, 6), optimizer=name)
    arguments["factors"] = arguments["factors"][:8]
    losses, weights, _ = run(arguments)
    state = {k: arguments[k].copy() for k in ("weights", "velocity")}
    squares = np.zeros_like(state["weights"])
    halves = []
    for own in (slice(0, 1), slice(1, 4)):
        part = arguments | {"order": arguments["order"][:, own], "epochs": own.stop - own.start}
        part |= {"factors": arguments["factors"][2 * own.start : 2 * own.stop]}
        part |= {"steps_before": 2 * own.start}
        del part["weights"], part["velocity"]
        halves.append(train_compiled(*state.values(), squares, **part))
    np.testing.assert_array_equal(np.concatenate(halves, axis=1), losses)
    np.testing.assert_array_equal(state["weights"], weights)


@pytest.mark.parametrize("networks", [1, LANES - 1, LANES, LANES + 1, 2 * LANES + 3])
def test_any_number_of_networks(networks):
    check(task(networks))


@pytest.mark.parametrize("threads", [None, 1, 2])
def test_threads_change_nothing(threads):
    arguments = task(5 * LANES)
    for one, other in zip(run(arguments), run(arguments | {"threads": threads}), strict=True):
        np.testing.assert_array_equal(one, other)


def test_each_network_takes_its_rows_in_its_own_order():
    arguments = task(LANES + 2)
    for name in ("weights", "rates", "momentum", "weight_decay"):
        arguments[name] = np.repeat(arguments[name][:1], LANES + 2, axis=0)
    losses = check(arguments)
    assert len(np.unique(losses[:, 0])) == LANES + 2


def test_one_order_for_all_epochs():
    arguments = task(epochs=4, orders=1)
    repeated = arguments | {"order": np.repeat(arguments["order"], 4, axis=1)}
    np.testing.assert_array_equal(check(arguments), check(repeated))


def test_targets_other_than_the_rows():
    arguments = task()
    losses = check(arguments | {"targets": 0.5 * np.flip(arguments["rows"], axis=0)})
    assert not np.allclose(losses, run(arguments)[0])


def test_training_continues_where_another_call_ended():
    arguments = task(epochs=4, n=6)
    losses, weights, velocity = run(arguments)
    halves = []
    state = {k: arguments[k].copy() for k in ("weights", "velocity")}
    for epochs in (slice(0, 1), slice(1, 4)):
        steps = slice(6 * epochs.start, 6 * epochs.stop)
        part = arguments | state | {"order": arguments["order"][:, epochs]}
        part |= {"epochs": epochs.stop - epochs.start, "factors": arguments["factors"][steps]}
        halves.append(train_compiled(part.pop("weights"), part.pop("velocity"), **part))
    np.testing.assert_array_equal(np.concatenate(halves, axis=1), losses)
    np.testing.assert_array_equal(state["weights"], weights)
    np.testing.assert_array_equal(state["velocity"], velocity)


def test_long_trainings_are_cut_into_calls_that_can_be_interrupted(monkeypatch):
    arguments = task(epochs=5)
    whole = run(arguments)
    monkeypatch.setattr("cuello_labs.kernels.steps._ROWS_A_CALL", 12)
    for one, other in zip(whole, run(arguments), strict=True):
        np.testing.assert_array_equal(one, other)


def test_an_interrupted_training_stops_soon_and_changes_nothing(monkeypatch):
    arguments = task(LANES + 1, epochs=500, orders=1)
    calls, at_work = [], threading.Event()

    def interrupted(**given):
        if len(given["losses"]) == LANES:
            assert at_work.wait(10.0)
            raise KeyboardInterrupt
        calls.append(given["first"])
        at_work.set()
        time.sleep(0.005)

    monkeypatch.setattr("cuello_labs.kernels.rows.train_group", interrupted)
    monkeypatch.setattr("cuello_labs.kernels.steps._ROWS_A_CALL", 6)
    before = arguments["weights"].copy()
    weights, velocity = arguments.pop("weights"), arguments.pop("velocity")
    with pytest.raises(KeyboardInterrupt):
        train_compiled(weights, velocity, **arguments, threads=2)
    np.testing.assert_array_equal(weights, before)
    assert len(calls) < 400


@pytest.mark.parametrize("name", ["identity", "relu", "tanh"])
def test_a_diverging_network_shows_it_and_disturbs_no_other(name):
    arguments = task(LANES + 1, epochs=8, activations=[name, name, "identity"])
    expected = run(arguments)
    wild = 3
    rates = arguments["rates"].copy()
    rates[wild] = 1e12
    seen = run(arguments | {"rates": rates})
    assert not np.isfinite(seen[0][wild, -1])
    others = np.arange(LANES + 1) != wild
    for values, wanted in zip(seen, expected, strict=True):
        np.testing.assert_array_equal(values[others], wanted[others])


@pytest.mark.parametrize(
    ("name", "reference", "tolerance"),
    [("tanh", np.tanh, 1e-7), ("sigmoid", lambda x: 1.0 / (1.0 + np.exp(-x)), 1.3e-7)],
)
def test_activations_are_as_exact_as_their_type(name, reference, tolerance):
    x = np.linspace(-20, 20, 2**16 * LANES, dtype=np.float32)
    x[:8] = [0.0, -20.0, 20.0, 1e-30, -1e-7, 88.0, -88.0, 1e38]
    y = x.copy()
    activate(ACTIVATIONS.index(name), y, 0, len(y))
    np.testing.assert_allclose(y, reference(x.astype(np.float64)), rtol=0, atol=tolerance)
    assert np.abs(y).max() == 1.0
    assert (np.diff(np.sort(y)) >= 0).all()


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activations_keep_what_is_not_finite(name):
    x = np.full(LANES, np.nan, dtype=np.float32)
    x[0], x[1] = np.inf, -np.inf
    y = x.copy()
    activate(ACTIVATIONS.index(name), y, 0, LANES)
    np.testing.assert_allclose(y, FUNCTIONS[name](torch.from_numpy(x)).numpy(), atol=1e-37)


def test_tanh_is_exact_to_its_last_places_near_zero():
    x = np.geomspace(1e-20, 1.0, 64 * LANES, dtype=np.float32)
    y = x.copy()
    activate(ACTIVATIONS.index("tanh"), y, 0, len(y))
    np.testing.assert_allclose(y, np.tanh(x.astype(np.float64)), rtol=4e-7)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"activations": ["tanh", "tahn", "tanh"]}, "did you mean 'tanh'"),
        ({"activations": ["tanh"]}, "make no network"),
        ({"sizes": (5,), "activations": []}, "make no network"),
        ({"sizes": (5, 4, 3, 5)}, "weights has shape"),
        ({"velocity": np.zeros((3, 2), np.float32)}, "velocity has shape"),
        ({"rows": np.zeros((6, 4), np.float32)}, "rows has shape"),
        ({"targets": np.zeros((5, 5), np.float32)}, "targets has shape"),
        ({"order": np.zeros((3, 2, 6), np.int32)}, "order has shape"),
        ({"order": np.full((3, 1, 6), 6, np.int32)}, "rows from 6 to 6, not 0 to 5"),
        ({"order": np.full((3, 1, 6), -1, np.int32)}, "rows from -1"),
        ({"rates": np.zeros(2, np.float32)}, "rates has shape"),
        ({"factors": np.zeros(17, np.float32)}, "factors has shape"),
        ({"optimizer": "adamm"}, "did you mean 'adamw' or 'adam'|did you mean 'adam'"),
        ({"bounds": (0, 3)}, "do not cut 6 rows"),
        ({"bounds": (0, 3, 3, 6)}, "do not cut 6 rows"),
    ],
)
def test_what_does_not_fit_is_refused(changes, message):
    with pytest.raises(InputError, match=message):
        run(task() | changes)


def test_nothing_to_do():
    assert run(task(0))[0].shape == (0, 3)
    assert run(task(epochs=0))[0].shape == (3, 0)


def test_numba_is_imported_only_by_a_training(monkeypatch):
    """Here of this package alone; of what a program imports, with the commands."""
    for name in [m for m in sys.modules if m.partition(".")[0] in ("cuello_labs", "numba")]:
        monkeypatch.delitem(sys.modules, name)
    steps = importlib.import_module("cuello_labs.kernels.steps")
    assert steps.available()
    assert "numba" not in sys.modules
    monkeypatch.setattr(sys, "path", [])
    assert not steps.available()
