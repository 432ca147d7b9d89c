"""CRC of TS 38.212, clause 5.1, against reference words, another implementation and long division."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import py3gpp
import pytest
import torch

from phy.coding.crc import CRC
from phy.random import Stream, bits

NAMES = ("24A", "24B", "24C", "16", "11", "6")


@pytest.mark.parametrize("name", NAMES)
def test_parity_of_the_reference_words(data_dir: Path, name: str) -> None:
    folder = data_dir / "reference/ldpc/sionna_crc"
    word = torch.from_numpy(np.load(folder / f"crc_u_CRC{name}.npy")).to(torch.uint8)
    expected = np.load(folder / f"crc_x_ref_np_CRC{name}.npy")
    np.testing.assert_array_equal(CRC(name).parity(word)[0].numpy(), expected)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("count", [1, 7, 64, 1000])
def test_attach_equals_shift_register(name: str, count: int) -> None:
    words = bits(Stream(1, name).batch(range(3)), count)
    attached = CRC(name).attach(words)
    for word, result in zip(words, attached, strict=True):
        expected = py3gpp.nrCRCEncode(word.numpy().astype(int), name)[:, 0]
        np.testing.assert_array_equal(result.numpy(), expected)


@pytest.mark.parametrize("name", NAMES)
def test_every_single_and_burst_error_is_found(name: str) -> None:
    crc = CRC(name)
    word = crc.attach(bits([Stream(2)], 40))
    length = word.shape[1]
    single = word ^ torch.eye(length, dtype=torch.uint8)
    assert crc.check(word)[1].all()
    assert not crc.check(single)[1].any()
    for burst in range(2, crc.length + 1):  # a CRC finds every burst no longer than itself
        pattern = torch.zeros(length - burst + 1, length, dtype=torch.uint8)
        rows = torch.arange(length - burst + 1)
        pattern[rows, rows] = 1
        pattern[rows, rows + burst - 1] = 1
        assert not crc.check(word ^ pattern)[1].any()


def test_undetected_errors_are_as_rare_as_they_should_be() -> None:
    words = bits(Stream(3).batch(range(6400)), 46)
    found = int(CRC("6").check(words)[1].sum())
    assert abs(found - 100) < 33  # 6400 / 2^6, 3.3 standard deviations


def test_check_returns_the_payload() -> None:
    crc = CRC("24B")
    words = bits(Stream(4).batch(range(6)), 50).reshape(2, 3, 50)
    payload, ok = crc.check(crc.attach(words))
    assert torch.equal(payload, words)
    assert ok.shape == (2, 3)
    assert ok.all()


def test_errors_say_what_is_wrong() -> None:
    with pytest.raises(ValueError, match="24A, 24B, 24C, 16, 11, 6, got 'CRC8'"):
        CRC("CRC8")
    with pytest.raises(ValueError, match="at least 16 bits, got 3"):
        CRC("16").check(torch.zeros(1, 3, dtype=torch.uint8))
