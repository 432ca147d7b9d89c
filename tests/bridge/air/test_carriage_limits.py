"""Carriages: what does not fit, and what their names say."""

from __future__ import annotations

import pytest
from tiny.carriages import (
    PACKED,
)

from bridge.air.analog import HEADER_SCHEME, Analog
from bridge.air.carriage import Digital, Fill, Multiplex
from bridge.air.names import parse_carriage
from bridge.air.schemes import Scheme, parse_schemes
from phy.channels.flat import AWGN

# -- what does not fit --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("what", "way", "uses", "words"),
    [
        ("text", "analog", None, "digital carriage"),
        ("values", "digital:x:1/2-qpsk", None, "analog carriage"),
        ("text", "digital:x:1/3-qpsk|1/2-qpsk", None, "1 bit plane"),
        ("vector", "digital:x:1/3-qpsk|1/2-qpsk|1/2-qpsk|1/2-qpsk|1/2-qpsk", None, "5 schemes"),
        ("vector", "digital:x:qpsk", None, "number of channel uses"),
        ("vector", "digital:x:qpsk", 600, "at least 662 channel uses"),
        ("vector", "digital:x:qpsk", 0, "the 0 given"),
        ("vector", "digital:x:1/2-qpsk", 1255, "1256 channel uses"),
        ("values", "analog", 290, "290"),
        ("values", "analog:repeat=fill", None, "number of channel uses"),
        ("values", "analog:repeat=fill", 290, "290"),
    ],
)
def test_what_does_not_fit_is_named(what: str, way: str, uses: int | None, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        parse_carriage(way, AWGN())[1].parts("it", PACKED[what](), uses)


@pytest.mark.parametrize("modulation", ["bpsk", "qpsk", "qam64"])
@pytest.mark.parametrize("what", ["text", "vector", "floats", "file"])
def test_the_fewest_channel_uses_named_do(what: str, modulation: str) -> None:
    """A payload that fills its channel uses takes one symbol less only with an error, whatever its size."""
    packed, carriage = PACKED[what](), Digital(AWGN(), Fill(modulation))
    with pytest.raises(ValueError, match="at least") as caught:
        carriage.parts("it", packed, 1)
    least = int(str(caught.value).split("at least ")[1].split()[0])
    assert carriage.parts("it", packed, least)[0].entries[0].channel_uses == least
    with pytest.raises(ValueError, match="at least"):
        carriage.parts("it", packed, least - 1)


def test_blocks_take_one_scheme_and_bits() -> None:
    with pytest.raises(ValueError, match="one scheme"):
        Multiplex(Digital(AWGN(), parse_schemes("1/2-qpsk,1/2-qam16"))).parts([("text", PACKED["text"]())])
    with pytest.raises(ValueError, match="payloads of bits"):
        Multiplex(Digital(AWGN(), parse_schemes("1/2-qpsk"))).parts([("values", PACKED["values"]())])


def test_impossible_carriages_are_refused() -> None:
    with pytest.raises(ValueError, match="at least one scheme"):
        Digital(AWGN(), ())
    with pytest.raises(ValueError, match="got 0"):
        Analog(AWGN(), 0)


@pytest.mark.parametrize(
    ("text", "name", "form"),
    [
        ("digital:lloyd-max:4:1/2-qam16", "1/2-qam16", "lloyd-max:4"),
        ("digital:uniform:4,dither:1/3-qpsk|1/2-qam16", "1/3-qpsk|1/2-qam16", "uniform:4,dither"),
        ("digital:fp16:qam64", "qam64", "fp16"),
        ("digital:latin-1|huffman:1-qpsk", "1-qpsk", "latin-1|huffman"),
        ("analog", "analog", ""),
        ("analog:repeat=2+mmse", "analog:repeat=2+mmse", ""),
        ("analog:repeat=fill", "analog:repeat=fill", ""),
        ("analog:repeat=fill+zf", "analog:repeat=fill+zf", ""),
    ],
)
def test_carriages_are_read_from_their_names(text: str, name: str, form: str) -> None:
    read, carriage = parse_carriage(text, AWGN())
    assert (read, carriage.name) == (form, name)


def test_the_whole_rate_is_no_code() -> None:
    carriage = parse_carriage("digital:fp16:1-qpsk|1/2-qpsk", AWGN())[1]
    assert isinstance(carriage, Digital) and isinstance(carriage.schemes, tuple)
    assert [scheme.code for scheme in carriage.schemes] == ["none", "ldpc5g"]
    assert isinstance(HEADER_SCHEME, Scheme)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("carrier-pigeon", "carrier-pigeon"),
        ("digital", "digital:FORM:SCHEMES"),
        ("digital:1/2-qpsk", "digital:FORM:SCHEMES"),
        ("digital:fp16:", "digital:FORM:SCHEMES"),
        ("digital:fp16:qam5", "qam5"),
        ("digital:fp16:9/8-qpsk", "9/8"),
        ("analog:loud", "'loud'"),
        ("analog:repeat=0", "got 0"),
        ("analog:repeat=-1", "repeat=-1"),
        ("analog:mmse=2", "mmse=2"),
        ("analog:mmse+zf", "got 'zf'"),
        ("analog:repeat=2+repeat=3", "got 'repeat=3'"),
    ],
)
def test_what_is_no_carriage_is_named(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        parse_carriage(text, AWGN())
