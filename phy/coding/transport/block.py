"""Transport blocks after TS 38.212: check sums, segmentation, coding, rate matching, concatenation.

A bits -> + TB CRC -> cut into C segments -> + CB CRC each -> channel code K' -> E_r -> bit interleaver
       -> concatenation -> (scrambling) -> G bits
"""

from __future__ import annotations

from functools import partial
from itertools import groupby

from phy.coding.catalog import code_kind
from phy.coding.code import Decoded, check_bits, check_llr
from phy.coding.crc import CRC
from phy.coding.decoding import Decoding
from phy.coding.scrambling import scrambling_sequence
from phy.coding.transport.format import TransportFormat
from phy.lazily import torch

__all__ = ["TransportBlock", "TransportFormat"]


class TransportBlock:
    """A transport block as one code: ``k`` payload bits A, ``n`` coded bits G.

    Parameters
    ----------
    format:
        Sizes; made for the same ``code``.
    code:
        A name of `phy.coding.catalog.CODES`; ``"polar5g"`` brings a CRC11 of its own in every block.
    decoding:
        How blocks are decoded; None for the code's default.
    scrambling:
        (n_RNTI, n_ID) of TS 38.211, clause 7.3.1.1, codeword 0; None for none. Noise-like payloads need none.
    device:
        Where the code runs and its results lie.

    Raises
    ------
    ValueError
        If the code is unknown, is not decoded so, or cannot make blocks of this size.

    Examples
    --------
    >>> block = TransportBlock(TransportFormat.for_payload(100, 2, 0.5))
    >>> word = block.encode(torch.ones(1, 100, dtype=torch.uint8))
    >>> block.decode(8.0 * word - 4.0).crc_ok
    tensor([True])
    """

    def __init__(
        self,
        format: TransportFormat,
        code: str = "ldpc5g",
        decoding: Decoding | None = None,
        *,
        scrambling: tuple[int, int] | None = None,
        device: str = "cpu",
    ) -> None:
        self.format, self.device = format, device
        kind = code_kind(code)
        if code == "ldpc5g" and format.base_graph is None:
            raise ValueError(
                "this transport format has no base graph: it was made for another code than ldpc5g"
            )
        # Equal blocks are coded in one call; lengths come in at most two groups (clause 5.4.2.1).
        runs = [(len(list(run)), length) for length, run in groupby(format.block_lengths)]
        coder = partial(
            kind.build,
            format.block_bits,
            decoding=decoding,
            device=device,
            bits_per_symbol=format.bits_per_symbol,
            base_graph=format.base_graph,
        )
        self._groups = [(count, coder(length)) for count, length in runs]
        self._tb_crc = CRC("16" if format.tb_crc_bits == 16 else "24A")
        self._cb_crc = CRC("24B")
        self._scramble = (
            None if scrambling is None else scrambling_sequence(*scrambling, format.coded_bits).to(device)
        )

    @property
    def name(self) -> str:
        """``tb(A,G; C x inner code)``, the inner code being that of the first block."""
        return f"tb({self.k},{self.n}; {self.format.blocks} x {self._groups[0][1].name})"

    @property
    def k(self) -> int:
        """Payload bits A."""
        return self.format.payload_bits

    @property
    def n(self) -> int:
        """Coded bits G."""
        return self.format.coded_bits

    @property
    def bits_per_symbol(self) -> int:
        """Bits of a symbol, Q_m."""
        return self.format.bits_per_symbol

    def segment(self, bits: torch.Tensor) -> torch.Tensor:
        """Cut ``[batch, A]`` payload bits into ``[batch, C, K']`` information bits with CRCs (5.1, 5.2.2)."""
        bits = check_bits(bits, self.k).to(self.device)
        whole = torch.nn.functional.pad(self._tb_crc.attach(bits), (0, self.format.segment_filler))
        segments = whole.reshape(bits.shape[0], self.format.blocks, -1)
        return self._cb_crc.attach(segments) if self.format.cb_crc_bits else segments

    def encode(self, bits: torch.Tensor) -> torch.Tensor:
        """Encode ``[batch, A]`` bits into ``[batch, G]`` bits, ``torch.uint8``."""
        segments = self.segment(bits)
        batch, first, parts = bits.shape[0], 0, []
        for count, code in self._groups:
            group = segments[:, first : first + count].reshape(batch * count, code.k)
            parts.append(code.encode(group).reshape(batch, count * code.n))
            first += count
        coded = torch.cat(parts, dim=1)
        return coded if self._scramble is None else coded ^ self._scramble

    def decode(self, llr: torch.Tensor) -> Decoded:
        """Decode ``[batch, G]`` LLRs.

        Returns
        -------
        Decoded
            Payload bits whether right or wrong, their soft values if the inner code has them, ``crc_ok`` of
            the transport block, and ``block_ok`` of each code block's CRC24B (of the transport block's CRC
            if there is one block only).
        """
        llr = check_llr(llr, self.n).to(self.device)
        if self._scramble is not None:
            llr = llr * (1.0 - 2.0 * self._scramble)
        sizes = [count * code.n for count, code in self._groups]
        parts = [
            code.decode(part.reshape(-1, code.n))
            for part, (_, code) in zip(torch.split(llr, sizes, dim=1), self._groups, strict=True)
        ]
        blocks = self._stack([part.bits for part in parts], llr.shape[0])
        soft = [part.llr for part in parts if part.llr is not None]
        segments, block_ok = self._cb_crc.check(blocks) if self.format.cb_crc_bits else (blocks, None)
        whole = segments.flatten(1)[:, : self.k + self.format.tb_crc_bits]
        payload, crc_ok = self._tb_crc.check(whole)
        return Decoded(
            bits=payload,
            llr=self._payload(self._stack(soft, llr.shape[0])) if len(soft) == len(parts) else None,
            crc_ok=crc_ok,
            block_ok=crc_ok[:, None] if block_ok is None else block_ok,
        )

    def _stack(self, parts: list[torch.Tensor], batch: int) -> torch.Tensor:
        """Blocks of all groups, ``[batch, C, K']``."""
        shaped = [
            part.reshape(batch, count, code.k)
            for part, (count, code) in zip(parts, self._groups, strict=True)
        ]
        return torch.cat(shaped, dim=1)

    def _payload(self, blocks: torch.Tensor) -> torch.Tensor:
        """Take CRCs and filler off ``[batch, C, K']``: ``[batch, A]``."""
        return blocks[..., : self.format.block_bits - self.format.cb_crc_bits].flatten(1)[:, : self.k]
