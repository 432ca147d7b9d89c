"""Settings of ``semphy ber``, and which engine simulates them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import cycle, islice
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationInfo, field_validator, model_validator

from benchmarks.settings.blocks import ResourceSpec, interleaver_name, scheduled
from benchmarks.settings.codes import CodeSpec, Count, Settings, from_file
from benchmarks.settings.errors import InputError
from benchmarks.settings.values.ranges import parse_probabilities, parse_range
from phy.coding.catalog import CODES, code_kind
from phy.coding.decoding import HARD, MIN_SUM

__all__ = [
    "CHAINS",
    "SEARCH_DB",
    "SNR_CURE",
    "SWEPT",
    "BerSpec",
    "Probability",
    "SnrSpec",
    "StopSpec",
    "check_search",
    "read_targets",
    "resolve_engine",
    "search_interval",
]


class SnrSpec(Settings):
    """Points of the sweep.

    Attributes
    ----------
    kind:
        Whether ``values_db`` are Eb/N0 (per information bit) or Es/N0 (per channel use), or the probabilities
        ``p`` of a binary channel.
    values_db:
        The points, SNRs in decibels, or a text that `parse_range` or `parse_probabilities` reads. They may
        stand alone and are Es/N0 then.

    Examples
    --------
    >>> SnrSpec.model_validate("0:2:1")
    SnrSpec(kind='esno', values_db=(0.0, 1.0, 2.0))
    """

    kind: Literal["ebno", "esno", "p"]
    values_db: tuple[float, ...] = Field(min_length=1)

    @model_validator(mode="before")
    @classmethod
    def _plain(cls, data: Any) -> Any:
        if isinstance(data, str | int | float | list | tuple) and not isinstance(data, bool):
            return {"kind": "esno", "values_db": data}
        return data

    @field_validator("values_db", mode="before")
    @classmethod
    def _read(cls, value: object, info: ValidationInfo) -> object:
        if isinstance(value, str):
            return _parser(info)(value)
        return (value,) if isinstance(value, int | float) else value

    @field_validator("values_db")
    @classmethod
    def _possible(cls, values: tuple[float, ...], info: ValidationInfo) -> tuple[float, ...]:
        return _parser(info)(",".join(map(repr, values)))


def _parser(info: ValidationInfo) -> Callable[[str], tuple[float, ...]]:
    return parse_probabilities if info.data.get("kind") == "p" else parse_range


SNR_CURE = "give --ebno or --esno, --p of a binary channel, or --target-bler"
"""What to do where the SNR is missing."""


class StopSpec(Settings):
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

    Examples
    --------
    >>> StopSpec(block_errors=200, max_blocks="1e7").max_blocks
    10000000
    """

    block_errors: Count = 100
    max_blocks: Count = 1_000_000
    seconds: float | None = Field(default=None, gt=0)
    below_bler: float | None = Field(default=None, gt=0, le=1)


SEARCH_DB = (-2.0, 60.0)
"""Eb/N0 between which a target block error rate is searched unless told otherwise: nothing is received below
-1.59 dB, and a target that needs more than 60 dB is out of anybody's reach."""

Probability = Annotated[float, Field(gt=0, lt=1)]


def search_interval(data: Any) -> Any:
    """Let settings with a target leave out the SNRs between which it is searched."""
    if isinstance(data, Mapping) and data.get("target_bler") and not data.get("snr"):
        return {**data, "snr": {"kind": "ebno", "values_db": SEARCH_DB}}
    return data


def check_search(spec: Any) -> Any:
    """Raise ValueError if settings search a target over probabilities, on which an SNR has no bearing."""
    if spec.target_bler and spec.snr.kind == "p":
        raise ValueError("--target-bler searches an SNR; sweep --p instead, such as --p 0.01:0.1:0.01")
    return spec


def read_targets(value: object) -> object:
    """Let target rates be written ``"0.1,0.01"``, or as a single number."""
    if isinstance(value, str):
        return value.split(",")
    return (value,) if isinstance(value, int | float) else value


SWEPT = ("modulation", "channel")
"""Settings besides the code of which one command takes several values."""


class BerSpec(Settings):
    """What ``semphy ber`` is told about one curve, except how the work is divided.

    Attributes
    ----------
    code, snr, stop:
        See `CodeSpec`, `SnrSpec`, `StopSpec`.
    modulation, demapping, channel:
        As `phy.modulation.Modulation` and `phy.channels.names` read them. A binary channel takes bits as they
        are: there is no other modulation than the one of the default, and conditions name none.
    target_bler:
        Block error rates whose SNR is searched; ``snr`` then holds the ends of the interval to search, and
        is `SEARCH_DB` when left out.
    transport:
        Whether blocks are transport blocks of TS 38.212: a check sum, code blocks with check sums of their
        own, ``code.k`` bits in all, on ``code.n`` coded bits (`phy.coding.transport.block.TransportBlock`).
    mcs:
        ``38.214:table1:10``: modulation, rate and size of a transport block by TS 38.214, in place of
        ``code.k``, ``code.n`` and ``modulation``.
    resources:
        Of a transport block with an MCS.
    interleaver:
        Order in which coded bits are sent, ``random:SEED`` or ``block:COLUMNS``
        (`phy.coding.interleaving.Interleaver`); None for the code's own.
    harq:
        Transmissions that a block may have, ``ir:4`` with incremental redundancy or ``chase:4`` with the same
        bits each time (`phy.links.harq.HarqLink`); None for one.
    rv:
        Redundancy versions of the transmissions; None takes those of `phy.links.harq.INCREMENTAL` in turn.
    crc:
        Check sum by which the HARQ receiver knows a right block; None for one that is told.
    turns:
        Passes through demapper and decoder (`phy.links.iterative.IterativeLink`).
    floor:
        Blocks that walk at once where rates too low to be counted are estimated (`phy.rare.descent`); True
        is `CHAINS`, None counts errors. ``stop.block_errors`` is then how many errors would give such an
        interval, ``stop.max_blocks``, 3 10^7 unless told otherwise, how many blocks are decoded.
    engine:
        What simulates; ``auto`` is resolved before anything runs, and results name the one that ran.
    device:
        Where demapping and decoding run; noise is drawn on the CPU, so that it is the same everywhere.
    seed:
        Root of every random draw.
    confidence:
        Of the intervals.

    Examples
    --------
    >>> spec = BerSpec(code={"k": 128}, snr={"kind": "ebno", "values_db": "0:2:1"}, stop={"max_blocks": 1e4})
    >>> spec.code.n, spec.code.decoder.algorithm, spec.snr.values_db
    (256, 'sum-product', (0.0, 1.0, 2.0))
    """

    code: CodeSpec = CodeSpec()
    modulation: str = "bpsk"
    demapping: Literal["app", "maxlog"] = "app"
    channel: str = "awgn"
    snr: SnrSpec = Field(description=SNR_CURE)
    target_bler: tuple[Probability, ...] = ()
    stop: StopSpec = StopSpec()
    transport: bool = False
    mcs: str | None = None
    resources: ResourceSpec = ResourceSpec()
    interleaver: str | None = None
    harq: str | None = None
    rv: tuple[Annotated[int, Field(ge=0, le=3)], ...] | None = None
    crc: str | None = None
    turns: Count = 1
    floor: Count | None = None
    engine: Literal["auto", "sionna", "compiled", "torch"] = "auto"
    device: str = "cpu"
    seed: Annotated[int, Field(ge=0)] = 1
    confidence: Probability = 0.95

    _targets = field_validator("target_bler", mode="before")(read_targets)
    _search = model_validator(mode="after")(check_search)

    @field_validator("floor", mode="before")
    @classmethod
    def _chains(cls, value: object) -> object:
        if isinstance(value, bool) or value == "true":
            return CHAINS if value else None
        return value

    @model_validator(mode="before")
    @classmethod
    def _decoded(cls, data: Any) -> Any:
        if not isinstance(data, Mapping) or not data.get("floor"):
            return data
        stop = data.get("stop", {})
        return {**data, "stop": {"max_blocks": _MOST_DECODED, **stop}} if isinstance(stop, Mapping) else data

    @model_validator(mode="after")
    def _estimated(self) -> BerSpec:
        if self.floor is None:
            return self
        refused = {
            "--harq and --turns": self.repeats,
            "--target-bler": self.target_bler,
            f"--channel {self.channel}": self.channel != "awgn",
            f"--modulation {self.modulation}": self.modulation not in ("bpsk", "qpsk"),
        }
        for what, there in refused.items():
            if there:
                raise ValueError(f"--floor estimates points over awgn with bpsk or qpsk, without {what}")
        return self

    @field_validator("interleaver")
    @classmethod
    def _order(cls, value: str | None) -> str | None:
        return None if value is None else interleaver_name(value)

    @field_validator("rv", mode="before")
    @classmethod
    def _versions(cls, value: object) -> object:
        if isinstance(value, str):
            return value.split(",")
        return (value,) if isinstance(value, int) else value

    @model_validator(mode="after")
    def _repetition(self) -> BerSpec:
        if self.harq is None and (self.rv is not None or self.crc is not None):
            raise ValueError("--rv and --crc belong to --harq: give --harq ir:4 or chase:4, too")
        if self.harq is not None and self.turns > 1:
            raise ValueError(f"--harq and --turns do not go together, got {self.harq} and {self.turns}")
        if self.repeats and (self.engine not in ("auto", "compiled") or self.device != "cpu"):
            raise ValueError(
                "--harq and --turns decode by the compiled engine on the CPU, "
                f"got engine {self.engine} on {self.device}"
            )
        _ = self.versions
        around = [name for name, given in self._around.items() if given]
        if self.repeats and around:
            raise ValueError(f"--harq and --turns send a code block by itself, without --{around[0]}")
        if self.mcs is None and self.resources != ResourceSpec():
            raise ValueError(
                "resource blocks, symbols, pilots and overhead belong to --mcs 38.214:TABLE:INDEX"
            )
        return self

    @property
    def _around(self) -> dict[str, Any]:
        """What is around the code, by name, as a condition says it; nothing for what is not there."""
        own: dict[str, Any] = {}
        if self.transport:
            own["transport"] = {"mcs": self.mcs}
        if self.interleaver is not None:
            own["interleaver"] = self.interleaver
        return own

    @property
    def linked(self) -> bool:
        """Whether blocks go through a link of objects, which the compiled chain has no counterpart of."""
        return self.repeats or self.transport

    @property
    def repeats(self) -> bool:
        """Whether a block is sent, or demapped, more than once."""
        return self.harq is not None or self.turns > 1

    @property
    def versions(self) -> tuple[int, ...]:
        """Redundancy version of each transmission.

        Raises
        ------
        ValueError
            If ``harq`` is no kind and number, or ``rv`` are not as many, or not equal for ``chase``.
        """
        if self.harq is None:
            return (0,)
        from phy.links.harq import CHASE, INCREMENTAL  # needs PyTorch, which other settings do not

        orders = {"ir": INCREMENTAL, "chase": CHASE}
        kind, _, count = self.harq.partition(":")
        if kind not in orders or not count.isdecimal() or not 1 <= int(count) <= _MOST_TRANSMISSIONS:
            raise ValueError(
                f"--harq is ir:COUNT or chase:COUNT with 1 to {_MOST_TRANSMISSIONS} transmissions, such as "
                f"ir:4, got {self.harq!r}"
            )
        versions = self.rv or tuple(islice(cycle(orders[kind]), int(count)))
        if len(versions) != int(count) or (kind == "chase" and len(set(versions)) > 1):
            raise ValueError(
                f"--rv has one redundancy version for each of {count} transmissions, equal ones for chase, "
                f"got {','.join(map(str, versions))}"
            )
        return versions

    _interval = model_validator(mode="before")(search_interval)

    @model_validator(mode="before")
    @classmethod
    def _schedule(cls, data: Any) -> Any:
        return scheduled(data) if isinstance(data, Mapping) and data.get("mcs") is not None else data

    def resolved(
        self, n: int, modulation: str, channel: str, *, k: int | None = None, digest: str | None = None
    ) -> BerSpec:
        """Name the engine that runs, what it really does, and the parts that were built in one spelling.

        Sionna's decoders never stop early, so that is what the record says.

        Parameters
        ----------
        n, modulation, channel:
            Of the link that was built.
        k, digest:
            Of a matrix from a file.

        Raises
        ------
        InputError
            If no engine, or not the one asked for, does all of it.
        """
        named = self.model_copy(update={"modulation": modulation, "channel": channel})
        engine = resolve_engine(named)
        early_stop = self.code.decoder.early_stop and engine != "sionna" and self.code.name != "none"
        decoder = self.code.decoder.model_copy(update={"early_stop": early_stop})
        lengths = {"n": n, "k": self.code.k if k is None else k}
        code = self.code.model_copy(update={**lengths, "decoder": decoder, "digest": digest})
        return named.model_copy(update={"code": code, "engine": engine})

    def condition(self) -> dict[str, Any]:
        """What all points of one curve share."""
        left_out = {"snr", "stop", "confidence", "target_bler", "harq", "rv", "crc", "turns"}
        left_out |= {"transport", "mcs", "resources", "interleaver", "floor"}
        shared = self.model_dump(mode="json", exclude=left_out)
        own = self._around
        if self.snr.kind == "p":
            del shared["modulation"], shared["demapping"]
        if self.harq is not None:
            own["harq"] = {"rv": list(self.versions), "crc": self.crc}
        if self.turns > 1:
            own["turns"] = self.turns
        if self.floor is not None:
            own["floor"] = {"rules": _FLOOR_RULES, "chains": self.floor}
        return {**shared, **own, "code": self.code.identity()}

    def identity(self) -> dict[str, Any]:
        """What all curves of one code in a run directory share."""
        return {name: value for name, value in self.condition().items() if name not in ("code", "engine")}


_MOST_TRANSMISSIONS = 16
CHAINS = 64
"""Blocks that walk at once under ``--floor``, unless told otherwise."""

_MOST_DECODED = 30_000_000
_FLOOR_RULES = 1
"""Version of the rules by which descents draw and ladders are chosen."""


def resolve_engine(spec: BerSpec) -> Literal["sionna", "compiled", "torch"]:
    """Decide which engine simulates a spec.

    ``auto`` is ``compiled`` where the code has that, else ``sionna``; over which channel, and with which
    constellation, makes no difference. On another device than the CPU it is ``torch`` for 5G LDPC with a
    min-sum decoder, else ``sionna``.

    Raises
    ------
    InputError
        If the engine that was asked for does not decode the code so.
    """
    code, kind = spec.code, code_kind(spec.code.name)
    if spec.repeats:
        return "compiled"
    if spec.transport:
        return _resolve_decoder(spec)
    if spec.engine == "torch" or spec.device != "cpu":
        return _resolve_device(spec)
    fixed = code.decoder.llr_bits
    only = f"code {code.label}" if "sionna" not in kind.engines else f"llr_bits={fixed}" if fixed else None
    only = f"decoder {code.decoder.algorithm}" if code.decoder.algorithm in HARD else only
    if spec.engine == "sionna" and only:
        raise InputError(f"the sionna engine does not cover {only}; use --engine compiled or auto")
    covered = "compiled" in kind.engines
    if spec.engine == "compiled" and not covered:
        has = ", ".join(other.label for other in CODES.values() if "compiled" in other.engines)
        raise InputError(f"the compiled engine does not cover code {code.name} (it has {has})")
    return "compiled" if covered and spec.engine != "sionna" else "sionna"


def _resolve_decoder(spec: BerSpec) -> Literal["sionna", "compiled", "torch"]:
    """Engine that decodes the code blocks of a transport block."""
    engines = code_kind(spec.code.name).engines
    usual = engines[0] if spec.device == "cpu" or spec.engine != "auto" else "sionna"
    chosen = usual if spec.engine == "auto" else spec.engine
    if chosen not in engines:
        raise InputError(f"the engine of {spec.code.label} is {' or '.join(engines)}, got {chosen}")
    return chosen  # type: ignore[return-value]


def _resolve_device(spec: BerSpec) -> Literal["sionna", "torch"]:
    """Engine of a spec that runs in PyTorch, on the CPU or elsewhere."""
    code = spec.code
    if code.decoder.llr_bits or from_file(code.name) or spec.engine == "compiled":
        what = f"llr_bits={code.decoder.llr_bits}" if code.decoder.llr_bits else f"code {code.label}"
        raise InputError(f"{what} with engine {spec.engine} runs on device cpu only, got {spec.device!r}")
    covered = "torch" in code_kind(code.name).engines and code.decoder.algorithm in MIN_SUM
    if spec.engine == "torch" and not covered:
        raise InputError(
            "the torch engine decodes ldpc5g with minsum, offset-minsum or normalized-minsum, "
            f"got {code.name} with {code.decoder.algorithm}"
        )
    return "torch" if covered and spec.engine != "sionna" else "sionna"
