"""Settings of links by the short names that the command line and Python share: ``k`` is ``code.k``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from benchmarks.settings.errors import InputError

__all__ = ["dotted"]

_PLACES = {
    "code": "code.name",
    "k": "code.k",
    "n": "code.n",
    "decoder": "code.decoder.algorithm",
    "schedule": "code.decoder.schedule",
    "iterations": "code.decoder.iterations",
    "early_stop": "code.decoder.early_stop",
    "llr_bits": "code.decoder.llr_bits",
    "block_errors": "stop.block_errors",
    "max_blocks": "stop.max_blocks",
    "seconds": "stop.seconds",
    "stop_bler": "stop.below_bler",
}


def dotted(keywords: Mapping[str, Any], without: str = "") -> dict[str, Any]:
    """Put settings of ``ber`` and ``mcs`` where they belong.

    Parameters
    ----------
    keywords:
        Options by name; ``ebno`` or ``esno`` is the SNR in decibels, ``p`` a probability, and ``code`` may be
        a whole group of settings instead of a name. What has no short name stays as it is.
    without:
        What full names lack at their front: ``code.`` where there is a decoder, but no code to choose.

    Raises
    ------
    InputError
        If more than one of them is given.

    Examples
    --------
    >>> dotted({"k": 512, "ebno": "0:3:1", "seed": 7})
    {'code.k': 512, 'seed': 7, 'snr': {'kind': 'ebno', 'values_db': '0:3:1'}}
    """
    given = dict(keywords)
    asked = {kind: given.pop(kind, None) for kind in ("ebno", "esno", "p")}
    kinds = [kind for kind, values in asked.items() if values is not None]
    if len(kinds) > 1:
        raise InputError(
            f"give one of --ebno, --esno and --p, got {' and '.join(f'--{kind}' for kind in kinds)}"
        )
    for kind in kinds:
        given["snr"] = {"kind": kind, "values_db": asked[kind]}
    return {
        name if isinstance(value, Mapping) else _PLACES.get(name, name).removeprefix(without): value
        for name, value in given.items()
    }
