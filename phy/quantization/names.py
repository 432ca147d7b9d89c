"""Quantisers by name, as command lines and results have them."""

from __future__ import annotations

from collections.abc import Mapping

from phy.quantization.floating import FORMATS, FloatPattern
from phy.quantization.quantizer import Quantizer
from phy.quantization.scalar import Labeling, LloydMax, MuLaw, Uniform
from phy.quantization.vector import ProductQuantizer
from phy.random import Stream

__all__ = ["DITHER", "GRAMMAR", "parse_quantizer"]

DITHER = Stream("quantization", "dither")
GRAMMAR = (
    "uniform:BITS[,step=STEP][,dither], lloyd-max:BITS, mu-law:BITS[,mu=MU][,peak=PEAK] "
    "(these three may end in ,natural for natural instead of Gray labels), "
    "pq:VALUESxBITS (subvectors of so many values and bits each), pq:FILE.safetensors, " + ", ".join(FORMATS)
)


def parse_quantizer(text: str, dither: Stream = DITHER) -> Quantizer:
    """Make the quantiser of a name.

    Parameters
    ----------
    text:
        ``uniform:4``, ``uniform:4,step=0.3,dither``, ``lloyd-max:4,natural``, ``mu-law:8``, ``pq:2x8``
        (subvectors of 2 values, 8 bits each, made for the unit Gaussian), ``pq:FILE.safetensors``, ``fp32``,
        ``fp16``, ``bf16``, ``fp8_e4m3`` or ``fp8_e5m2``.
    dither:
        Where ``dither`` draws from.

    Raises
    ------
    ValueError
        If the text is none of these.

    Examples
    --------
    >>> parse_quantizer("uniform:4,dither").name
    'uniform:4,dither'
    """
    kind, _, settings = text.partition(":")
    first, *rest = settings.split(",")
    options = dict(option.partition("=")[::2] for option in rest)
    try:
        quantizer = _make(kind, first, options, dither)
    except ValueError as error:
        raise ValueError(f"cannot read quantiser {text!r} ({error}); there are {GRAMMAR}") from error
    if options:
        raise ValueError(f"quantiser {text!r} has no setting {', '.join(options)}; there are {GRAMMAR}")
    return quantizer


def _make(kind: str, first: str, options: dict[str, str], dither: Stream) -> Quantizer:
    """Make a quantiser, taking the options that it has out of ``options``."""
    if kind == "pq":
        return _product(first)
    if kind not in ("uniform", "lloyd-max", "mu-law"):
        return FloatPattern(f"{kind}:{first}" if first else kind)
    bits = int(first)
    labeling: Labeling = "natural" if _flag(options, "natural") else "gray"
    if kind == "uniform":
        step = float(options.pop("step")) if "step" in options else None
        return Uniform(bits, step, dither if _flag(options, "dither") else None, labeling=labeling)
    if kind == "lloyd-max":
        return LloydMax(bits, labeling=labeling)
    chosen: Mapping[str, float] = {
        name: float(options.pop(name)) for name in ("mu", "peak") if name in options
    }
    return MuLaw(bits, **chosen, labeling=labeling)


def _product(first: str) -> ProductQuantizer:
    if first.endswith(".safetensors"):
        return ProductQuantizer.load(first)
    dim, _, bits = first.partition("x")
    return ProductQuantizer.gaussian(int(dim), int(bits))


def _flag(options: dict[str, str], name: str) -> bool:
    return options.get(name) == "" and options.pop(name) == ""
