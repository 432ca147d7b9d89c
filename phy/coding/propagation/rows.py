"""One row of layered min-sum with its inputs in registers: code of its own for each degree.

A loop over a row's edges must keep the inputs in memory between its two passes. Written out for one degree,
they stay in registers.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from phy import simd

__all__ = ["MOST_IN_REGISTERS", "layered_row"]

MOST_IN_REGISTERS = 20
"""Largest degree of a row for `layered_row`."""


@intrinsic
def layered_row(
    typing: Any, posterior: Any, messages: Any, variables: Any, first: Any, degree: Any, kept: Any,
    limit: Any, less: Any, factor: Any,
) -> Any:  # fmt: skip
    """Run one row of layered min-sum on vectors, its inputs in registers: for each degree code of its own.

    The rule is `phy.coding.propagation.kernels.min_sum_iteration`'s, and so are the arrays; ``first`` is the
    row's first edge, and ``degree`` goes from 2 to `MOST_IN_REGISTERS`.
    """
    vector = limit

    def generate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        arrays = [context.make_array(sig.args[i])(context, builder, args[i]) for i in range(3)]
        end = builder.append_basic_block("row.end")
        never = builder.append_basic_block("row.never")
        switch = builder.switch(args[4], never)
        for count in range(2, MOST_IN_REGISTERS + 1):
            block = builder.append_basic_block(f"row.{count}")
            switch.add_case(ir.Constant(args[4].type, count), block)
            builder.position_at_end(block)
            _row(builder, vector, arrays, args, count, factor)
            builder.branch(end)
        builder.position_at_end(never)
        builder.unreachable()
        builder.position_at_end(end)
        return context.get_dummy_value()

    signature = types.void(posterior, messages, variables, types.intp, types.intp, kept, limit, less, factor)
    return signature, generate


def _row(builder: Any, vector: simd.Vector, arrays: Any, args: Any, degree: int, factor: Any) -> None:
    posterior, messages, variables = (array.data for array in arrays)
    first, (kept, limit, less) = args[3], args[5:8]
    word = ir.IntType(64)
    places, inputs = [], []
    least = second = limit
    product = builder.xor(simd._bits(builder, vector, limit), simd._bits(builder, vector, limit))
    product = builder.bitcast(product, vector.llvm)

    def at(data: Any, index: Any) -> Any:
        return builder.bitcast(
            builder.gep(data, [builder.mul(index, ir.Constant(word, vector.lanes))]), vector.llvm.as_pointer()
        )

    def read(pointer: Any) -> Any:
        value = builder.load(pointer)
        value.align = 1
        return value

    for e in range(degree):
        edge = builder.add(first, ir.Constant(word, e))
        variable = builder.sext(builder.load(builder.gep(variables, [edge])), word)
        known, message = at(posterior, variable), at(messages, edge)
        x = simd._sub(builder, vector, read(known), simd._keep_where(builder, vector, read(message), kept))
        size = simd._magnitude(builder, vector, x)
        second = simd._minimum(builder, vector, second, simd._maximum(builder, vector, least, size))
        least = simd._minimum(builder, vector, least, size)
        product = simd._xor(builder, vector, product, x)
        places.append((known, message))
        inputs.append(x)
    others, own = (
        simd._scaled_by(builder, vector, factor, simd._sub_floor(builder, vector, size, less), args[8])
        for size in (least, second)
    )
    for x, (known, message) in zip(inputs, places, strict=True):
        size = simd._minimum(builder, vector, simd._magnitude(builder, vector, x), limit)
        size = simd._select_equal(builder, vector, size, least, own, others)
        new = simd._apply_sign(builder, vector, size, simd._xor(builder, vector, product, x))
        builder.store(new, message).align = 1
        builder.store(simd._add(builder, vector, x, new), known).align = 1
