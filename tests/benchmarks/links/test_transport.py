"""``semphy ber`` of transport blocks, MCS indices and outer interleavers."""

from __future__ import annotations

from typing import Any

import pytest

from benchmarks.links.ber import run_ber
from benchmarks.links.chains import SpecifiedLink
from benchmarks.settings.ber import BerSpec
from benchmarks.settings.errors import InputError
from benchmarks.settings.reading import read_settings
from phy.coding.transport.block import TransportBlock, TransportFormat
from phy.random import Stream, bits


def spec(**settings: Any) -> BerSpec:
    flags = {"snr": {"kind": "esno", "values_db": "3"}, **settings}
    return read_settings(BerSpec, flags={name.replace("__", "."): value for name, value in flags.items()})


def test_an_index_is_modulation_lengths_and_a_transport_block() -> None:
    """MCS 10 on 20 blocks of 14 symbols with 12 pilots: N = 3,120 * 4 * 340 / 1024 = 4,143.75."""
    found = spec(mcs="38.214:table1:10", resources__prb=20)
    assert (found.modulation, found.code.k, found.code.n, found.transport) == ("qam16", 4096, 12480, True)
    link = SpecifiedLink.of(found).link
    assert isinstance(link.code, TransportBlock)
    assert (link.code.format.blocks, link.code.format.base_graph, link.channel_uses) == (1, 1, 3120)
    again = BerSpec.model_validate(found.model_dump(mode="json"))  # as spec.yaml holds it
    assert again == found


def test_the_base_graph_is_that_of_the_target_rate() -> None:
    """MCS 0 of table 3: 30/1024, so base graph 2 and its blocks of 3,840, at any size."""
    link = SpecifiedLink.of(spec(mcs="38.214:table3:2", resources__prb=273)).link
    assert link.code.format.base_graph == 2 and link.code.format.blocks > 1
    plain = spec(transport=True, code__k=9000, code__n=18000, modulation="qpsk")
    assert SpecifiedLink.of(plain).link.code.format.blocks == 2


@pytest.mark.slow
def test_counts_are_those_of_the_transport_block() -> None:
    """The same streams through the objects themselves; a block of two code blocks."""
    settings = {"code__k": 9000, "code__n": 18000, "modulation": "qpsk", "transport": True}
    found = run_ber(spec(**settings, snr={"kind": "esno", "values_db": "0.9"}, stop__max_blocks=64)).points[0]
    link = SpecifiedLink.of(spec(**settings)).link
    assert link.code.format == TransportFormat.fixed(9000, 9000, 2, 0.5)
    streams = Stream(1, "awgn", "esno=0.900000").batch(range(64))
    sent = bits([stream.child("bits") for stream in streams], 9000)
    from phy.units import EsN0

    wrong = (link(sent, EsN0(0.9), streams).bits != sent).sum(dim=1)
    assert (found.block_errors, found.bit_errors) == (int((wrong > 0).sum()), int(wrong.sum()))
    assert 0 < found.block_errors < 64 and found.engine == "compiled"


def test_conditions_say_what_is_around_the_code() -> None:
    plain = spec().condition()
    assert not {"transport", "mcs", "resources", "interleaver"} & plain.keys()
    assert spec(interleaver="random").condition()["interleaver"] == "random:0"
    assert spec(transport=True).condition()["transport"] == {"mcs": None}
    index = spec(mcs="38.214:table1:0").condition()
    assert index["transport"] == {"mcs": "38.214:table1:0"}


@pytest.mark.slow
def test_both_engines_interleave_alike() -> None:
    settings = {"code__k": 64, "interleaver": "block:8", "channel": "rayleigh", "stop__max_blocks": 128}
    settings["snr"] = {"kind": "esno", "values_db": "0"}
    counts = [
        run_ber(spec(**settings, engine=engine, code__decoder__early_stop=False)).points[0].block_errors
        for engine in ("compiled", "sionna")
    ]
    assert counts[0] == pytest.approx(counts[1], abs=2) and counts[0] > 5  # decoders of other arithmetic
    other = run_ber(spec(**{**settings, "interleaver": "random"})).points[0]
    assert other.condition["interleaver"] == "random:0"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"mcs": "38.214:table9:1"}, "an MCS is 38.214:table1:0 to 28, .* got '38.214:table9:1'"),
        ({"mcs": "38.214:table1:1", "code__k": 100}, "has k=.*, got k=100; leave it out"),
        ({"mcs": "38.214:table1:1", "modulation": "qam64"}, "has modulation=qpsk, got modulation=qam64"),
        ({"mcs": "38.214:table1:1", "resources__prb": 300}, "1 to 275 resource blocks .* got 300 and 14"),
        ({"mcs": "38.214:table1:1", "resources__prb": 0}, "resources.prb: .* greater than 0, got 0"),
        ({"resources__prb": 10}, "belong to --mcs"),
        ({"interleaver": "helical:3"}, "random, random:SEED or block:COLUMNS, got 'helical:3'"),
        ({"interleaver": "random", "harq": "ir:2"}, "without --interleaver"),
        ({"transport": True, "turns": 2}, "without --transport"),
    ],
)
def test_what_does_not_go_together_is_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        spec(**settings)


def test_transport_blocks_fill_whole_symbols() -> None:
    with pytest.raises(InputError, match="whole symbols, 4 each, got k=50 and n=102"):
        SpecifiedLink.of(spec(transport=True, code__k=50, code__n=102, modulation="qam16"))
