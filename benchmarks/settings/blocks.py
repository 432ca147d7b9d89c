"""Settings of what is around a channel code: transport block and outer interleaver."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field, ValidationError

from benchmarks.settings.codes import Count, Settings

__all__ = ["ResourceSpec", "interleaver_name", "scheduled"]


class ResourceSpec(Settings):
    """Resources of a transport block (`phy.coding.transport.mcs.Resources`).

    Attributes
    ----------
    prb, symbols, dmrs, overhead:
        Resource blocks, OFDM symbols, and of each resource block the elements that pilots take, and others.
    """

    prb: Count = 50
    symbols: Count = 14
    dmrs: Annotated[int, Field(ge=0)] = 12
    overhead: Annotated[int, Field(ge=0)] = 0


def scheduled(data: Mapping[str, Any]) -> dict[str, Any]:
    """Put an MCS index and its resources into settings: code lengths, modulation, transport block.

    Raises
    ------
    ValueError
        If the index or the resources do not exist, or lengths or modulation say something else.
    """
    from phy.coding.transport.mcs import Resources, mcs_entry, transport_block_size

    entry = mcs_entry(str(data["mcs"]))
    try:
        given = ResourceSpec.model_validate(data.get("resources") or {})
    except ValidationError:
        return dict(data)  # what is wrong with them is said where they are checked
    resources = Resources(**given.model_dump())
    k = transport_block_size(resources.counted, entry.bits_per_symbol, entry.rate)
    code = dict(data.get("code") or {})
    found = {"k": k, "n": resources.channel_uses * entry.bits_per_symbol}
    for name, value, said in (
        *((name, value, code.get(name)) for name, value in found.items()),
        ("modulation", entry.modulation, data.get("modulation")),
    ):
        if said not in (None, value):
            raise ValueError(
                f"{entry.name} on these resources has {name}={value}, got {name}={said}; leave it out"
            )
    return {**data, "code": {**code, **found}, "modulation": entry.modulation, "transport": True}


def interleaver_name(text: str) -> str:
    """Name of an outer interleaver in one spelling.

    Raises
    ------
    ValueError
        If there is none of this name.
    """
    from phy.coding.interleaving import Interleaver  # needs PyTorch, which other settings do not

    return Interleaver.parse(text).name
