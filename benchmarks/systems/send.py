"""``semphy send``: one picture or sentence through one system at one SNR."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from benchmarks.settings.errors import input_errors
from benchmarks.settings.ranges import parse_range
from bridge.air.transmission import Transmission, transmit
from bridge.systems.catalog import build_systems
from bridge.systems.ends import decode_by, encode_by
from bridge.systems.system import Reconstruction, Source, System
from phy.channels.names import parse_channel
from phy.random import Stream
from phy.units import BandwidthRatio, EsN0
from semantic.files import write_text, written
from semantic.metrics.catalog import measure
from semantic.samples.pictures import load_pictures, sample_pictures

__all__ = ["Sent", "send_one", "source_of"]

_MEASURED = {"image": ("psnr", "ssim"), "text": ("bleu", "cer", "wer")}


@dataclass(frozen=True)
class Sent:
    """What was sent, what arrived, and what it cost."""

    system: System
    source: Source
    snr: EsN0
    transmission: Transmission
    made: Reconstruction

    def to_json(self) -> dict[str, Any]:
        """What ``--json`` prints."""
        ledger = self.transmission.ledger
        original = self.source.image if self.system.modality == "image" else self.source.text
        arrived = self.made.image if self.system.modality == "image" else self.made.text
        return {
            "system": self.system.name,
            "source": self.source.name,
            "snr_db": self.snr.db,
            "channel_uses": ledger.channel_uses,
            "cbr": None
            if self.transmission.shape is None
            else float(ledger.bandwidth_ratio(*self.transmission.shape)),
            "ledger": ledger.rows(),
            "notes": dict(self.transmission.notes),
            "failed": self.made.failed,
            "remark": self.made.remark,
            "policy": self.system.policy,
            "text": self.made.text,
            "metrics": {name: measure(name)(original, arrived) for name in _MEASURED[self.system.modality]},
        }

    def to_text(self) -> str:
        """Return the account and the quality in a few lines."""
        found = self.to_json()
        lines = [
            f"{found['system']}, {found['source']}, Es/N0 {self.snr.db:g} dB: "
            f"{'failed (' + found['remark'] + ')' if self.made.failed else 'arrived'}",
            f"channel uses {found['channel_uses']}" + (f", CBR {found['cbr']:.5f}" if found["cbr"] else ""),
        ]
        for entry in found["ledger"]:
            counts = ", ".join(f"{name} {value}" for name, value in entry.items() if name != "payload")
            lines.append(f"{entry['payload']}: {counts}")
        lines.append(", ".join(f"{name} {value:.4g}" for name, value in found["metrics"].items()))
        return "\n".join(lines if self.made.text is None else [*lines, repr(self.made.text)])

    def write(self, folder: Path) -> Path:
        """Write the picture as PNG or the sentence as text, with the account beside it."""
        write_text(folder / "arrived.json", json.dumps(self.to_json(), indent=2))
        if self.made.image is None:
            path = folder / "arrived.txt"
            write_text(path, self.made.text or "")
        else:
            path = folder / "arrived.png"
            with written(path) as beside:
                Image.fromarray(self.made.image).save(beside)
        return path


def source_of(image: str | None, text: str | None) -> Source:
    """Read a source: a picture file, the name of a bundled picture, or a sentence.

    Raises
    ------
    ValueError
        If neither or both are given, or the picture cannot be found.
    """
    if (image is None) == (text is None):
        raise ValueError("give either a picture (--image) or a sentence (--text)")
    if text is not None:
        return Source("sentence", text=text)
    if Path(str(image)).exists():
        name, pixels = load_pictures(Path(str(image)))[0]
        return Source(name, image=pixels)
    bundled = dict(sample_pictures())
    if image not in bundled:
        raise ValueError(f"no picture {image!r}: neither a file nor one of {', '.join(bundled)}")
    return Source(str(image), image=bundled[str(image)])


def send_one(
    system: str,
    image: str | None,
    text: str | None,
    snr: str,
    cbr: str,
    channel: str,
    scheme: str,
    policy: str,
    seed: int,
) -> Sent:
    """Send a picture or a sentence once.

    Raises
    ------
    InputError
        If a setting does not exist, or the system carries another kind of source.
    """
    with input_errors():
        values = parse_range(snr)
        if len(values) != 1:
            raise ValueError(f"send takes one SNR, got {snr!r}")
        level = EsN0(values[0])
        built = build_systems(system, parse_channel(channel), scheme, policy=policy)
        if len(built) != 1:
            raise ValueError(f"{scheme!r} names {len(built)} schemes; send takes one, for example 1/2-qpsk")
        chosen, source = built[0], source_of(image, text)
        if (chosen.modality == "image") != (source.image is not None):
            raise ValueError(f"{system} carries {chosen.modality}, and the source is another kind")
        uses = None
        if source.image is not None:
            uses = BandwidthRatio.parse(cbr).channel_uses(*source.image.shape[:2])
            chosen.check(uses)
        transmission = encode_by(chosen, source, uses, level)
    stream = Stream(seed, "send", channel, f"esno_db={level.db!r}", source.digest, 0)
    reception = transmit(transmission, level, [stream])[0]
    return Sent(chosen, source, level, transmission, decode_by(chosen, source, reception))
