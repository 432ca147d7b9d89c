"""Links to be swept: what a curve needs of one, and the links that settings describe."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from benchmarks.links.counting import RULES_VERSION, Chunk, build_link, link_of, plain_link
from benchmarks.links.levels import Level, columns, key, levels
from benchmarks.links.own import source_of
from benchmarks.links.sweepable import Decided, Sweepable
from benchmarks.runs.conditions import condition_id
from benchmarks.settings.ber import BerSpec, SnrSpec, StopSpec
from benchmarks.settings.codes import from_file
from benchmarks.settings.errors import InputError
from phy.lazily import torch
from phy.links.binary import BinaryLink
from phy.links.digital import DigitalLink
from phy.links.harq import HarqLink
from phy.links.iterative import IterativeLink
from phy.random import Stream
from phy.units import EsN0

__all__ = ["Chain", "Plan", "SpecifiedLink"]


@dataclass(frozen=True)
class SpecifiedLink:
    """The link that settings describe, a `Sweepable`.

    Attributes
    ----------
    spec:
        The settings, resolved by the parts that were built.
    link:
        What they describe, decoded by the engine that is built at once.
    """

    spec: BerSpec
    link: DigitalLink | BinaryLink | HarqLink | IterativeLink

    @classmethod
    def of(cls, spec: BerSpec) -> SpecifiedLink:
        """Build the link of a spec, and resolve the spec by it.

        Raises
        ------
        InputError
            If a part does not exist or the parts do not fit together.
        """
        if from_file(spec.code.name):
            build_link.cache_clear()  # the file may have changed
            link_of.cache_clear()
        link = plain_link(spec)
        built = {"k": link.code.k, "n": link.code.n}
        for name, value in built.items():
            asked = getattr(spec.code, name)
            if from_file(spec.code.name) and asked not in (None, value):
                raise InputError(f"{link.code.name} has {name}={value}, got {name}={asked}; leave it out")
        digest = getattr(link.code, "digest", None)
        if spec.code.digest not in (None, digest):
            raise InputError(f"the matrix of {spec.code.name} is not the one that the settings are about")
        binary = isinstance(link, BinaryLink)
        if binary != (spec.snr.kind == "p"):
            raise InputError(
                f"channel {link.channel.name} is swept by {'--p' if binary else '--ebno or --esno'}"
            )
        names = spec.modulation if isinstance(link, BinaryLink) else link.modulation.name, link.channel.name
        resolved = spec.resolved(link.code.n, *names, k=link.code.k, digest=digest)
        return cls(resolved, link_of(resolved))

    @property
    def name(self) -> str:
        """Parts and engine, for people."""
        return f"{self.link.name}, engine {self.spec.engine}"

    @property
    def k(self) -> int:
        """Information bits a block."""
        return self.link.k

    @property
    def channel_uses(self) -> int:
        """Complex channel uses a block."""
        return self.link.channel_uses

    def describe(self) -> dict[str, Any]:
        """What all points of its curve share, apart from the seed."""
        return {name: value for name, value in self.spec.condition().items() if name != "seed"}

    def __call__(self, bits: torch.Tensor, snr: Any, streams: Sequence[Stream]) -> Decided:
        """Send one block a row, decoded by the spec's engine; see `phy.links.digital.DigitalLink`."""
        return link_of(self.spec, self.spec.engine)(bits, snr, streams)

    def chain(self, label: str | None = None) -> Chain:
        """Its curve as the settings want it, with a label that is the code's unless given."""
        spec = self.spec
        plan = Plan(spec.snr, spec.stop, spec.seed, spec.target_bler, spec.confidence)
        chunk = partial(Chunk, spec, spec.seed, spec.channel)
        return Chain(self, plan, chunk, label or spec.code.label, self.link.filler_bits)


@dataclass(frozen=True)
class Plan:
    """How links are swept.

    Attributes
    ----------
    snr:
        Points, or the ends of the interval to search for targets.
    stop:
        When a point has been simulated enough.
    seed:
        Root of every random draw.
    target_bler:
        Block error rates whose SNR is searched.
    confidence:
        Of the intervals.
    """

    snr: SnrSpec
    stop: StopSpec
    seed: int
    target_bler: tuple[float, ...] = ()
    confidence: float = 0.95


@dataclass
class Chain:
    """One curve under way.

    Attributes
    ----------
    link:
        What is swept.
    plan:
        Where, and how far.
    chunk:
        Makes the work of ``(level, first, blocks, batch_size)``.
    label:
        What it is called among others.
    filler_bits:
        Bits a row that fill its last symbol.
    source:
        Digest of the code of the user's own that is at work in the link; None if there is none.
    ended:
        Whether the points behind the current one are left out.
    """

    link: Sweepable
    plan: Plan
    chunk: Callable[[Level, int, int, int], Chunk]
    label: str
    filler_bits: int = 0
    source: str | None = None
    ended: bool = False

    @classmethod
    def of(cls, link: Sweepable, plan: Plan) -> Chain:
        """Curve of an object that is a link."""
        chunk = partial(Chunk, link, plan.seed, str(link.describe().get("channel", "")))
        return cls(link, plan, chunk, link.name, getattr(link, "filler_bits", 0), source_of(link))

    @property
    def bits_per_use(self) -> float:
        """Information bits a channel use: what turns Es/N0 into Eb/N0."""
        return self.link.k / self.link.channel_uses

    @property
    def batch_size(self) -> int:
        """Blocks computed at once unless told otherwise."""
        return max(1, min(256, 2**17 // max(self.link.k, self.link.channel_uses)))

    @property
    def levels(self) -> list[Level]:
        """Es/N0, or probabilities, of the plan's values."""
        return levels(self.plan.snr, self.bits_per_use)

    def to_ebno(self, esno_db: float) -> float:
        """Eb/N0 of an Es/N0."""
        return EsN0(esno_db).to_ebn0(self.bits_per_use).db

    def condition(self) -> dict[str, Any]:
        """What all points of the curve share."""
        own = {} if self.source is None else {"source": self.source}
        return {"counting": RULES_VERSION, **self.link.describe(), **own, "seed": self.plan.seed}

    def describe(self, level: Level) -> tuple[str, dict[str, Any]]:
        """Id and description of a point at a `rounded` level."""
        name, text = key(level)
        condition = {**self.condition(), name: text}
        return condition_id(condition), {
            "condition": self._readable(condition),
            **columns(level, self.bits_per_use),
            "channel_uses": self.link.channel_uses,
            "filler_bits": self.filler_bits,
            **({} if isinstance(self.link, SpecifiedLink) else {"name": self.label}),
        }

    def _readable(self, condition: dict[str, Any]) -> dict[str, Any]:
        """A matrix by its file's name, which says more than the digest that identifies it."""
        if not isinstance(self.link, SpecifiedLink):
            return condition
        return {**condition, "code": {**condition["code"], "name": self.link.spec.code.label}}
