"""How a code is decoded: one set of choices, the same for every code and every engine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from phy.coding.fixed_point import FixedPoint

__all__ = ["ALGORITHMS", "ENGINES", "HARD", "LARGEST_CLIP", "MIN_SUM", "SCHEDULES", "Decoding"]

MIN_SUM = ("minsum", "offset-minsum", "normalized-minsum")
ALGORITHMS = ("sum-product", *MIN_SUM)
"""Rules of belief propagation, by which LDPC codes are decoded."""

HARD = ("gallager-b", "bit-flipping")
"""Rules of hard decisions, by which LDPC codes are decoded, too, on the compiled engine."""

SCHEDULES = ("flooding", "layered")
ENGINES = ("compiled", "sionna", "torch")
_LONGEST_LIST = 32
LARGEST_CLIP = 80.0  # exp(-clip) must be a normal float32


@dataclass(frozen=True)
class Decoding:
    """How a decoder runs.

    In belief propagation a check sends to each of its variables v, from the messages x of the others::

        sum-product        2 atanh prod tanh(x / 2)
        minsum             prod sign(x) * min |x|
        offset-minsum      prod sign(x) * max(min |x| - offset, 0)
        normalized-minsum  prod sign(x) * factor * min |x|

    and a variable sends back the sum of the channel's LLR and what its other checks have sent. ``flooding``
    updates all checks, then all variables; ``layered`` lets each check see what the checks before it have
    found in the same iteration, which converges in about half the iterations.

    The decoders of hard decisions write +1 for 0 and -1 for 1, r_v for the sign of the channel's LLR, and
    y_v for that LLR over its mean magnitude::

        gallager-b    A check sends m_cv = prod of the other m_vc; a variable sends m_vc = sgn(r_v + sum of
                      the other m_cv), r_v in a tie and at first: it contradicts its r_v where more than half
                      of its checks do. Decided is sgn(r_v + sum of all m_cv).
        bit-flipping  Gradient descent on f = sum over v of x_v y_v + sum over checks of prod x. Flip all v
                      with x_v y_v + sum over its checks of prod x < -1/2; from the first iteration on in
                      which f has not grown, or where there is none, only the v where that is least.
                      It guesses bits that were not sent: for codes without puncturing, which 5G LDPC is not.

    (R. Gallager, Low-Density Parity-Check Codes, 1963, with the threshold floor(d / 2) + 1 at d checks; where
    there is no r_v and no majority a variable sends 0, as in algorithm E of T. Richardson and R. Urbanke,
    IEEE Trans. Inf. Theory 47(2), 2001. T. Wadayama et al., IEEE Trans. Commun. 58(6), 2010.) Both update all
    variables at once: they have no schedule.

    Parameters
    ----------
    algorithm:
        One of `ALGORITHMS` or `HARD` for LDPC codes; other codes have decoders of their own
        (`phy.coding.catalog`).
    schedule:
        ``flooding`` or ``layered``.
    iterations:
        Most iterations of a block.
    early_stop:
        Whether a block ends when all its parity checks hold. Sionna's decoders run all iterations.
    factor:
        Of normalised min-sum, above 0 and at most 1; in fixed point on a grid of 1/64.
    offset:
        Of offset-min-sum, as an LLR; in fixed point on the grid of the LLRs.
    fixed_point:
        Q format of LLRs and messages; None for ``float32``. Min-sum on the compiled engine only.
    clip:
        Largest magnitude of a floating-point channel LLR and message, at most 80.
    threads:
        Workers of the compiled engine; None for as many as PyTorch has.
    list_size:
        Paths of a list decoder, 1 to 32.
    engine:
        Who decodes: ``compiled`` (this package, CPU), ``sionna``, or ``torch`` (PyTorch operations, any
        device). They find the same as far as their arithmetic agrees.

    Raises
    ------
    ValueError
        If a number is outside its range, there is no such schedule, or the parts do not go together.

    Examples
    --------
    >>> Decoding("offset-minsum", iterations=10).schedule
    'layered'
    """

    algorithm: str = "sum-product"
    schedule: str = "layered"
    iterations: int = 20
    early_stop: bool = True
    factor: float = 0.75
    offset: float = 0.5
    fixed_point: FixedPoint | None = None
    clip: float = 20.0
    threads: int | None = None
    engine: str = "compiled"
    list_size: int = 8

    def __post_init__(self) -> None:
        if self.schedule not in SCHEDULES:
            raise ValueError(f"schedule must be one of {', '.join(SCHEDULES)}, got {self.schedule!r}")
        if self.iterations < 1:
            raise ValueError(f"iterations must be at least 1, got {self.iterations}")
        if not 0 < self.factor <= 1:
            raise ValueError(f"the factor of min-sum must be above 0 and at most 1, got {self.factor}")
        if not 0 < self.clip <= LARGEST_CLIP:
            raise ValueError(f"clip must be above 0 and at most {LARGEST_CLIP}, got {self.clip}")
        if not 0 <= self.offset < self.clip:
            raise ValueError(f"the offset of min-sum must be from 0 to below {self.clip}, got {self.offset}")
        if self.threads is not None and self.threads < 1:
            raise ValueError(f"threads must be at least 1, or None for PyTorch's, got {self.threads}")
        if not 1 <= self.list_size <= _LONGEST_LIST:
            raise ValueError(f"list size must be from 1 to {_LONGEST_LIST}, got {self.list_size}")
        if self.fixed_point is not None and self.algorithm in ("sum-product", *HARD):
            raise ValueError(
                f"llr_bits={self.fixed_point.bits} needs a min-sum decoder, {', '.join(MIN_SUM)}: "
                f"{self.algorithm} has no fixed-point form"
            )

    def describe(self) -> dict[str, Any]:
        """All that decisions depend on, so not the number of threads, as JSON can hold it."""
        unheard = {"threads"} if self.algorithm == "scl" else {"threads", "list_size"}
        if self.algorithm in HARD:
            unheard |= {"schedule", "factor", "offset", "clip"}
        return {name: value for name, value in asdict(self).items() if name not in unheard}

    def among(self, what: str, algorithms: Sequence[str], engines: Sequence[str] = ENGINES) -> Decoding:
        """Return this decoding if ``what`` is decoded by such an algorithm on such an engine.

        Raises
        ------
        ValueError
            If it is not; the message says what works.
        """
        if self.algorithm not in algorithms:
            raise ValueError(f"the decoder of {what} is {_either(algorithms)}, got {self.algorithm!r}")
        if self.engine not in engines:
            raise ValueError(f"the engine of {what} is {_either(engines)}, got {self.engine!r}")
        return self


def _either(choices: Sequence[str]) -> str:
    return " or ".join(filter(None, [", ".join(choices[:-1]), choices[-1]]))
