"""Link-level simulator for semantic communication: all that its users need, under one name.

::

    import semphy

    run = semphy.compare(systems="bpg-ldpc,deep-jscc", snr="0:12:3", cbr="1/24", out="runs/first")
    print(run.to_text())

A name is loaded from its room when it is first asked for, so that importing this package costs nothing.
"""

import benchmarks
import bridge
import phy
import semantic

_ROOMS = {name: room for room in (phy, semantic, bridge, benchmarks) for name in room.__all__}

__all__ = sorted(_ROOMS)


def __getattr__(name: str) -> object:
    if name not in _ROOMS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(_ROOMS[name], name)


def __dir__() -> list[str]:
    return __all__
