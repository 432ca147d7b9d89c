"""Bit-level quantisers: real vectors (embeddings) to bits, and back from whatever bits or LLRs arrive."""

from phy.quantization.floating import FloatPattern
from phy.quantization.names import parse_quantizer
from phy.quantization.quantizer import Quantizer
from phy.quantization.scalar import LloydMax, MuLaw, ScalarQuantizer, Uniform
from phy.quantization.vector import ProductQuantizer

__all__ = [
    "FloatPattern",
    "LloydMax",
    "MuLaw",
    "ProductQuantizer",
    "Quantizer",
    "ScalarQuantizer",
    "Uniform",
    "parse_quantizer",
]
