"""Transport blocks after TS 38.212: check sums, segmentation, coding, rate matching, concatenation.

A bits -> + TB CRC -> cut into C segments -> + CB CRC each -> channel code K' -> E_r -> bit interleaver
       -> concatenation -> (scrambling) -> G bits
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import groupby

import torch

from phy.coding.code import Code, Decoded, check_bits, check_llr
from phy.coding.crc import CRC
from phy.coding.scrambling import scrambling_sequence
from phy.coding.transport.format import CODES, TransportFormat
from phy.coding.uncoded import Uncoded

__all__ = ["CODES", "BlockCoder", "TransportBlock", "TransportFormat"]

BlockCoder = Callable[[int, int], Code]
"""Makes the code of one block from its information bits K' and coded bits E_r."""


def _block_coder(
    code: str,
    fmt: TransportFormat,
    decoder: str | None,
    schedule: str | None,
    iterations: int | None,
    device: str,
) -> BlockCoder:
    """The coder of one block. Sionna takes seconds to import: formats alone do without it."""
    given = {"decoder": decoder, "schedule": schedule, "iterations": iterations}
    options = {name: value for name, value in given.items() if value is not None}
    allowed = {"ldpc5g": set(given), "polar5g": {"decoder"}, "turbo": {"iterations"}}.get(code, set())
    if not options.keys() <= allowed:
        takes = ", ".join(sorted(allowed)) or "no decoder options"
        raise ValueError(f"{code} takes {takes}, got {', '.join(sorted(options))}")
    if code == "ldpc5g":
        return _ldpc_coder(fmt, decoder or "sum-product", schedule or "flooding", iterations, device)
    if code == "polar5g":
        from phy.coding.polar import Polar5G

        return lambda k, n: Polar5G(k, n, decoder or "scl", device=device)
    if code == "turbo":
        from phy.coding.turbo import Turbo

        return lambda k, n: Turbo(k, n, iterations=8 if iterations is None else iterations, device=device)
    if code == "conv":
        from phy.coding.convolutional import Convolutional

        return lambda k, n: Convolutional(k, n, 1 / 3 if n >= 3 * k else 1 / 2, device=device)
    if code == "none":
        return _uncoded_block
    raise ValueError(f"code must be one of {', '.join(CODES)}, got {code!r}")


def _uncoded_block(k: int, n: int) -> Code:
    if k != n:
        raise ValueError(f"without a code {k} bits cannot become {n}: the format was made for another code")
    return Uncoded(n)


def _ldpc_coder(
    fmt: TransportFormat, decoder: str, schedule: str, iterations: int | None, device: str
) -> BlockCoder:
    from phy.coding.ldpc.sionna import LDPC5G

    return lambda k, n: LDPC5G(
        k,
        n,
        bits_per_symbol=fmt.bits_per_symbol,
        base_graph=fmt.base_graph,
        decoder=decoder,
        schedule=schedule,
        iterations=20 if iterations is None else iterations,
        device=device,
    )


class TransportBlock:
    """A transport block as one code: ``k`` payload bits A, ``n`` coded bits G.

    Parameters
    ----------
    format:
        Sizes; made for the same ``code``.
    code:
        ``"ldpc5g"``, ``"polar5g"`` (brings a CRC11 of its own in every block), ``"conv"``, ``"turbo"`` or
        ``"none"``.
    decoder, schedule, iterations:
        Options of the inner decoder, None for its defaults (see `phy.coding.ldpc.sionna.LDPC5G`,
        `phy.coding.polar.Polar5G`, `phy.coding.turbo.Turbo`).
    scrambling:
        (n_RNTI, n_ID) of TS 38.211, clause 7.3.1.1, codeword 0; None for none. Noise-like payloads need none.
    device:
        Where the code runs and its results lie.
    block_coder:
        Makes the code of one block from (K', E_r) in place of ``code``'s own, such as another engine; it
        also does the bit interleaving.

    Raises
    ------
    ValueError
        If the code is unknown, lacks an option, or cannot make blocks of this size.

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
        *,
        decoder: str | None = None,
        schedule: str | None = None,
        iterations: int | None = None,
        scrambling: tuple[int, int] | None = None,
        device: str = "cpu",
        block_coder: BlockCoder | None = None,
    ) -> None:
        self.format, self.device = format, device
        if code not in CODES:
            raise ValueError(f"code must be one of {', '.join(CODES)}, got {code!r}")
        if code == "ldpc5g" and format.base_graph is None:
            raise ValueError(
                "this transport format has no base graph: it was made for another code than ldpc5g"
            )
        coder = block_coder or _block_coder(code, format, decoder, schedule, iterations, device)
        # Equal blocks are coded in one call; lengths come in at most two groups (clause 5.4.2.1).
        runs = [(len(list(run)), length) for length, run in groupby(format.block_lengths)]
        self._groups = [(count, coder(format.block_bits, length)) for count, length in runs]
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
