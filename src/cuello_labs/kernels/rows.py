"""The steps of :mod:`cuello_labs.kernels.steps`, compiled. Imports numba, which is optional.

Sixteen networks lie side by side, one a lane of a vector, so that every operation is one vector
operation over all of them: a parameter, an output or a slope is a block of ``LANES`` numbers, and
places in the buffers are counted in numbers.

Most of the time goes into reading and writing weights and velocities, which for sixteen small
networks fit into the second cache.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from cuello_labs.kernels.lanes import (
    LANES,
    accumulate,
    add,
    div,
    every,
    fma,
    gather,
    if_less,
    load,
    mul,
    power_of_two,
    root,
    store,
    sub,
)
from cuello_labs.kernels.supported import ACTIVATIONS, OPTIMIZERS

__all__ = ["LANES", "activate", "train_group"]

_RELU, _SIGMOID, _TANH = (ACTIVATIONS.index(name) for name in ("relu", "sigmoid", "tanh"))
_SGD, _RMSPROP, _ADAMW = (OPTIMIZERS.index(name) for name in ("sgd", "rmsprop", "adamw"))

_inlined = njit(forceinline=True)


@_inlined
def _expm1(x):
    """Return exp(x) - 1 for |x| of at most 87, right to about two units in the last place.

    2^n (exp(r) - 1) + (2^n - 1), where x = n log 2 + r and |r| is at most half of log 2.
    """
    shift = every(12582912.0)  # 1.5 2^23: adding it rounds to a whole number
    shifted = fma(x, every(1.4426950408889634), shift)
    n = sub(shifted, shift)
    r = fma(n, every(-0.693359375), x)  # log 2 in two parts: the first has few bits, n times it
    r = fma(n, every(2.12194440e-4), r)  # is exact
    series = every(1 / 5040)
    series = fma(series, r, every(1 / 720))
    series = fma(series, r, every(1 / 120))
    series = fma(series, r, every(1 / 24))
    series = fma(series, r, every(1 / 6))
    series = fma(series, r, every(0.5))
    series = fma(mul(r, r), series, r)
    scale = power_of_two(shifted)
    return fma(scale, series, sub(scale, every(1.0)))


@_inlined
def _tanh(x):
    size = if_less(x, every(0.0), sub(every(0.0), x), x)
    # Beyond 10 it is 1 in float32. For negative numbers e + 2 would be close to 1, and less exact.
    e = _expm1(if_less(every(10.0), size, every(20.0), add(size, size)))
    y = div(e, add(e, every(2.0)))
    return if_less(x, every(0.0), sub(every(0.0), y), y)


@_inlined
def _sigmoid(x):
    x = if_less(x, every(-87.0), every(-87.0), x)  # NaN stays NaN
    x = if_less(every(87.0), x, every(87.0), x)
    return div(every(1.0), add(_expm1(sub(every(0.0), x)), every(2.0)))


@_inlined
def activate(code, values, start, stop):
    """Apply an activation in place to the blocks from ``start`` to ``stop``.

    ``code`` is its place in ``ACTIVATIONS``.
    """
    if code == _RELU:
        for at in range(start, stop, LANES):
            x = load(values, at)
            store(values, at, if_less(x, every(0.0), every(0.0), x))
    elif code == _SIGMOID:
        for at in range(start, stop, LANES):
            store(values, at, _sigmoid(load(values, at)))
    elif code == _TANH:
        for at in range(start, stop, LANES):
            store(values, at, _tanh(load(values, at)))


@_inlined
def _through(code, values, slopes, start, stop):
    """Turn slopes by an activation's outputs into slopes by its inputs, in place."""
    one = every(1.0)
    for at in range(start, stop, LANES):
        y, slope = load(values, at), load(slopes, at)
        if code == _RELU:
            slope = if_less(every(0.0), y, slope, every(0.0))
        elif code == _SIGMOID:
            slope = mul(slope, mul(y, sub(one, y)))
        elif code == _TANH:
            slope = mul(slope, fma(sub(every(0.0), y), y, one))
        store(slopes, at, slope)


@_inlined
def _update(weights, velocity, at, slope, minus_rate, momentum, decay):
    """Move one parameter; return what it was."""
    old = load(weights, at)
    moved = fma(decay, old, fma(momentum, load(velocity, at), slope))
    store(velocity, at, moved)
    store(weights, at, fma(minus_rate, moved, old))
    return old


@_inlined
def _move(rule, weights, velocity, squares, gradients, count, minus_rate, momentum, decay, time):
    """Move ``count`` parameters by their gradients, which become 0; ``time`` counts steps from 1.

    As the classes of ``torch.optim`` do that have the names of ``OPTIMIZERS``.
    """
    zero = every(0.0)
    first, second = 1.0 - 0.9**time, np.sqrt(1.0 - 0.999**time)
    for at in range(0, count, LANES):
        old, slope = load(weights, at), load(gradients, at)
        store(gradients, at, zero)
        if rule == _ADAMW:
            old = fma(mul(minus_rate, decay), old, old)
        else:
            slope = fma(decay, old, slope)
        if rule == _SGD:
            moved = fma(momentum, load(velocity, at), slope)
            step = moved
        elif rule == _RMSPROP:
            square = fma(every(0.01), mul(slope, slope), mul(every(0.99), load(squares, at)))
            store(squares, at, square)
            share = div(slope, add(root(square), every(1e-8)))
            moved = fma(momentum, load(velocity, at), share)
            step = moved
        else:
            before = load(velocity, at)
            moved = fma(every(0.1), sub(slope, before), before)
            kept = mul(every(0.999), load(squares, at))
            square = fma(every(0.001), mul(slope, slope), kept)
            store(squares, at, square)
            size = add(div(root(square), every(second)), every(1e-8))
            step = div(div(moved, every(first)), size)
        store(velocity, at, moved)
        store(weights, at, fma(minus_rate, step, old))


@_inlined
def _forward(weights, values, sizes, codes):
    """Compute the outputs of all layers; return the place behind the last parameter."""
    at, below = 0, 0  # a place among the parameters, the place of the layer's inputs
    for layer in range(len(codes)):
        ins, outs = sizes[layer] * LANES, sizes[layer + 1] * LANES
        here, bias = below + ins, at + ins * sizes[layer + 1]
        for o in range(0, outs, LANES):
            total = load(weights, bias + o)
            for i in range(0, ins, LANES):
                total = fma(load(weights, at + i), load(values, below + i), total)
            store(values, here + o, total)
            at += ins
        activate(codes[layer], values, here, here + outs)
        at, below = bias + outs, here
    return at


@_inlined
def _backward(
    weights, velocity, gradients, values, slopes, sizes, codes, outputs, end, alone,
    minus_rate, momentum, decay,
):  # fmt: skip
    """Turn the slopes of the outputs into gradients, or, with ``alone``, into steps at once."""
    at, here = end, outputs
    for layer in range(len(codes) - 1, -1, -1):
        ins, outs = sizes[layer] * LANES, sizes[layer + 1] * LANES
        bias, below = at - outs, here - ins
        at = bias - ins * sizes[layer + 1]
        _through(codes[layer], values, slopes, here, here + outs)
        for i in range(below, here, LANES):
            store(slopes, i, every(0.0))
        for o in range(0, outs, LANES):
            slope, row = load(slopes, here + o), at + (o // LANES) * ins
            if alone:
                _update(weights, velocity, bias + o, slope, minus_rate, momentum, decay)
            else:
                store(gradients, bias + o, add(slope, load(gradients, bias + o)))
            for i in range(0, ins, LANES):
                by_weight = mul(slope, load(values, below + i))
                if alone:
                    old = _update(
                        weights, velocity, row + i, by_weight, minus_rate, momentum, decay
                    )
                else:
                    old = load(weights, row + i)
                    store(gradients, row + i, add(by_weight, load(gradients, row + i)))
                if layer > 0:  # nobody asks for slopes by the inputs
                    passed = fma(old, slope, load(slopes, below + i))
                    store(slopes, below + i, passed)
        here = below


def _steps(
    weights,  # (P LANES,) float32, as all others whose type is not given
    velocity,  # (P LANES,)
    squares,  # (P LANES,)
    gradients,  # (P LANES,) room, zeros
    values,  # (U LANES,) room for the outputs of all U units, inputs included
    slopes,  # (U LANES,) room for the slopes of the loss by them
    totals,  # (LANES,) float64, room
    starts,  # (LANES,) int64, room
    rows,  # (n D,)
    targets,  # (n D,)
    order,  # (networks in this group, E or 1, n) int32
    bounds,  # (steps + 1,) int64, where each step's rows begin
    sizes,  # (layers + 1,) int64
    codes,  # (layers,) int64
    rule,  # int, place in OPTIMIZERS
    rates,  # (LANES,)
    factors,  # (E steps,)
    momenta,  # (LANES,)
    decays,  # (LANES,)
    scale,  # float
    before,  # int, steps of earlier calls
    first,  # int, first epoch
    last,  # int, the epoch after the last one
    losses,  # (networks in this group, E) float64
):
    """Train up to ``LANES`` networks from one epoch to another, all in place."""
    networks, orders, count = order.shape
    steps = len(bounds) - 1
    outputs = (sizes.sum() - sizes[-1]) * LANES
    momentum, decay = load(momenta, 0), load(decays, 0)
    for epoch in range(first, last):
        totals[:] = 0.0
        for step in range(steps):
            factor = np.float64(factors[epoch * steps + step])
            minus_rate = mul(load(rates, 0), every(-factor))
            # One row a step: each parameter moves while it is at hand, the gradient is never kept.
            alone = rule == _SGD and bounds[step + 1] - bounds[step] == 1
            twice = every(2.0 * scale / (bounds[step + 1] - bounds[step]))
            for position in range(bounds[step], bounds[step + 1]):
                for lane in range(LANES):  # a lane without a network goes along with the last one
                    row = order[min(lane, networks - 1), epoch % orders, position]
                    starts[lane] = np.int64(row) * sizes[0]
                for i in range(sizes[0]):
                    store(values, i * LANES, gather(rows, starts, i))

                end = _forward(weights, values, sizes, codes)
                loss = every(0.0)
                for i in range(sizes[-1]):
                    error = sub(load(values, outputs + i * LANES), gather(targets, starts, i))
                    loss = fma(error, error, loss)
                    store(slopes, outputs + i * LANES, mul(error, twice))
                accumulate(totals, 0, loss)

                _backward(
                    weights, velocity, gradients, values, slopes, sizes, codes, outputs, end, alone,
                    minus_rate, momentum, decay,
                )  # fmt: skip
            if not alone:
                time = before + epoch * steps + step + 1
                _move(
                    rule,
                    weights,
                    velocity,
                    squares,
                    gradients,
                    len(weights),
                    minus_rate,
                    momentum,
                    decay,
                    time,
                )
        for lane in range(networks):
            losses[lane, epoch] = totals[lane] * scale / count


def _compiled(function: Any) -> Any:
    # The compiled code is kept beside this file, or where that folder is read-only in the user's
    # cache folder; where neither can be written, each process compiles for itself (seconds).
    try:
        return njit(nogil=True, cache=True)(function)
    except RuntimeError:
        return njit(nogil=True)(function)


train_group = _compiled(_steps)
