"""What a run is asked to do, as checked and frozen settings, and the names of the conditions it asks for."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    field_validator,
    model_validator,
)

__all__ = [
    "DECODERS",
    "BerSpec",
    "CodeSpec",
    "Count",
    "DecoderSpec",
    "InputError",
    "SnrSpec",
    "StopSpec",
    "condition_id",
    "differences",
    "parse_range",
]

DECODERS: dict[str, tuple[str, ...]] = {
    "ldpc5g": ("sum-product", "minsum", "offset-minsum", "normalized-minsum"),
    "polar5g": ("scl", "sc"),
    "conv": ("viterbi",),
    "turbo": ("bcjr",),
    "none": ("hard",),
}
"""Decoding algorithms of each code; the first one is the default."""

_ITERATIVE = {"ldpc5g": 20, "turbo": 8}
_MOST_POINTS = 10_000


class InputError(Exception):
    """Something the user gave cannot work; the message is the one line to show."""


def parse_range(text: str) -> tuple[float, ...]:
    """Read decibel values from ``"first:last:step"``, numbers, or a mixture separated by commas.

    The last value belongs to the range when a whole number of steps leads to it. Repeated values count once.

    Raises
    ------
    ValueError
        If the text is no such list, or a step never leads from first to last.

    Examples
    --------
    >>> parse_range("0:1:0.5,2,3")
    (0.0, 0.5, 1.0, 2.0, 3.0)
    """
    values: dict[float, None] = {}
    for part in text.split(","):
        try:
            numbers = [Decimal(field.strip()) for field in part.split(":")]
        except InvalidOperation:
            numbers = []
        if len(numbers) not in (1, 3) or not all(number.is_finite() for number in numbers):
            raise ValueError(
                "an SNR range is first:last:step or numbers separated by commas, such as 0:4:0.5 or 1,1.5,3, "
                f"got {text!r}"
            )
        values.update(dict.fromkeys(_steps(numbers, text)))
    return tuple(values)


def _steps(numbers: Sequence[Decimal], text: str) -> Iterable[float]:
    if len(numbers) == 1:
        return [float(numbers[0])]
    first, last, step = numbers
    if step == 0 or (last - first) / step < 0:
        raise ValueError(f"a step of {step} never leads from {first} to {last} in the SNR range {text!r}")
    count = int((last - first) / step) + 1
    if count > _MOST_POINTS:
        raise ValueError(f"the SNR range {text!r} has {count} points, at most {_MOST_POINTS} work")
    # Decimal arithmetic: 0.1 + 0.1 + 0.1 must be the 0.3 of another range, because SNRs name conditions.
    return [float(first + index * step) for index in range(count)]


def _whole(value: object) -> object:
    """Let counts be written 1e6 or 100_000."""
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            return value
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value


Count = Annotated[int, BeforeValidator(_whole), Field(gt=0)]
"""A positive whole number, also written 1e6 or 100_000."""


class _Settings(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class DecoderSpec(_Settings):
    """How the code is decoded; what is left out is filled in by the code.

    Attributes
    ----------
    algorithm:
        One of `DECODERS` for the code.
    schedule:
        Order of the message updates of an LDPC decoder.
    iterations:
        Most iterations of an iterative decoder.
    early_stop:
        Whether the decoder may end before ``iterations`` when the syndrome is zero.
    llr_bits:
        Width of fixed-point LLRs; None is floating point.
    """

    algorithm: str | None = None
    schedule: Literal["flooding", "layered"] | None = None
    iterations: Count | None = None
    early_stop: bool = True
    llr_bits: Count | None = None


class CodeSpec(_Settings):
    """The channel code.

    Attributes
    ----------
    name:
        One of the keys of `DECODERS`.
    k:
        Information bits a block.
    n:
        Coded bits a block; when left out, 2 k for 5G LDPC and polar codes, k without a code, and None, which
        is the mother code's own length, for convolutional and turbo codes.
    decoder:
        How it is decoded.
    """

    name: Literal["ldpc5g", "polar5g", "conv", "turbo", "none"] = "ldpc5g"
    k: Count = 512
    n: Count | None = None
    decoder: DecoderSpec = DecoderSpec()

    @model_validator(mode="before")
    @classmethod
    def _lengths(cls, data: Any) -> Any:
        if not isinstance(data, Mapping):
            return data
        name = data.get("name", "ldpc5g")
        k = data.get("k") or (1024 if name == "none" else 512)
        lengths = {"none": 1, "ldpc5g": 2, "polar5g": 2}
        n = data.get("n")
        if n is None and name in lengths and isinstance(whole := _whole(k), int) and whole > 0:
            n = lengths[name] * whole
        return {**data, "k": k, "n": n}

    @model_validator(mode="after")
    def _rate(self) -> Self:
        if self.n is not None and self.n < self.k:
            raise ValueError(
                f"the code rate k/n must be at most 1, got k={self.k} and n={self.n} "
                f"(rate {self.k / self.n:.3g})"
            )
        if self.name == "none" and self.n != self.k:
            raise ValueError(
                f"code none sends its bits as they are, so n equals k, got k={self.k} and n={self.n}"
            )
        return self

    @model_validator(mode="after")
    def _decoder(self) -> Self:
        choices = DECODERS[self.name]
        decoder = self.decoder
        if decoder.algorithm is not None and decoder.algorithm not in choices:
            raise ValueError(f"the decoder of {self.name} is {_either(choices)}, got {decoder.algorithm!r}")
        if decoder.schedule is not None and self.name != "ldpc5g":
            raise ValueError(f"only ldpc5g has a schedule, got {decoder.schedule!r} for {self.name}")
        if decoder.iterations is not None and self.name not in _ITERATIVE:
            raise ValueError(
                f"only {_either(tuple(_ITERATIVE))} iterate, got {decoder.iterations} for {self.name}"
            )
        filled = decoder.model_copy(
            update={
                "algorithm": decoder.algorithm or choices[0],
                "schedule": decoder.schedule or ("flooding" if self.name == "ldpc5g" else None),
                "iterations": decoder.iterations or _ITERATIVE.get(self.name),
            }
        )
        object.__setattr__(self, "decoder", filled)
        return self


class SnrSpec(_Settings):
    """Points of the sweep.

    Attributes
    ----------
    kind:
        Whether ``values_db`` are Eb/N0 (per information bit) or Es/N0 (per channel use).
    values_db:
        The points in decibels, or a text that `parse_range` reads.
    """

    kind: Literal["ebno", "esno"]
    values_db: tuple[float, ...] = Field(min_length=1)

    @field_validator("values_db", mode="before")
    @classmethod
    def _read(cls, value: object) -> object:
        if isinstance(value, str):
            return parse_range(value)
        return (value,) if isinstance(value, int | float) else value

    @field_validator("values_db")
    @classmethod
    def _finite(cls, values: tuple[float, ...]) -> tuple[float, ...]:
        return parse_range(",".join(map(repr, values)))


class StopSpec(_Settings):
    """When a point has been simulated enough; the first rule that holds ends it.

    Attributes
    ----------
    block_errors:
        Enough block errors.
    max_blocks:
        Most blocks.
    seconds:
        Most seconds a point; the counts then depend on the machine.
    below_bler:
        After the first point whose block error rate is below this, the points behind it are left out.
    """

    block_errors: Count = 100
    max_blocks: Count = 1_000_000
    seconds: float | None = Field(default=None, gt=0)
    below_bler: float | None = Field(default=None, gt=0, le=1)


class BerSpec(_Settings):
    """Everything ``semphy ber`` is told, except how the work is divided.

    Attributes
    ----------
    code, snr, stop:
        See `CodeSpec`, `SnrSpec`, `StopSpec`.
    modulation, demapping, channel:
        As `phy.modulation.Modulation` and `phy.channels` read them.
    engine:
        What simulates; ``auto`` is resolved before anything runs, and results name the one that ran.
    seed:
        Root of every random draw.
    confidence:
        Of the intervals.
    """

    code: CodeSpec = CodeSpec()
    modulation: str = "bpsk"
    demapping: Literal["app", "maxlog"] = "app"
    channel: str = "awgn"
    snr: SnrSpec
    stop: StopSpec = StopSpec()
    engine: Literal["auto", "sionna", "compiled"] = "auto"
    seed: Annotated[int, Field(ge=0)] = 1
    confidence: Annotated[float, Field(gt=0, lt=1)] = 0.95

    @model_validator(mode="after")
    def _engine(self) -> Self:
        if self.engine == "compiled":
            raise ValueError("the compiled engine is not part of this version; use --engine sionna or auto")
        llr_bits = self.code.decoder.llr_bits
        if llr_bits is not None:
            raise ValueError(
                f"the sionna engine decodes floating-point LLRs only, got llr_bits={llr_bits}; leave it out"
            )
        return self

    def resolved(self, n: int, modulation: str, channel: str) -> BerSpec:
        """Name the engine that runs, what it really does, and the parts that were built in one spelling.

        Sionna's decoders never stop early, so that is what the record says.
        """
        decoder = self.code.decoder.model_copy(update={"early_stop": False})
        code = self.code.model_copy(update={"n": n, "decoder": decoder})
        parts = {"code": code, "modulation": modulation, "channel": channel}
        return self.model_copy(update={**parts, "engine": "sionna"})

    def identity(self) -> dict[str, Any]:
        """What all points of one run directory share."""
        return self.model_dump(mode="json", exclude={"snr", "stop", "confidence"})


def condition_id(description: Mapping[str, Any]) -> str:
    """Stable name of a condition: 128 bits of the SHA-256 of its canonical JSON."""
    text = json.dumps(description, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """Dotted settings in which two descriptions differ, as ``"code.k = 512, now 256"``."""
    left, right = _flat(old), _flat(new)
    return [
        f"{name} = {left.get(name)}, now {right.get(name)}"
        for name in sorted(left | right)
        if left.get(name) != right.get(name)
    ]


def _flat(tree: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    leaves: dict[str, Any] = {}
    for name, value in tree.items():
        path = f"{prefix}{name}"
        leaves.update(_flat(value, f"{path}.") if isinstance(value, Mapping) else {path: value})
    return leaves


def _either(choices: Sequence[str]) -> str:
    return " or ".join(filter(None, [", ".join(choices[:-1]), choices[-1]]))
