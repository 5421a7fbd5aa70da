"""The steps of :mod:`cuello.train.compiled`, compiled. Imports numba, which is optional.

Sixteen networks lie side by side, one a lane of a vector, so that every operation is one vector
operation over all of them: a parameter, an output or a slope is a block of ``LANES`` numbers, and
places in the buffers are counted in numbers. The vectors are an LLVM type of their own rather than
loops over lanes: so nothing hangs on what the compiler finds in a loop, and a processor with
narrower vectors splits each operation. No lane sees another: a network that diverges stays alone.

Most of the time goes into reading and writing weights and velocities, which for sixteen small
networks fit into the second cache; 8 and 32 lanes are equally fast there.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic, models, register_model

from cuello.train.compiled import ACTIVATIONS, OPTIMIZERS

__all__ = ["LANES", "activate", "train_group"]

LANES = 16
"""Networks that are trained by one call."""

_RELU, _SIGMOID, _TANH = (ACTIVATIONS.index(name) for name in ("relu", "sigmoid", "tanh"))
_SGD, _RMSPROP, _ADAMW = (OPTIMIZERS.index(name) for name in ("sgd", "rmsprop", "adamw"))
_FLOATS = ir.VectorType(ir.FloatType(), LANES)
_DOUBLES = ir.VectorType(ir.DoubleType(), LANES)
_INTS = ir.VectorType(ir.IntType(32), LANES)


class _Lanes(types.Type):
    """One float32 a network."""

    def __init__(self):
        super().__init__(name=f"float32x{LANES}")


_VECTOR = _Lanes()


@register_model(_Lanes)
class _LanesModel(models.PrimitiveModel):
    def __init__(self, manager, kind):
        super().__init__(manager, kind, _FLOATS)


def _pointer(context, builder, kind, args, vector):
    data = context.make_array(kind)(context, builder, args[0]).data
    return builder.bitcast(builder.gep(data, [args[1]]), vector.as_pointer())


@intrinsic
def _load(typing, array, at):
    """Return the block that begins at this place."""

    def make(context, builder, signature, args):
        pointer = _pointer(context, builder, array, args, _FLOATS)
        return builder.load(pointer, align=4)

    return _VECTOR(array, types.intp), make


@intrinsic
def _store(typing, array, at, value):
    """Write a block."""

    def make(context, builder, signature, args):
        builder.store(args[2], _pointer(context, builder, array, args, _FLOATS), align=4)
        return context.get_dummy_value()

    return types.void(array, types.intp, _VECTOR), make


@intrinsic
def _accumulate(typing, array, at, value):
    """Add a block to one of float64."""

    def make(context, builder, signature, args):
        pointer = _pointer(context, builder, array, args, _DOUBLES)
        total = builder.fadd(builder.load(pointer, align=8), builder.fpext(args[2], _DOUBLES))
        builder.store(total, pointer, align=8)
        return context.get_dummy_value()

    return types.void(array, types.intp, _VECTOR), make


@intrinsic
def _gather(typing, rows, starts, column):
    """Return one number a lane, from the row that begins where ``starts`` says."""

    def make(context, builder, signature, args):
        data = builder.gep(context.make_array(rows)(context, builder, args[0]).data, [args[2]])
        places = context.make_array(starts)(context, builder, args[1]).data
        vector = ir.Constant(_FLOATS, ir.Undefined)
        for lane in range(LANES):
            index = ir.Constant(ir.IntType(32), lane)
            number = builder.load(builder.gep(data, [builder.load(builder.gep(places, [index]))]))
            vector = builder.insert_element(vector, number, index)
        return vector

    return _VECTOR(rows, starts, types.intp), make


@intrinsic
def _all(typing, number):
    """Return the same number in every lane."""

    def make(context, builder, signature, args):
        number = builder.fptrunc(args[0], ir.FloatType())
        vector = ir.Constant(_FLOATS, ir.Undefined)
        vector = builder.insert_element(vector, number, ir.Constant(ir.IntType(32), 0))
        return builder.shuffle_vector(vector, vector, ir.Constant(_INTS, None))

    return _VECTOR(types.float64), make


def _operation(name):
    @intrinsic
    def operation(typing, a, b):
        def make(context, builder, signature, args):
            return getattr(builder, name)(*args)

        return _VECTOR(_VECTOR, _VECTOR), make

    return operation


_add, _sub, _mul, _div = (_operation(name) for name in ("fadd", "fsub", "fmul", "fdiv"))


@intrinsic
def _fma(typing, a, b, c):
    """Return a b + c, rounded once where the processor can do that as fast."""

    def make(context, builder, signature, args):
        kind = ir.FunctionType(_FLOATS, [_FLOATS] * 3)
        name = f"llvm.fmuladd.v{LANES}f32"
        return builder.call(cgutils.get_or_insert_function(builder.module, kind, name), args)

    return _VECTOR(_VECTOR, _VECTOR, _VECTOR), make


@intrinsic
def _sqrt(typing, a):
    """Return the square root."""

    def make(context, builder, signature, args):
        kind = ir.FunctionType(_FLOATS, [_FLOATS])
        name = f"llvm.sqrt.v{LANES}f32"
        return builder.call(cgutils.get_or_insert_function(builder.module, kind, name), args)

    return _VECTOR(_VECTOR), make


@intrinsic
def _if_less(typing, a, b, yes, no):
    """Return ``yes`` in lanes where a < b, and ``no`` in others; also where a or b is NaN."""

    def make(context, builder, signature, args):
        return builder.select(builder.fcmp_ordered("<", *args[:2]), *args[2:])

    return _VECTOR(_VECTOR, _VECTOR, _VECTOR, _VECTOR), make


@intrinsic
def _power_of_two(typing, shifted):
    """Return 2^n from n + 1.5 2^23, whose lowest bits are n."""

    def make(context, builder, signature, args):
        exponent = builder.shl(builder.bitcast(args[0], _INTS), ir.Constant(_INTS, [23] * LANES))
        one = ir.Constant(_INTS, [127 << 23] * LANES)  # the bits of 1.0
        return builder.bitcast(builder.add(exponent, one), _FLOATS)

    return _VECTOR(_VECTOR), make


_inlined = njit(forceinline=True)


@_inlined
def _expm1(x):
    """Return exp(x) - 1 for |x| of at most 87, right to about two units in the last place.

    2^n (exp(r) - 1) + (2^n - 1), where x = n log 2 + r and |r| is at most half of log 2.
    """
    shift = _all(12582912.0)  # 1.5 2^23: adding it rounds to a whole number
    shifted = _fma(x, _all(1.4426950408889634), shift)
    n = _sub(shifted, shift)
    r = _fma(n, _all(-0.693359375), x)  # log 2 in two parts: the first has few bits, n times it
    r = _fma(n, _all(2.12194440e-4), r)  # is exact
    series = _all(1 / 5040)
    series = _fma(series, r, _all(1 / 720))
    series = _fma(series, r, _all(1 / 120))
    series = _fma(series, r, _all(1 / 24))
    series = _fma(series, r, _all(1 / 6))
    series = _fma(series, r, _all(0.5))
    series = _fma(_mul(r, r), series, r)
    scale = _power_of_two(shifted)
    return _fma(scale, series, _sub(scale, _all(1.0)))


@_inlined
def _tanh(x):
    size = _if_less(x, _all(0.0), _sub(_all(0.0), x), x)
    # Beyond 10 it is 1 in float32. For negative numbers e + 2 would be close to 1, and less exact.
    e = _expm1(_if_less(_all(10.0), size, _all(20.0), _add(size, size)))
    y = _div(e, _add(e, _all(2.0)))
    return _if_less(x, _all(0.0), _sub(_all(0.0), y), y)


@_inlined
def _sigmoid(x):
    x = _if_less(x, _all(-87.0), _all(-87.0), x)  # NaN stays NaN
    x = _if_less(_all(87.0), x, _all(87.0), x)
    return _div(_all(1.0), _add(_expm1(_sub(_all(0.0), x)), _all(2.0)))


@_inlined
def activate(code, values, start, stop):
    """Apply an activation in place to the blocks from ``start`` to ``stop``.

    ``code`` is its place in ``ACTIVATIONS``.
    """
    if code == _RELU:
        for at in range(start, stop, LANES):
            x = _load(values, at)
            _store(values, at, _if_less(x, _all(0.0), _all(0.0), x))
    elif code == _SIGMOID:
        for at in range(start, stop, LANES):
            _store(values, at, _sigmoid(_load(values, at)))
    elif code == _TANH:
        for at in range(start, stop, LANES):
            _store(values, at, _tanh(_load(values, at)))


@_inlined
def _through(code, values, slopes, start, stop):
    """Turn slopes by an activation's outputs into slopes by its inputs, in place."""
    one = _all(1.0)
    for at in range(start, stop, LANES):
        y, slope = _load(values, at), _load(slopes, at)
        if code == _RELU:
            slope = _if_less(_all(0.0), y, slope, _all(0.0))
        elif code == _SIGMOID:
            slope = _mul(slope, _mul(y, _sub(one, y)))
        elif code == _TANH:
            slope = _mul(slope, _fma(_sub(_all(0.0), y), y, one))
        _store(slopes, at, slope)


@_inlined
def _update(weights, velocity, at, slope, minus_rate, momentum, decay):
    """Move one parameter; return what it was."""
    old = _load(weights, at)
    moved = _fma(decay, old, _fma(momentum, _load(velocity, at), slope))
    _store(velocity, at, moved)
    _store(weights, at, _fma(minus_rate, moved, old))
    return old


@_inlined
def _move(rule, weights, velocity, squares, gradients, count, minus_rate, momentum, decay, time):
    """Move ``count`` parameters by their gradients, which become 0; ``time`` counts steps from 1.

    As the classes of ``torch.optim`` do that have the names of ``OPTIMIZERS``.
    """
    zero = _all(0.0)
    first, second = 1.0 - 0.9**time, np.sqrt(1.0 - 0.999**time)
    for at in range(0, count, LANES):
        old, slope = _load(weights, at), _load(gradients, at)
        _store(gradients, at, zero)
        if rule == _ADAMW:
            old = _fma(_mul(minus_rate, decay), old, old)
        else:
            slope = _fma(decay, old, slope)
        if rule == _SGD:
            moved = _fma(momentum, _load(velocity, at), slope)
            step = moved
        elif rule == _RMSPROP:
            square = _fma(_all(0.01), _mul(slope, slope), _mul(_all(0.99), _load(squares, at)))
            _store(squares, at, square)
            share = _div(slope, _add(_sqrt(square), _all(1e-8)))
            moved = _fma(momentum, _load(velocity, at), share)
            step = moved
        else:
            before = _load(velocity, at)
            moved = _fma(_all(0.1), _sub(slope, before), before)
            kept = _mul(_all(0.999), _load(squares, at))
            square = _fma(_all(0.001), _mul(slope, slope), kept)
            _store(squares, at, square)
            size = _add(_div(_sqrt(square), _all(second)), _all(1e-8))
            step = _div(_div(moved, _all(first)), size)
        _store(velocity, at, moved)
        _store(weights, at, _fma(minus_rate, step, old))


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
    layers = len(codes)
    outputs = (sizes.sum() - sizes[-1]) * LANES
    momentum, decay = _load(momenta, 0), _load(decays, 0)
    for epoch in range(first, last):
        totals[:] = 0.0
        for step in range(steps):
            factor = np.float64(factors[epoch * steps + step])
            minus_rate = _mul(_load(rates, 0), _all(-factor))
            # One row a step: each parameter moves while it is at hand, the gradient is never kept.
            alone = rule == _SGD and bounds[step + 1] - bounds[step] == 1
            twice = _all(2.0 * scale / (bounds[step + 1] - bounds[step]))
            for place in range(bounds[step], bounds[step + 1]):
                for lane in range(LANES):  # a lane without a network goes along with the last one
                    row = order[min(lane, networks - 1), epoch % orders, place]
                    starts[lane] = np.int64(row) * sizes[0]
                for i in range(sizes[0]):
                    _store(values, i * LANES, _gather(rows, starts, i))

                at, below = 0, 0  # a place among the parameters, the place of the layer's inputs
                for layer in range(layers):
                    ins, outs = sizes[layer] * LANES, sizes[layer + 1] * LANES
                    here, bias = below + ins, at + ins * sizes[layer + 1]
                    for o in range(0, outs, LANES):
                        total = _load(weights, bias + o)
                        for i in range(0, ins, LANES):
                            total = _fma(_load(weights, at + i), _load(values, below + i), total)
                        _store(values, here + o, total)
                        at += ins
                    activate(codes[layer], values, here, here + outs)
                    at, below = bias + outs, here

                loss = _all(0.0)
                for i in range(sizes[-1]):
                    error = _sub(_load(values, outputs + i * LANES), _gather(targets, starts, i))
                    loss = _fma(error, error, loss)
                    _store(slopes, outputs + i * LANES, _mul(error, twice))
                _accumulate(totals, 0, loss)

                here = outputs
                for layer in range(layers - 1, -1, -1):
                    ins, outs = sizes[layer] * LANES, sizes[layer + 1] * LANES
                    bias, below = at - outs, here - ins
                    at = bias - ins * sizes[layer + 1]
                    _through(codes[layer], values, slopes, here, here + outs)
                    for i in range(below, here, LANES):
                        _store(slopes, i, _all(0.0))
                    for o in range(0, outs, LANES):
                        slope, row = _load(slopes, here + o), at + (o // LANES) * ins
                        if alone:
                            _update(weights, velocity, bias + o, slope, minus_rate, momentum, decay)
                        else:
                            _store(gradients, bias + o, _add(slope, _load(gradients, bias + o)))
                        for i in range(0, ins, LANES):
                            by_weight = _mul(slope, _load(values, below + i))
                            if alone:
                                old = _update(
                                    weights,
                                    velocity,
                                    row + i,
                                    by_weight,
                                    minus_rate,
                                    momentum,
                                    decay,
                                )
                            else:
                                old = _load(weights, row + i)
                                total = _add(by_weight, _load(gradients, row + i))
                                _store(gradients, row + i, total)
                            if layer > 0:  # nobody asks for slopes by the inputs
                                passed = _fma(old, slope, _load(slopes, below + i))
                                _store(slopes, below + i, passed)
                    here = below
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
