"""Channel codes and their decoders as settings, one or several in a command."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

__all__ = [
    "DECODERS",
    "LLR_BITS",
    "CodeSpec",
    "Count",
    "DecoderSpec",
    "Settings",
    "decoders",
    "from_file",
    "one_by_one",
    "split_names",
]

_BELIEF_PROPAGATION = ("sum-product", "minsum", "offset-minsum", "normalized-minsum")
DECODERS: dict[str, tuple[str, ...]] = {
    "ldpc5g": _BELIEF_PROPAGATION,
    "polar5g": ("scl", "sc"),
    "conv": ("viterbi",),
    "turbo": ("bcjr",),
    "none": ("hard",),
}
"""Decoding algorithms of each code; the first one is the default. Matrices from files take ldpc5g's."""

LLR_BITS = (3, 4, 5, 6, 7, 8, 16)
"""Widths of fixed-point LLRs (`phy.coding.propagation.compiled.FixedPoint`)."""

_FILES = ("alist:", "qc:")


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


class Settings(BaseModel):
    """Settings that cannot be changed and know no other names."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def from_file(name: str) -> bool:
    """Whether a code's name is that of a parity-check matrix in a file."""
    return name.startswith(_FILES)


def decoders(name: str) -> tuple[str, ...]:
    """Decoding algorithms of a code, the default first."""
    return _BELIEF_PROPAGATION if from_file(name) else DECODERS[name]


def _is_ldpc(name: str) -> bool:
    return name == "ldpc5g" or from_file(name)


def _iterations(name: str) -> int | None:
    return 20 if _is_ldpc(name) else 8 if name == "turbo" else None


class DecoderSpec(Settings):
    """How the code is decoded; what is left out is filled in by the code.

    Attributes
    ----------
    algorithm:
        One of `decoders` of the code.
    schedule:
        Order of the message updates of an LDPC decoder.
    iterations:
        Most iterations of an iterative decoder.
    early_stop:
        Whether the decoder may end before ``iterations`` when the syndrome is zero.
    llr_bits:
        Width of fixed-point LLRs, one of `LLR_BITS`; None is floating point.
    """

    algorithm: str | None = None
    schedule: Literal["flooding", "layered"] | None = None
    iterations: Count | None = None
    early_stop: bool = True
    llr_bits: Count | None = None


class CodeSpec(Settings):
    """The channel code.

    Attributes
    ----------
    name:
        One of the keys of `DECODERS`, or ``alist:FILE`` or ``qc:FILE`` with ``,puncture=POSITIONS`` and
        ``,shorten=POSITIONS`` as `phy.coding.ldpc.matrix.matrix_code` reads them.
    k:
        Information bits a block; None is what a matrix from a file has.
    n:
        Coded bits a block; when left out, 2 k for 5G LDPC and polar codes, k without a code, and None, which
        is the mother code's own length, for convolutional and turbo codes and matrices from files.
    decoder:
        How it is decoded.
    digest:
        `phy.coding.ldpc.matrix.MatrixCode.digest` of a matrix from a file, once it has been read.
    """

    name: str = "ldpc5g"
    k: Count | None = 512
    n: Count | None = None
    decoder: DecoderSpec = DecoderSpec()
    digest: str | None = None

    @property
    def label(self) -> str:
        """Name without the folder of a file, as results show it."""
        if not from_file(self.name):
            return self.name
        form, _, rest = self.name.partition(":")
        path, *changes = rest.split(",")
        return ",".join([f"{form}:{Path(path).stem}", *changes])

    def identity(self) -> dict[str, Any]:
        """What tells this code from others: of a matrix the digest, wherever its file lies."""
        described = self.model_dump(mode="json")
        return {**described, "name": self.label} if self.digest else described

    @model_validator(mode="before")
    @classmethod
    def _lengths(cls, data: Any) -> Any:
        if not isinstance(data, Mapping):
            return data
        name = data.get("name", "ldpc5g")
        if isinstance(name, str) and from_file(name):
            return {**data, "k": data.get("k")}
        k = data.get("k") or (1024 if name == "none" else 512)
        lengths = {"none": 1, "ldpc5g": 2, "polar5g": 2}
        n = data.get("n")
        if n is None and name in lengths and isinstance(whole := _whole(k), int) and whole > 0:
            n = lengths[name] * whole
        return {**data, "k": k, "n": n}

    @model_validator(mode="after")
    def _known(self) -> Self:
        if self.name not in DECODERS and not from_file(self.name):
            raise ValueError(
                f"code.name must be {', '.join(DECODERS)}, alist:FILE or qc:FILE, got {self.name!r}"
            )
        return self

    @model_validator(mode="after")
    def _rate(self) -> Self:
        if self.n is not None and self.k is not None and self.n < self.k:
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
        choices, ldpc = decoders(self.name), _is_ldpc(self.name)
        decoder = self.decoder
        if decoder.algorithm is not None and decoder.algorithm not in choices:
            raise ValueError(f"the decoder of {self.name} is {_either(choices)}, got {decoder.algorithm!r}")
        if decoder.schedule is not None and not ldpc:
            raise ValueError(f"only LDPC codes have a schedule, got {decoder.schedule!r} for {self.name}")
        if decoder.iterations is not None and _iterations(self.name) is None:
            raise ValueError(f"only LDPC codes and turbo iterate, got {decoder.iterations} for {self.name}")
        filled = decoder.model_copy(
            update={
                "algorithm": decoder.algorithm or choices[0],
                "schedule": decoder.schedule or ("flooding" if ldpc else None),
                "iterations": decoder.iterations or _iterations(self.name),
            }
        )
        _check_llr_bits(self.name, filled)
        object.__setattr__(self, "decoder", filled)
        return self


def _check_llr_bits(name: str, decoder: DecoderSpec) -> None:
    if decoder.llr_bits is None:
        return
    if decoder.llr_bits not in LLR_BITS:
        raise ValueError(f"llr_bits must be {_either([*map(str, LLR_BITS)])}, got {decoder.llr_bits}")
    if not _is_ldpc(name):
        raise ValueError(f"only LDPC codes decode in fixed point, got llr_bits={decoder.llr_bits} for {name}")
    if decoder.algorithm == "sum-product":
        raise ValueError(
            f"llr_bits={decoder.llr_bits} needs a min-sum decoder: add --decoder minsum, offset-minsum or "
            "normalized-minsum (sum-product has no fixed-point form)"
        )


def _either(choices: Sequence[str]) -> str:
    return " or ".join(filter(None, [", ".join(choices[:-1]), choices[-1]]))


def split_names(text: str) -> list[str]:
    """Split names of codes at commas; a piece with ``=`` belongs to the piece before it.

    Examples
    --------
    >>> split_names("none,qc:a.qc,puncture=0-3,shorten=9,conv")
    ['none', 'qc:a.qc,puncture=0-3,shorten=9', 'conv']
    """
    names: list[str] = []
    for piece in text.split(","):
        if "=" in piece and ":" not in piece and names:
            names[-1] += f",{piece}"
        else:
            names.append(piece.strip())
    return names


def one_by_one(code: object) -> list[Any]:
    """Settings of several codes from settings with several names.

    Parameters
    ----------
    code:
        What stands under ``code``: a list of settings stays as it is; a mapping whose ``name`` holds several
        names becomes one mapping a name. Each code takes of ``k``, ``n`` and ``decoder`` what it has: code
        none no ``n``, matrices from files neither length, and only LDPC codes a schedule.

    Raises
    ------
    ValueError
        If a code is named twice, or there is a decoder setting that no code takes.
    """
    if isinstance(code, list) and code:
        return code
    if not isinstance(code, Mapping) or not isinstance(code.get("name"), str):
        return [code]
    names = split_names(code["name"])
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"code {name!r} is named twice in {code['name']!r}")
    if len(names) == 1 or not all(name in DECODERS or from_file(name) for name in names):
        return [{**code, "name": name} for name in names]
    decoder = code.get("decoder") or {}
    for setting, value in decoder.items():
        if value is not None and not any(_takes(name, setting, value) for name in names):
            raise ValueError(f"none of the codes {', '.join(names)} takes {setting} {value!r}")
    return [{**_own_lengths(code, name), "name": name, "decoder": _own(decoder, name)} for name in names]


def _own_lengths(code: Mapping[str, Any], name: str) -> dict[str, Any]:
    unused = ("k", "n") if from_file(name) else ("n",) if name == "none" else ()
    return {key: value for key, value in code.items() if key not in unused}


def _own(decoder: Mapping[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in decoder.items() if _takes(name, key, value)}


def _takes(name: str, setting: str, value: object) -> bool:
    if setting == "algorithm":
        return value in decoders(name)
    if setting in ("schedule", "llr_bits"):
        return _is_ldpc(name)
    return setting != "iterations" or _iterations(name) is not None
