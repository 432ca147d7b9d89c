"""Channel codes and their decoders as settings, one or several in a command."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator

from phy.coding.catalog import CODES, CodeKind, code_kind
from phy.coding.decoding import ALGORITHMS, HARD, Decoding
from phy.coding.fixed_point import FixedPoint
from phy.coding.ldpc.quoting import split_outside_quotes

__all__ = [
    "CodeSpec",
    "Count",
    "DecoderSpec",
    "Settings",
    "from_file",
    "one_by_one",
    "several",
    "split_names",
]


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
    return code_kind(name).from_file


class DecoderSpec(Settings):
    """How the code is decoded; what is left out is filled in by the code.

    Attributes
    ----------
    algorithm:
        One of the code's decoders (`phy.coding.catalog`), the first if left out.
    schedule:
        Order of the message updates of an LDPC decoder, ``flooding`` if left out.
    iterations:
        Most iterations of an iterative decoder.
    early_stop:
        Whether the decoder may end before ``iterations`` when the syndrome is zero.
    llr_bits:
        Width of fixed-point LLRs; None is floating point.
    factor, offset:
        Of normalised and of offset-min-sum.
    list_size:
        Paths of a list decoder, 8 if left out.
    """

    algorithm: str | None = None
    schedule: Literal["flooding", "layered"] | None = None
    iterations: Count | None = None
    early_stop: bool = True
    llr_bits: Count | None = None
    factor: float | None = None
    offset: float | None = None
    list_size: Count | None = None

    def filled(self, kind: CodeKind) -> DecoderSpec:
        """Return the settings with the code's own in place of what was left out.

        Raises
        ------
        ValueError
            If the code, or its algorithm, takes none of a setting, or a number is outside its range.
        """
        algorithm = self.algorithm or kind.decoders[0]
        for setting, value in self:
            if value is not None and not _takes(kind, setting, value):
                raise ValueError(_refusal(kind, setting, value))
        for setting, rule in _RULES.items():
            if (value := getattr(self, setting)) is not None and algorithm != rule:
                raise ValueError(f"{setting} belongs to {rule}, got {setting}={value} with {algorithm}")
        if self.schedule is not None and algorithm in HARD:
            raise ValueError(f"schedule belongs to belief propagation, got {self.schedule} with {algorithm}")
        own = {
            "algorithm": algorithm,
            "schedule": self.schedule or ("flooding" if algorithm in ALGORITHMS else None),
            "iterations": self.iterations or kind.iterations,
        }
        filled = self.model_copy(update=own)
        filled.of(kind.engines[0])  # which checks the numbers
        return filled

    def of(self, engine: str) -> Decoding:
        """Return what a decoder is told by these settings, once they are `filled`."""
        form = None if self.llr_bits is None else FixedPoint.of(self.llr_bits)
        given = self.model_dump(exclude={"llr_bits"}, exclude_none=True)
        return Decoding(**given, fixed_point=form, engine=engine)

    def identity(self) -> dict[str, Any]:
        """What tells this decoder from others; settings of single algorithms only where they are unusual."""
        usual = Decoding()
        unsaid = {name for name in _RULES if getattr(self, name) in (None, getattr(usual, name))}
        return self.model_dump(mode="json", exclude=unsaid)


_RULES = {"factor": "normalized-minsum", "offset": "offset-minsum", "list_size": "scl"}
"""Settings of single algorithms."""


def _takes(kind: CodeKind, setting: str, value: object) -> bool:
    """Whether a setting of the decoder means something to a code."""
    if setting == "algorithm":
        return value in kind.decoders
    if setting in _RULES:
        return _RULES[setting] in kind.decoders
    if setting in ("schedule", "llr_bits"):
        return kind.propagates
    return setting != "iterations" or kind.iterations is not None


def _refusal(kind: CodeKind, setting: str, value: object) -> str:
    if setting == "algorithm":
        return f"the decoder of {kind.label} is {' or '.join(kind.decoders)}, got {value!r}"
    takers = {"iterations": "codes with an iterative decoder take", "list_size": "polar codes take"}
    who = takers.get(setting, "LDPC codes take")
    return f"only {who} {setting}, got {setting}={value} for {kind.label}"


class CodeSpec(Settings):
    """The channel code.

    Attributes
    ----------
    name:
        A name of `phy.coding.catalog.CODES`, with files ``alist:FILE``, ``qc:FILE`` or ``matrix:FILE`` and
        ``,puncture=POSITIONS`` and ``,shorten=POSITIONS`` as `phy.coding.ldpc.matrix.matrix_code` reads them.
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
        path, *changes = split_outside_quotes(rest)
        stem = Path(path.strip('"')).stem
        return ",".join([f"{form}:{stem}", *changes])

    def identity(self) -> dict[str, Any]:
        """What tells this code from others: of a matrix the digest, whatever its file is called."""
        described = {**self.model_dump(mode="json"), "decoder": self.decoder.identity()}
        if (version := code_kind(self.name).version) > 1:
            described["version"] = version
        if self.digest:
            described["name"] = f"{self.name.partition(':')[0]}:{self.digest}"
        return described

    @model_validator(mode="before")
    @classmethod
    def _lengths(cls, data: Any) -> Any:
        if not isinstance(data, Mapping):
            return data
        kind = CODES.get(str(data.get("name", "ldpc5g")).partition(":")[0])
        if kind is None or kind.from_file:
            return {**data, "k": data.get("k")}
        k, n = data.get("k"), data.get("n")
        k = kind.k if k is None else k
        if n is None and kind.expansion and isinstance(whole := _whole(k), int) and whole > 0:
            n = kind.expansion * whole
        return {**data, "k": k, "n": n}

    @field_validator("name")
    @classmethod
    def _known(cls, name: str) -> str:
        try:
            code_kind(name)
        except ValueError as error:
            raise ValueError(f"code.name: {error}") from error
        return name

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
        object.__setattr__(self, "decoder", self.decoder.filled(code_kind(self.name)))
        return self


def split_names(text: str) -> list[str]:
    """Split names of codes at commas outside quotes; a piece with ``=`` belongs to the piece before it.

    Examples
    --------
    >>> split_names("none,qc:a.qc,puncture=0-3,shorten=9,conv")
    ['none', 'qc:a.qc,puncture=0-3,shorten=9', 'conv']
    """
    names: list[str] = []
    for piece in split_outside_quotes(text):
        if "=" in piece and ":" not in piece and names:
            names[-1] += f",{piece}"
        else:
            names.append(piece.strip())
    return names


def several(value: object) -> list[Any]:
    """Values of a setting that takes several: those of a list, or those between the commas of a text.

    Examples
    --------
    >>> several("awgn,tdl-a:delay_spread=1e-7,speed=3"), several([512, 1024]), several(512)
    (['awgn', 'tdl-a:delay_spread=1e-7,speed=3'], [512, 1024], [512])
    """
    if isinstance(value, str):
        return split_names(value)
    return list(value) if isinstance(value, list | tuple) and value else [value]


def one_by_one(code: object) -> list[Any]:
    """Settings of single codes from settings with several names, lengths or decoders.

    Parameters
    ----------
    code:
        What stands under ``code``: the settings of one or several codes, or a list of such. ``name``, ``k``,
        ``n`` and the decoder's ``algorithm`` may have several values (`several`), all combinations of which
        are meant. Of several codes each takes of lengths and decoders what it has: code none no ``n``,
        matrices from files neither length, and only LDPC codes a schedule.

    Raises
    ------
    ValueError
        If a code is named twice, or there is a decoder setting that no code takes.
    """
    if isinstance(code, list) and code:
        return [one for each in code for one in one_by_one(each)]
    if not isinstance(code, Mapping):
        return [code]
    names = several(code.get("name", CodeSpec.model_fields["name"].default))
    if not all(isinstance(name, str) for name in names):
        return [code]
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"code {name!r} is named twice in {code['name']!r}")
    kinds = {name: CODES.get(name.partition(":")[0]) for name in names}
    decoder = code.get("decoder") or {}
    if len(names) == 1 or None in kinds.values() or not isinstance(decoder, Mapping):
        return [one for name in names for one in _crossed({**code, "name": name})]
    decoder = {name: value for name, value in decoder.items() if value is not None}
    for setting, value in decoder.items():
        for each in several(value):
            if not any(_takes(kind, setting, each) for kind in kinds.values() if kind):
                raise ValueError(f"none of the codes {', '.join(names)} takes {setting} {each!r}")
    return [one for name, kind in kinds.items() if kind for one in _crossed(_own(code, decoder, name, kind))]


def _own(code: Mapping[str, Any], decoder: Mapping[str, Any], name: str, kind: CodeKind) -> dict[str, Any]:
    """Settings of one code of several: what it takes of the lengths and of the decoder."""
    unused = ("k", "n") if kind.from_file else ("n",) if name == "none" else ()
    lengths = {key: value for key, value in code.items() if key not in unused}
    taken = {key: [one for one in several(value) if _takes(kind, key, one)] for key, value in decoder.items()}
    own = {key: values if len(values) > 1 else values[0] for key, values in taken.items() if values}
    return {**lengths, "name": name, "decoder": own}


def _crossed(code: dict[str, Any]) -> list[dict[str, Any]]:
    """All combinations of the lengths and decoders of one code."""
    decoder = code.get("decoder")
    by_algorithm = (
        [{**decoder, "algorithm": each} for each in several(decoder["algorithm"])]
        if isinstance(decoder, Mapping) and decoder.get("algorithm") is not None
        else [decoder]
    )
    axes = {key: several(code[key]) for key in ("k", "n") if code.get(key) is not None}
    if decoder is not None:
        axes["decoder"] = by_algorithm
    return [{**code, **dict(zip(axes, values, strict=True))} for values in product(*axes.values())]
