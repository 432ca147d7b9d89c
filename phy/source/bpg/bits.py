"""Bit fields and Exp-Golomb codes, most significant bit first, as HEVC and BPG headers use them."""

from __future__ import annotations

from phy.source.pictures.codec import CodecError

__all__ = ["BitReader", "BitWriter"]


class BitReader:
    """Reads fields from the front of ``data``.

    Parameters
    ----------
    data:
        Bytes without emulation prevention (RBSP, H.265 clause 7.3.1.1).

    Examples
    --------
    >>> reader = BitReader(bytes([0b1010_0110]))
    >>> reader.u(2), reader.ue(), reader.ue()
    (2, 0, 5)
    """

    def __init__(self, data: bytes) -> None:
        self._bits = int.from_bytes(data, "big")
        self._left = 8 * len(data)

    @property
    def left(self) -> int:
        """Bits that have not been read yet."""
        return self._left

    def u(self, count: int) -> int:
        """Read an unsigned field of ``count`` bits.

        Raises
        ------
        CodecError
            If fewer bits are left.
        """
        if count > self._left:
            raise CodecError(f"header ends {count - self._left} bits too early")
        self._left -= count
        return (self._bits >> self._left) & ((1 << count) - 1)

    def ue(self) -> int:
        """Read an unsigned Exp-Golomb code (H.265 clause 9.2).

        Raises
        ------
        CodecError
            If the code is cut off or longer than HEVC allows (32 leading zeros).
        """
        zeros = 0
        while self.u(1) == 0:
            zeros += 1
            if zeros > 32:
                raise CodecError("an Exp-Golomb code in the header is longer than 32 bits")
        return (1 << zeros) - 1 + self.u(zeros)


class BitWriter:
    """Collects fields and gives them out as bytes.

    Examples
    --------
    >>> BitWriter().u(2, 2).ue(0).ue(5).data().hex()
    'a6'
    """

    def __init__(self) -> None:
        self._text: list[str] = []

    def u(self, count: int, value: int) -> BitWriter:
        """Append ``value`` as an unsigned field of ``count`` bits."""
        if not 0 <= value < 1 << count:
            raise ValueError(f"{value} does not fit into {count} unsigned bits")
        if count:
            self._text.append(f"{value:0{count}b}")
        return self

    def ue(self, value: int) -> BitWriter:
        """Append ``value`` >= 0 as an unsigned Exp-Golomb code."""
        size = (value + 1).bit_length()
        return self.u(2 * size - 1, value + 1)

    def data(self) -> bytes:
        """Return everything so far, filled with zero bits up to a whole byte."""
        text = "".join(self._text)
        text += "0" * (-len(text) % 8)
        return int(text or "0", 2).to_bytes(len(text) // 8, "big")
