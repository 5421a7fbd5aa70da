"""Vectors with one number a network, for :mod:`cuello_labs.kernels.rows`.

They are an LLVM type rather than loops over lanes: so nothing depends on what the compiler
recognises in a loop, and a processor with narrower vectors splits each operation. No lane sees
another: a network that diverges stays alone.

The kernel's compiled code is cached by the date of the kernel's file alone: after a change here,
touch that file.
"""

from __future__ import annotations

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic, models, register_model

__all__ = [
    "LANES",
    "accumulate",
    "add",
    "div",
    "every",
    "fma",
    "gather",
    "if_less",
    "load",
    "mul",
    "power_of_two",
    "root",
    "store",
    "sub",
]

LANES = 16
"""Networks side by side; 8 and 32 are equally fast."""

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
def load(typing, array, at):
    """Return the block that begins at this place."""

    def make(context, builder, signature, args):
        pointer = _pointer(context, builder, array, args, _FLOATS)
        return builder.load(pointer, align=4)

    return _VECTOR(array, types.intp), make


@intrinsic
def store(typing, array, at, value):
    """Write a block."""

    def make(context, builder, signature, args):
        builder.store(args[2], _pointer(context, builder, array, args, _FLOATS), align=4)
        return context.get_dummy_value()

    return types.void(array, types.intp, _VECTOR), make


@intrinsic
def accumulate(typing, array, at, value):
    """Add a block to one of float64."""

    def make(context, builder, signature, args):
        pointer = _pointer(context, builder, array, args, _DOUBLES)
        total = builder.fadd(builder.load(pointer, align=8), builder.fpext(args[2], _DOUBLES))
        builder.store(total, pointer, align=8)
        return context.get_dummy_value()

    return types.void(array, types.intp, _VECTOR), make


@intrinsic
def gather(typing, rows, starts, column):
    """Return one number a lane, from the row that begins where ``starts`` says."""

    def make(context, builder, signature, args):
        data = builder.gep(context.make_array(rows)(context, builder, args[0]).data, [args[2]])
        indices = context.make_array(starts)(context, builder, args[1]).data
        vector = ir.Constant(_FLOATS, ir.Undefined)
        for lane in range(LANES):
            index = ir.Constant(ir.IntType(32), lane)
            number = builder.load(builder.gep(data, [builder.load(builder.gep(indices, [index]))]))
            vector = builder.insert_element(vector, number, index)
        return vector

    return _VECTOR(rows, starts, types.intp), make


@intrinsic
def every(typing, number):
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


add, sub, mul, div = (_operation(name) for name in ("fadd", "fsub", "fmul", "fdiv"))


@intrinsic
def fma(typing, a, b, c):
    """Return a b + c, rounded once where the processor can do that as fast."""

    def make(context, builder, signature, args):
        kind = ir.FunctionType(_FLOATS, [_FLOATS] * 3)
        name = f"llvm.fmuladd.v{LANES}f32"
        return builder.call(cgutils.get_or_insert_function(builder.module, kind, name), args)

    return _VECTOR(_VECTOR, _VECTOR, _VECTOR), make


@intrinsic
def root(typing, a):
    """Return the square root."""

    def make(context, builder, signature, args):
        kind = ir.FunctionType(_FLOATS, [_FLOATS])
        name = f"llvm.sqrt.v{LANES}f32"
        return builder.call(cgutils.get_or_insert_function(builder.module, kind, name), args)

    return _VECTOR(_VECTOR), make


@intrinsic
def if_less(typing, a, b, yes, no):
    """Return ``yes`` in lanes where a < b, and ``no`` in others; also where a or b is NaN."""

    def make(context, builder, signature, args):
        return builder.select(builder.fcmp_ordered("<", *args[:2]), *args[2:])

    return _VECTOR(_VECTOR, _VECTOR, _VECTOR, _VECTOR), make


@intrinsic
def power_of_two(typing, shifted):
    """Return 2^n from n + 1.5 2^23, whose lowest bits are n."""

    def make(context, builder, signature, args):
        exponent = builder.shl(builder.bitcast(args[0], _INTS), ir.Constant(_INTS, [23] * LANES))
        one = ir.Constant(_INTS, [127 << 23] * LANES)  # the bits of 1.0
        return builder.bitcast(builder.add(exponent, one), _FLOATS)

    return _VECTOR(_VECTOR), make
