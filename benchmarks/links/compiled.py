"""The compiled engine behind ``semphy ber``: one chain a spec, built once a process."""

from __future__ import annotations

from functools import lru_cache

from benchmarks.settings.codes import CodeSpec, from_file
from phy.chain.chain import ChainCode, CompiledChain
from phy.channels.names import parse_channel
from phy.coding.ldpc.compiled import CompiledLDPC5G
from phy.coding.ldpc.matrix import matrix_code
from phy.coding.propagation.compiled import FixedPoint
from phy.modulation import Modulation

__all__ = ["build_chain"]


@lru_cache(maxsize=4)
def build_chain(code: CodeSpec, modulation: str, demapping: str, channel: str) -> CompiledChain:
    """Build the chain that a resolved spec describes."""
    mapping = Modulation(modulation, demapping)  # type: ignore[arg-type]
    return CompiledChain(_chain_code(code, mapping.bits_per_symbol), mapping, parse_channel(channel))


def _chain_code(code: CodeSpec, bits_per_symbol: int) -> ChainCode:
    if code.k is None or code.n is None:
        raise ValueError(f"code {code.name} is not resolved: it lacks k or n")
    if code.name == "none":
        return ChainCode.uncoded(code.k)
    decoder = code.decoder
    fixed = None if decoder.llr_bits is None else FixedPoint.of(decoder.llr_bits)
    schedule, iterations = decoder.schedule or "flooding", decoder.iterations or 20
    algorithm = decoder.algorithm or "sum-product"
    if from_file(code.name):
        return ChainCode.matrix(
            matrix_code(
                code.name,
                algorithm=algorithm,
                schedule=schedule,
                iterations=iterations,
                early_stop=decoder.early_stop,
                fixed_point=fixed,
            )
        )
    return ChainCode.ldpc5g(
        CompiledLDPC5G(
            code.k,
            code.n,
            # TS 38.212 interleaves whole symbols only; where the link needs filler there is no interleaver.
            bits_per_symbol=None if code.n % bits_per_symbol else bits_per_symbol,
            decoder=algorithm,
            schedule=schedule,
            iterations=iterations,
            early_stop=decoder.early_stop,
            fixed_point=fixed,
        )
    )
