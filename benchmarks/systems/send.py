"""``semphy send``: one picture or sentence through one system at one SNR."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from benchmarks.settings.compare import CompareSpec, built_of
from benchmarks.settings.errors import input_errors
from benchmarks.settings.reading import read_settings
from benchmarks.systems.checks import check_pictures
from benchmarks.systems.evaluate import channel_uses_of
from benchmarks.systems.sources import Listed, kind_of, pictures
from bridge.air.peaks import papr_db
from bridge.air.transmission import Transmission, transmit
from bridge.spelling import meant
from bridge.systems.ends import decode_by, encode_by
from bridge.systems.system import Reconstruction, Source, System
from phy.random import Stream
from phy.units import EsN0
from semantic.files import write_text, written
from semantic.metrics.catalog import describe, measure
from semantic.samples.pictures import read_picture, resize_square, sample_pictures
from semantic.samples.regular import check_regular

__all__ = ["Sent", "send_one", "source_of"]

_MEASURED = {"image": ("psnr", "ssim"), "text": ("bleu", "cer", "wer"), "embedding": ("snr-out",)}
_OF_SCENES = {"image": ("scene",), "text": ("scene-text",), "embedding": ()}


@dataclass(frozen=True)
class Sent:
    """What was sent, what arrived, and what it cost."""

    system: System
    source: Source
    snr: EsN0
    transmission: Transmission
    made: Reconstruction

    @property
    def metrics(self) -> dict[str, float]:
        """What the system delivers, held against what is known of the source; what is no number is absent."""
        found = {}
        for kind in self.system.delivers:
            for name in (*_MEASURED[kind], *(_OF_SCENES[kind] if self.source.scene is not None else ())):
                about = describe(name)
                reference = getattr(self.source, about.reference)
                if about.reference == "text" and reference is None:
                    reference = self.source.captions or None
                arrived = getattr(self.made, about.received)
                if reference is not None and arrived is not None:
                    found[name] = float(measure(name)(reference, arrived))
        return {name: value for name, value in found.items() if not math.isnan(value)}

    def to_json(self) -> dict[str, Any]:
        """What ``--json`` prints."""
        ledger = self.transmission.ledger
        return {
            "system": self.system.name,
            "source": self.source.name,
            "snr_db": self.snr.db,
            "channel_uses": ledger.channel_uses,
            "cbr": None
            if self.transmission.shape is None
            else float(ledger.bandwidth_ratio(*self.transmission.shape)),
            "ledger": ledger.rows(),
            "papr_db": papr_db(self.transmission),
            "notes": dict(self.transmission.notes),
            "failed": self.made.failed,
            "remark": self.made.remark,
            "policy": self.system.policy,
            "text": self.made.text,
            "metrics": self.metrics,
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
        peaks = [f"{name} {ratio:.2f} dB" for name, ratio in found["papr_db"].items() if ratio is not None]
        if peaks:
            lines.append(f"peak over mean power of the symbols: {', '.join(peaks)}")
        lines.append(", ".join(f"{name} {value:.4g}" for name, value in found["metrics"].items()))
        return "\n".join(lines if self.made.text is None else [*lines, repr(self.made.text)])

    def write(self, folder: Path) -> list[Path]:
        """Write the picture as PNG, the words as text, and the account beside them; return the former."""
        write_text(folder / "arrived.json", json.dumps(self.to_json(), indent=2))
        files = []
        if self.made.image is not None:
            files.append(folder / "arrived.png")
            with written(files[-1]) as beside:
                Image.fromarray(self.made.image).save(beside)
        if self.made.text is not None or self.made.image is None:
            files.append(folder / "arrived.txt")
            write_text(files[-1], self.made.text or "")
        return files


def source_of(image: str | None, text: str | None, spec: CompareSpec) -> Source:
    """Read a source: a picture file, the name of a bundled picture, a drawn scene, or a sentence.

    Raises
    ------
    ValueError
        If neither or both are given, or the picture cannot be found.
    """
    if (image is None) == (text is None):
        raise ValueError("give either a picture (--image) or a sentence (--text)")
    if text is not None:
        return Source("sentence", text=text)
    name, size = str(image), spec.image_size
    if name.partition(":")[0] == "scenes":
        return next(pictures(spec.model_copy(update={"images": name, "max_sources": 1}), None))
    if check_regular(name).is_file():
        pixels = read_picture(name)
        return Source(Path(name).name, pixels if size is None else resize_square(pixels, size))
    bundled = dict(sample_pictures(size))
    if name not in bundled:
        raise ValueError(
            f"no picture {name!r}{meant(name, bundled) or ':'} give a file, scenes:easy, :medium or :hard, "
            f"or one of {', '.join(bundled)}"
        )
    return Source(name, image=bundled[name])


def send_one(
    system: str,
    image: str | None,
    text: str | None,
    scheme: str,
    settings: Mapping[str, Any],
    overrides: Sequence[str] = (),
) -> Sent:
    """Send a picture or a sentence once.

    Parameters
    ----------
    system:
        One of those that `benchmarks.settings.compare.CompareSpec` takes.
    image, text:
        What to send: one of the two.
    scheme:
        Modulation-coding scheme of files and of texts.
    settings:
        Further settings of a comparison; ``snr`` among them, a single one.
    overrides:
        Settings as texts ``name=value``.

    Raises
    ------
    InputError
        If a setting does not exist, or the system carries another kind of source.
    """
    told = {**settings, "systems": [system], "schemes": scheme, "text_schemes": scheme}
    spec = read_settings(CompareSpec, overrides=overrides, flags=told)
    with input_errors():
        if len(spec.snr) != 1 or len(spec.cbr) != 1:
            raise ValueError(
                f"send takes one SNR and one CBR, got {settings['snr']!r} and {settings['cbr']!r}"
            )
        level, built = EsN0(spec.snr[0]), built_of(spec)
        if len(built) != 1:
            raise ValueError(f"{scheme!r} names {len(built)} schemes; send takes one, for example 1/2-qpsk")
        chosen, source = built[0].system, source_of(image, text, spec)
        if chosen.modality != kind_of(source):
            raise ValueError(f"{system} carries {chosen.modality}, and the source is {kind_of(source)}")
        uses = channel_uses_of(spec, source, spec.cbr[0] if source.image is not None else None)
        if source.image is not None and uses is not None:
            chosen.check(uses)
        check_pictures(spec, [Listed.of(source)])
        transmission = encode_by(chosen, source, uses, level)
    stream = Stream(spec.seed, "send", spec.channel, f"esno_db={level.db!r}", source.digest, 0)
    reception = transmit(transmission, level, [stream])[0]
    return Sent(chosen, source, level, transmission, decode_by(chosen, source, reception))
