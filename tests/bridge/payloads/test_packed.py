"""Bits of a payload by importance, and headers in three copies, by hand."""

from __future__ import annotations

import pytest
import torch

from bridge.air.schemes import header_repeats
from bridge.payloads.packed import Packed, protect, vote


def test_the_header_goes_with_the_first_plane_and_what_is_left_with_the_last() -> None:
    """6 bits of header, 4 planes of 5, 2 of filler, numbered in the order of sending."""
    packed = Packed(torch.arange(28), source_bits=20, header_bits=6, filler_bits=2, planes=4)
    assert [part.tolist() for part in packed.sections(1)] == [list(range(28))]
    assert [part.tolist() for part in packed.sections(2)] == [list(range(11)), list(range(11, 28))]
    assert [len(part) for part in packed.sections(4)] == [11, 5, 5, 7]
    with pytest.raises(ValueError, match="5 schemes for a payload of 4 bit planes"):
        packed.sections(5)


@pytest.mark.parametrize("copy", [0, 1, 2])
def test_two_copies_of_a_header_outvote_the_third(copy: int) -> None:
    header = torch.tensor([1, 0, 1, 1, 0, 1, 0], dtype=torch.uint8)  # 5 and 10, in 3 and 4 bits
    rest = torch.tensor([1, 1, 0], dtype=torch.uint8)
    bits = torch.cat([protect(header, 3), rest])
    assert len(bits) == 3 * 7 + 3
    bits[7 * copy : 7 * copy + 7] ^= 1
    fields, behind = vote(bits, (3, 4), 3)
    assert (fields, behind.tolist()) == ([5, 10], [1, 1, 0])


def test_copies_stand_where_no_code_protects_them() -> None:
    """One wrong bit of a length loses the whole text: only where nothing else mends it, a vote does."""
    assert (header_repeats("none"), header_repeats("ldpc5g"), header_repeats("polar5g")) == (3, 1, 1)
