"""Sources that nobody can write into, and what a system may return."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from bridge.air.transmission import Reception, Transmission
from bridge.systems.ends import decode_by, encode_by, unsent
from bridge.systems.system import Reconstruction, Source
from phy.units import EsN0

PICTURE = np.arange(4 * 6 * 3, dtype=np.uint8).reshape(4, 6, 3)
VECTOR = np.linspace(-1, 1, 5, dtype=np.float32)
SNR = EsN0(3.0)


class Own:
    """A system of somebody's own, with the two ends that a test gives it."""

    name = family = "my-jscc"
    adapts, policy = False, "best-effort"

    def __init__(
        self,
        modality: str,
        delivers: tuple[str, ...],
        made: Any = None,
        sends: Callable[..., Any] | None = None,
    ) -> None:
        self.modality, self.delivers, self.made, self.sends = modality, delivers, made, sends

    def check(self, channel_uses: int) -> None:
        """Accept any number."""

    def encode(self, source: Source, channel_uses: int | None, snr: EsN0) -> Any:
        return Transmission(()) if self.sends is None else self.sends(source)

    def decode(self, reception: Reception) -> Any:
        return self.made


def test_a_source_owns_what_it_holds_and_nobody_writes_into_it() -> None:
    picture, vector = PICTURE.copy(), VECTOR.copy()
    source = Source("mine", picture, embedding=vector)
    before = source.digest
    picture[:], vector[:] = 0, 0
    assert source.digest == before
    assert np.array_equal(source.picture, PICTURE) and np.array_equal(source.embedding, VECTOR)
    for array in (source.image, source.embedding):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0
    assert source.size == (4, 6)
    for ask in (lambda: Source("words", text="x").picture, lambda: Source("words", text="x").size):
        with pytest.raises(ValueError, match="source 'words' has no picture"):
            ask()


@pytest.mark.filterwarnings("ignore:The given NumPy array is not writable")
def test_a_system_that_writes_past_the_flag_writes_into_a_copy() -> None:
    """PyTorch does not heed NumPy's flag, and a flag can be taken back: the source stays all the same."""

    def through_torch(source: Source) -> Transmission:
        torch.from_numpy(source.picture).zero_()
        return Transmission(())

    def flag_taken_back(source: Source) -> Transmission:
        source.picture.flags.writeable = True
        source.picture[:] = 0
        return Transmission(())

    for sends in (through_torch, flag_taken_back):
        source = Source("mine", PICTURE, embedding=VECTOR)
        encode_by(Own("image", ("image",), sends=sends), source, None, SNR)
        assert np.array_equal(source.picture, PICTURE)


def test_what_was_worked_out_is_shared_by_the_copies() -> None:
    def remembers(source: Source) -> Transmission:
        source.memory["answer"] = {"values": VECTOR}
        return Transmission(())

    source = Source("mine", PICTURE)
    encode_by(Own("image", ("image",), sends=remembers), source, None, SNR)
    assert source.memory["answer"]["values"] is VECTOR


GOOD = [
    ("image", ("image",), Reconstruction(PICTURE)),
    ("image", ("image", "text"), Reconstruction(PICTURE, "a gradient", samples={"received": ""})),
    (
        "embedding",
        ("embedding",),
        Reconstruction(embedding=2 * VECTOR, failed=True, remark="check sum wrong"),
    ),
    ("text", ("text",), Reconstruction(text="")),
    ("text", ("image",), Reconstruction(np.zeros((8, 8, 3), np.uint8))),  # of a size of its own
]


@pytest.mark.parametrize(("modality", "delivers", "made"), GOOD)
def test_what_a_system_delivers_is_handed_on(modality: str, delivers: tuple[str, ...], made: Any) -> None:
    source = Source("mine", PICTURE, "words", VECTOR)
    assert decode_by(Own(modality, delivers, made), source, Reception({})) is made


NAN = np.array([0, np.nan, 1, np.inf, 2], np.float32)
WRONG = [
    ("image", PICTURE / 255, r"a picture \[4, 6, 3\] of float64, expected \[4, 6, 3\] of uint8"),
    ("image", PICTURE[:2], r"a picture \[2, 6, 3\] of uint8, expected \[4, 6, 3\] of uint8"),
    ("image", PICTURE[..., 0], r"a picture \[4, 6\] of uint8, expected \[4, 6, 3\]"),
    ("image", PICTURE.tolist(), r"a picture of type list, expected \[4, 6, 3\] of uint8"),
    ("image", torch.tensor(PICTURE), r"a picture of type Tensor, expected \[4, 6, 3\] of uint8"),
    ("image", None, "no image, which it says it delivers"),
    ("embedding", VECTOR[:-1], r"a vector \[4\] of float32, expected \[5\] of float32"),
    ("embedding", VECTOR.astype(float), r"a vector \[5\] of float64, expected \[5\] of float32"),
    ("embedding", torch.tensor(VECTOR), r"a vector of type Tensor, expected \[5\] of float32"),
    ("embedding", NAN, "a vector of which 2 of 5 are not finite"),
    ("text", b"words", "a text that is of type bytes, expected text"),
    ("text", "a \ud800 b", "a text that is no Unicode, it has surrogates: 'a .ud800 b'"),
    ("text", None, "no text, which it says it delivers"),
]


@pytest.mark.parametrize(("kind", "value", "message"), WRONG)
def test_anything_else_is_named(kind: str, value: Any, message: str) -> None:
    source = Source("mine", PICTURE, "words", VECTOR)
    with pytest.raises(ValueError, match=f"^my-jscc returned {message}"):
        decode_by(Own(kind, (kind,), Reconstruction(**{kind: value})), source, Reception({}))


@pytest.mark.parametrize(
    ("made", "message"),
    [
        (PICTURE, "ndarray from decode, not a Reconstruction"),
        (None, "NoneType from decode, not a Reconstruction"),
        (Reconstruction(PICTURE, remark=None), "a remark that is of type NoneType, expected text"),  # type: ignore[arg-type]
        (Reconstruction(PICTURE, samples={"heard": "\udfff"}), "a heard that is no Unicode"),
    ],
)
def test_what_stands_beside_is_looked_at_too(made: Any, message: str) -> None:
    with pytest.raises(ValueError, match=f"^my-jscc returned {message}"):
        decode_by(Own("image", ("image",), made), Source("mine", PICTURE), Reception({}))


def test_an_encoder_returns_a_transmission() -> None:
    system = Own("image", ("image",), sends=lambda source: None)
    with pytest.raises(ValueError, match="^my-jscc returned NoneType from encode, not a Transm"):
        encode_by(system, Source("mine", PICTURE), 100, SNR)


def test_a_reception_says_what_was_agreed() -> None:
    assert Reception({}, (4, 6)).size == (4, 6)
    with pytest.raises(ValueError, match="without an agreed size"):
        Reception({}).size  # noqa: B018


def test_of_what_was_not_sent_nothing_arrives() -> None:
    """Zeros, an empty text, a flat picture: nothing of the source itself."""
    system = Own("embedding", ("embedding", "text"))
    made = unsent(system, Source("mine", embedding=VECTOR), "too long")
    assert made.embedding is not None and made.embedding.shape == VECTOR.shape
    assert not made.embedding.any() and VECTOR.any()
    assert (made.text, made.failed, made.remark) == ("", True, "not sent: too long")
    shown = unsent(Own("image", ("image",)), Source("mine", PICTURE), "too long").image
    assert shown is not None and shown.shape == PICTURE.shape
    assert (shown == shown[0, 0]).all()


def test_the_same_bytes_laid_out_otherwise_are_another_source() -> None:
    wide, high = PICTURE, PICTURE.reshape(6, 4, 3)
    assert Source("mine", wide).digest != Source("mine", high).digest
    assert Source("mine", wide).digest == Source("yours", wide.copy()).digest
    assert Source("", text="a").digest != Source("", text="b").digest
