"""64-byte vectors as a Numba type: frames side by side in the lanes of the widest registers there are.

Numba vectorises loops when it can prove that it may; a decoder's inner loop is written here in vectors
outright instead. A vector holds 64 ``int8``, 32 ``int16``, or 16 ``int32`` or ``float32``; LLVM splits or
joins it into the registers of the machine. The functions below work inside ``numba.njit`` functions only.
Integer additions and subtractions saturate.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.datamodel import models, register_default
from numba.extending import intrinsic

__all__ = [
    "BYTES",
    "add",
    "apply_sign",
    "box_plus",
    "decide",
    "equal",
    "exp_minus",
    "keep_where",
    "load",
    "magnitude",
    "maximum",
    "minimum",
    "minus_log",
    "negated_where_positive",
    "root",
    "scaled",
    "scaled_by",
    "select_bits",
    "select_equal",
    "signs",
    "splat",
    "spread",
    "store",
    "sub",
    "sub_floor",
    "to_float",
    "xor",
]

BYTES = 64


class Vector(types.Type):
    """A vector of ``lanes`` elements of a Numba number type, 64 bytes together."""

    def __init__(self, element: types.Type) -> None:
        self.element = element
        self.floating = isinstance(element, types.Float)
        self.bits = element.bitwidth
        self.lanes = 8 * BYTES // self.bits
        super().__init__(name=f"Vector({element} x {self.lanes})")

    @property
    def llvm(self) -> ir.Type:
        """The LLVM type."""
        scalar = ir.FloatType() if self.floating else ir.IntType(self.bits)
        return ir.VectorType(scalar, self.lanes)

    @property
    def integers(self) -> ir.Type:
        """Integers of the same width and number."""
        return ir.VectorType(ir.IntType(self.bits), self.lanes)

    @property
    def suffix(self) -> str:
        """How LLVM's intrinsic functions name the type."""
        return f"v{self.lanes}{'f' if self.floating else 'i'}{self.bits}"


@register_default(Vector)
class _VectorModel(models.PrimitiveModel):
    def __init__(self, manager: Any, vector: Vector) -> None:
        super().__init__(manager, vector, vector.llvm)


def _call(builder: Any, name: str, result: Any, args: list[Any]) -> Any:
    kind = ir.FunctionType(result, [arg.type for arg in args])
    return builder.call(cgutils.get_or_insert_function(builder.module, kind, name), args)


def _bits(builder: Any, vector: Vector, value: Any) -> Any:
    return builder.bitcast(value, vector.integers)


def _negative(builder: Any, vector: Vector, value: Any) -> Any:
    """Sign bits as a vector of booleans; the sign of a float's zero is its sign bit, too."""
    return builder.icmp_signed("<", _bits(builder, vector, value), ir.Constant(vector.integers, None))


def _address(context: Any, builder: Any, sig: Any, args: Any, vector: Vector) -> Any:
    array = context.make_array(sig.args[0])(context, builder, args[0])
    return builder.bitcast(builder.gep(array.data, [args[1]]), vector.llvm.as_pointer())


@intrinsic
def load(typing: Any, array: Any, offset: Any) -> Any:
    """Read the vector that begins at element ``offset`` of a flat array."""
    vector = Vector(array.dtype)

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        value = builder.load(_address(context, builder, sig, args, vector))
        value.align = 1
        return value

    return vector(array, types.intp), generate


@intrinsic
def store(typing: Any, array: Any, offset: Any, value: Any) -> Any:
    """Write a vector to element ``offset`` and on of a flat array."""
    vector = Vector(array.dtype)

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        builder.store(args[2], _address(context, builder, sig, args, vector)).align = 1
        return context.get_dummy_value()

    return types.void(array, types.intp, vector), generate


@intrinsic
def splat(typing: Any, value: Any) -> Any:
    """Fill a vector with one ``int8``, ``int16`` or ``float32``."""
    vector = Vector(value)

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return _splat(builder, vector, args[0])

    return vector(value), generate


def _splat(builder: Any, vector: Vector, value: Any) -> Any:
    undefined = ir.Constant(vector.llvm, ir.Undefined)
    first = builder.insert_element(undefined, value, ir.Constant(ir.IntType(32), 0))
    zeros = ir.Constant(ir.VectorType(ir.IntType(32), vector.lanes), None)
    return builder.shuffle_vector(first, undefined, zeros)


def _binary(doc: str, generate: Callable[[Any, Vector, Any, Any], Any]) -> Any:
    def operation(typing: Any, a: Any, b: Any) -> Any:
        def code(context: Any, builder: Any, sig: Any, args: Any) -> Any:
            return generate(builder, a, args[0], args[1])

        return a(a, b), code

    operation.__doc__ = doc
    return intrinsic(operation)


def _integer_or_float(integer: str, floating: str) -> Callable[[Any, Vector, Any, Any], Any]:
    def generate(builder: Any, vector: Vector, a: Any, b: Any) -> Any:
        if vector.floating:
            return getattr(builder, floating)(a, b)
        return _call(builder, f"llvm.{integer}.{vector.suffix}", vector.llvm, [a, b])

    return generate


def _extreme(integer: str, relation: str) -> Callable[[Any, Vector, Any, Any], Any]:
    def generate(builder: Any, vector: Vector, a: Any, b: Any) -> Any:
        if vector.floating:
            return builder.select(builder.fcmp_ordered(relation, a, b), a, b)
        return _call(builder, f"llvm.{integer}.{vector.suffix}", vector.llvm, [a, b])

    return generate


def _sub_floor(builder: Any, vector: Vector, a: Any, b: Any) -> Any:
    if not vector.floating:
        return _call(builder, f"llvm.usub.sat.{vector.suffix}", vector.llvm, [a, b])
    zero = ir.Constant(vector.llvm, None)
    difference = builder.fsub(a, b)
    return builder.select(builder.fcmp_ordered(">", difference, zero), difference, zero)


def _xor(builder: Any, vector: Vector, a: Any, b: Any) -> Any:
    mixed = builder.xor(_bits(builder, vector, a), _bits(builder, vector, b))
    return builder.bitcast(mixed, vector.llvm)


def _keep_where(builder: Any, vector: Vector, a: Any, b: Any) -> Any:
    kept = builder.and_(_bits(builder, vector, a), _bits(builder, vector, b))
    return builder.bitcast(kept, vector.llvm)


def _apply_sign(builder: Any, vector: Vector, a: Any, b: Any) -> Any:
    if vector.floating:
        bit = ir.Constant(vector.integers, [1 << (vector.bits - 1)] * vector.lanes)
        sign = builder.and_(_bits(builder, vector, b), bit)
        return _xor(builder, vector, a, builder.bitcast(sign, vector.llvm))
    zero = ir.Constant(vector.llvm, None)
    return builder.select(_negative(builder, vector, b), builder.sub(zero, a), a)


_add = _integer_or_float("sadd.sat", "fadd")
_sub = _integer_or_float("ssub.sat", "fsub")
_minimum = _extreme("umin", "<")
_maximum = _extreme("umax", ">")

add = _binary("Return a + b; integers saturate.", _add)
sub = _binary("Return a - b; integers saturate.", _sub)
minimum = _binary("Smaller of two magnitudes; integers count as unsigned.", _minimum)
maximum = _binary("Larger of two magnitudes; integers count as unsigned.", _maximum)
sub_floor = _binary("Return max(a - b, 0) of magnitudes; integers count as unsigned.", _sub_floor)
xor = _binary("Exclusive or of the bit patterns.", _xor)
keep_where = _binary("Keep a where the bits of b are set: b is all ones or zeros a lane.", _keep_where)
apply_sign = _binary("Return -a where b is negative, and a elsewhere.", _apply_sign)


@intrinsic
def magnitude(typing: Any, a: Any) -> Any:
    """Return |a|; of the smallest integer as unsigned, so that nothing wraps."""

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return _magnitude(builder, a, args[0])

    return a(a), generate


def _magnitude(builder: Any, vector: Vector, a: Any) -> Any:
    if vector.floating:
        return _call(builder, f"llvm.fabs.{vector.suffix}", vector.llvm, [a])
    return _call(builder, f"llvm.abs.{vector.suffix}", vector.llvm, [a, ir.Constant(ir.IntType(1), 0)])


@intrinsic
def select_equal(typing: Any, a: Any, b: Any, x: Any, y: Any) -> Any:
    """Return x where a equals b, and y elsewhere."""

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return _select_equal(builder, a, *args)

    return a(a, b, x, y), generate


def _select_equal(builder: Any, vector: Vector, a: Any, b: Any, x: Any, y: Any) -> Any:
    compare = builder.fcmp_ordered if vector.floating else builder.icmp_signed
    return builder.select(compare("==", a, b), x, y)


@intrinsic
def select_bits(typing: Any, word: Any, x: Any, y: Any) -> Any:
    """Return x in the lanes whose bit of a ``uint64`` is set, lane 0 the lowest, and y elsewhere."""

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return builder.select(_booleans(builder, args[0], x.lanes), args[1], args[2])

    return x(types.uint64, x, y), generate


def _booleans(builder: Any, word: Any, lanes: int) -> Any:
    bits = word if lanes == 64 else builder.trunc(word, ir.IntType(lanes))
    return builder.bitcast(bits, ir.VectorType(ir.IntType(1), lanes))


@intrinsic
def equal(typing: Any, a: Any, b: Any) -> Any:
    """Return the lanes in which integers are equal, lane 0 in the least significant bit of a ``uint64``."""

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        packed = builder.bitcast(builder.icmp_signed("==", *args), ir.IntType(a.lanes))
        return packed if a.lanes == 64 else builder.zext(packed, ir.IntType(64))

    return types.uint64(a, b), generate


@intrinsic
def spread(typing: Any, array: Any, word: Any) -> Any:
    """Write 64 integers to the beginning of an array: all ones where the bit of a ``uint64`` is set, or 0."""

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        made = context.make_array(sig.args[0])(context, builder, args[0])
        lanes = ir.VectorType(ir.IntType(array.dtype.bitwidth), 64)
        pointer = builder.bitcast(made.data, lanes.as_pointer())
        builder.store(builder.sext(_booleans(builder, args[1], 64), lanes), pointer).align = 1
        return context.get_dummy_value()

    return types.void(array, types.uint64), generate


@intrinsic
def signs(typing: Any, a: Any) -> Any:
    """Return all ones where an integer is negative, and 0 elsewhere."""

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return builder.ashr(args[0], ir.Constant(a.llvm, [a.bits - 1] * a.lanes))

    return a(a), generate


@intrinsic
def to_float(typing: Any, a: Any) -> Any:
    """Return ``int32`` as ``float32``, rounded to the nearest."""
    result = Vector(types.float32)

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return builder.sitofp(args[0], result.llvm)

    return result(a), generate


@intrinsic
def negated_where_positive(typing: Any, a: Any, word: Any) -> Any:
    """Return -a where an ``int32`` is 0 or above, and a elsewhere; a is ``float32``."""

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        ones = ir.Constant(a.integers, [-1] * a.lanes)
        return _apply_sign(builder, a, args[0], builder.bitcast(builder.xor(args[1], ones), a.llvm))

    return a(a, word), generate


@intrinsic
def root(typing: Any, a: Any) -> Any:
    """Return the square root of ``float32``."""

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return _call(builder, f"llvm.sqrt.{a.suffix}", a.llvm, [args[0]])

    return a(a), generate


@intrinsic
def decide(typing: Any, a: Any) -> Any:
    """Return the lanes that are zero or negative, lane 0 in the least significant bit of an integer."""

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        compare = builder.fcmp_ordered if a.floating else builder.icmp_signed
        packed = builder.bitcast(compare("<=", args[0], ir.Constant(a.llvm, None)), ir.IntType(a.lanes))
        return packed if a.lanes == 64 else builder.zext(packed, ir.IntType(64))

    return types.uint64(a), generate


def _polynomial(builder: Any, vector: Vector, x: Any, coefficients: tuple[float, ...]) -> Any:
    value = _all(vector, coefficients[0])
    for coefficient in coefficients[1:]:
        value = builder.fadd(builder.fmul(value, x), _all(vector, coefficient))
    return value


def _all(vector: Vector, value: float) -> Any:
    return ir.Constant(vector.llvm, [value] * vector.lanes)


def _all_integers(vector: Vector, value: int) -> Any:
    return ir.Constant(vector.integers, [value] * vector.lanes)


@intrinsic
def exp_minus(typing: Any, a: Any) -> Any:
    """Return exp(-a) of ``float32`` from 0 to 87, to about (1 + a) 1e-7 relative."""

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        x = builder.fmul(args[0], _all(a, -1.4426950408889634))
        whole = _call(builder, f"llvm.rint.{a.suffix}", a.llvm, [x])
        # 2^f with |f| <= 1/2 by its Taylor series; the exponent's bits give 2^whole.
        series = (
            1.5252734e-5, 1.5403530e-4, 1.3333558e-3, 9.6181291e-3, 5.5504109e-2, 0.24022651, 0.69314718, 1.0,
        )  # fmt: skip
        power = _polynomial(builder, a, builder.fsub(x, whole), series)
        exponent = builder.shl(builder.fptosi(whole, a.integers), _all_integers(a, 23))
        return builder.bitcast(builder.add(_bits(builder, a, power), exponent), a.llvm)

    return a(a), generate


@intrinsic
def minus_log(typing: Any, a: Any) -> Any:
    """Return -log(a) of positive normal ``float32``, to about 1e-7: relative where it exceeds 1."""

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        # Mantissas from sqrt(1/2) to sqrt(2), so that 1 lies in the middle of the series (Cephes, logf).
        middle = _all_integers(a, 0x3F3504F3)
        offset = builder.sub(_bits(builder, a, args[0]), middle)
        exponent = builder.sitofp(builder.ashr(offset, _all_integers(a, 23)), a.llvm)
        mantissa_bits = builder.add(builder.and_(offset, _all_integers(a, 0x7FFFFF)), middle)
        x = builder.fsub(builder.bitcast(mantissa_bits, a.llvm), _all(a, 1.0))
        series = (
            7.0376836292e-2, -1.1514610310e-1, 1.1676998740e-1, -1.2420140846e-1, 1.4249322787e-1,
            -1.6668057665e-1, 2.0000714765e-1, -2.4999993993e-1, 3.3333331174e-1,
        )  # fmt: skip
        square = builder.fmul(x, x)
        tail = builder.fmul(builder.fmul(_polynomial(builder, a, x, series), square), x)
        tail = builder.fsub(tail, builder.fmul(square, _all(a, 0.5)))
        log = builder.fadd(builder.fadd(x, tail), builder.fmul(exponent, _all(a, 0.69314718)))
        return builder.fneg(log)

    return a(a), generate


@intrinsic
def box_plus(typing: Any, a: Any, b: Any) -> Any:
    """Return (a + b) / (1 + a b): the box-plus of two LLR magnitudes x and y given as exp(-x), exp(-y).

    Both terms are positive, so that nothing cancels: the relative error stays at the last bit however
    large the LLRs are.
    """

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        above = builder.fadd(args[0], args[1])
        below = builder.fadd(_all(a, 1.0), builder.fmul(args[0], args[1]))
        return builder.fdiv(above, below)

    return a(a, b), generate


@intrinsic
def scaled(typing: Any, a: Any, factor: Any) -> Any:
    """Scale magnitudes: floats by ``factor``; integers a become a - floor(a factor / 64), factor up to 64."""

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return _scaled(builder, a, *args)

    return a(a, factor), generate


@intrinsic
def scaled_by(typing: Any, a: Any, factor: Any) -> Any:
    """Scale magnitudes as `scaled` does, by one number for all lanes; None leaves them as they are."""

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return _scaled_by(builder, a, sig.args[1], *args)

    return a(a, factor), generate


def _scaled_by(builder: Any, vector: Vector, kind: Any, a: Any, factor: Any) -> Any:
    if isinstance(kind, types.NoneType):
        return a
    return _scaled(builder, vector, a, _splat(builder, vector, factor))


def _scaled(builder: Any, vector: Vector, a: Any, factor: Any) -> Any:
    if vector.floating:
        return builder.fmul(a, factor)
    wide = ir.VectorType(ir.IntType(2 * vector.bits), vector.lanes)  # where no product overflows
    product = builder.mul(builder.zext(a, wide), builder.zext(factor, wide))
    taken = builder.lshr(product, ir.Constant(wide, [6] * vector.lanes))
    return builder.sub(a, builder.trunc(taken, vector.llvm))
