"""The curves of one run: which there are, what they share, and the settings that mean all of them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from benchmarks.links.chains import SpecifiedLink
from benchmarks.runs.conditions import condition_id, differences
from benchmarks.settings.ber import SWEPT, BerSpec
from benchmarks.settings.codes import CodeSpec
from benchmarks.settings.errors import InputError

__all__ = ["described_of", "distinct", "identity_of"]


def distinct(links: Sequence[SpecifiedLink]) -> list[SpecifiedLink]:
    """Links without those that come to the same: qam16 and 16qam are two spellings, but one curve."""
    return list({condition_id(link.describe()): link for link in reversed(links)}.values())[::-1]


def identity_of(specs: Sequence[BerSpec]) -> dict[str, Any]:
    """What a run directory holds, whatever the codes; several modulations or channels as a sorted list.

    Raises
    ------
    InputError
        If the specs differ in something else.
    """
    shared, *others = [
        {name: value for name, value in spec.identity().items() if name not in SWEPT} for spec in specs
    ]
    for other in others:
        for difference in differences(shared, other):
            raise InputError(
                f"curves of one run share all settings but code, modulation and channel, got {difference}"
            )
    swept = {name: sorted({getattr(spec, name) for spec in specs}) for name in SWEPT}
    return shared | {name: values if len(values) > 1 else values[0] for name, values in swept.items()}


def described_of(specs: Sequence[BerSpec]) -> dict[str, Any]:
    """Settings that mean all curves of a run, as ``--config`` reads them again.

    Raises
    ------
    InputError
        If the specs are not all combinations of their codes, modulations and channels.
    """
    described = specs[0].model_dump(mode="json")
    axes = {name: list(dict.fromkeys(getattr(spec, name) for spec in specs)) for name in SWEPT}
    codes: dict[CodeSpec, CodeSpec] = {}
    for spec in specs:  # Sionna never stops early: that is its engine's, not what the code was told
        stopping = spec.code.decoder.model_copy(update={"early_stop": True})
        same = spec.code.model_copy(update={"decoder": stopping})
        codes[same] = codes.get(same, spec.code) if not spec.code.decoder.early_stop else spec.code
    if len(specs) != math.prod(map(len, axes.values())) * len(codes):
        raise InputError(
            "curves of one run are all combinations of their codes, modulations and channels, "
            f"got {len(specs)} of {len(codes)} codes with {axes}; give the others a run of their own"
        )
    if len(codes) > 1:
        described["code"] = [code.model_dump(mode="json") for code in codes.values()]
    else:
        (code,) = codes.values()
        described["code"] = code.model_dump(mode="json")
    described |= {name: values for name, values in axes.items() if len(values) > 1}
    if len({spec.engine for spec in specs}) > 1:
        described["engine"] = "auto"
    return described
