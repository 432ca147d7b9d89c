"""All evaluations by the name of the model: on what its figures are taken, and how.

What is heavy is imported when an evaluation is prepared.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from bridge.training.data import Data, find

if TYPE_CHECKING:
    from bridge.training.figures import Figure

__all__ = ["ALL", "EVALUATIONS", "Evaluation", "find_evaluation"]

Work = Callable[[], Iterator["Figure"]]
"""What takes long: everything it needs has been read."""

ALL = sys.maxsize
"""As many sources as there are."""

_CAPTIONS = ("flickr8k/captions.txt", "coco_captions")
_JSCC_SNRS = (1.0, 7.0, 10.0, 13.0, 19.0)
_NESTED_SNRS = (-6.0, -3.0, -2.0, -1.0, 0.0, 1.0, 4.0, 7.0, 10.0, 13.0, 19.0)
_NESTED_CBR = 1 / 24
_FADED_SNRS = (1.0, 7.0, 13.0)
_TEXT_SNRS = (-6.0, -3.0, 0.0, 6.0, 18.0)


@dataclass(frozen=True)
class Evaluation:
    """How the figures of one model are taken.

    Attributes
    ----------
    layout:
        Class of the model, as its configuration names it.
    sources:
        What the figures are taken on.
    count:
        How many sources at most.
    seed:
        Of what is drawn. These defaults give the figures of the model's card.
    prepare:
        (folder of the model, data by their names in `data`, count, seed) to the work: reads model and data.
    data:
        Folders and files that it needs.
    remedy:
        How to get them, with a comma behind it.
    """

    layout: str
    sources: str
    count: int
    seed: int
    prepare: Callable[[Path, Mapping[str, Path], int, int], Work]
    data: tuple[str, ...] = ()
    remedy: str = ""

    def check(self, name: str, folder: Path) -> None:
        """Make sure that a folder holds a model of this layout.

        Raises
        ------
        ValueError
            If it does not; says what it holds.
        """
        there = _class_in(folder)
        if there != self.layout:
            holds = "no model" if there is None else f"a {there}"
            raise ValueError(f"{str(folder)!r} holds {holds}: {name} is a {self.layout}")

    def find(self, name: str, folder: Path | None) -> Data:
        """Where the data lie (`bridge.training.data.find`).

        Raises
        ------
        ValueError
            If some are missing; says how to get them.
        """
        return find(f"{name} is measured on", self.data, (), folder, self.remedy)


def _class_in(folder: Path) -> str | None:
    """Class that the configuration in a folder names, if any."""
    for file, *keys in (("config.json", "architectures", "model_type"), ("model_index.json", "_class_name")):
        if (folder / file).is_file():
            config = json.loads((folder / file).read_text(encoding="utf-8"))
            named = next((config[key] for key in keys if config.get(key)), None)
            return named[0] if isinstance(named, list) else named
    return None


def _judge(folder: Path, data: Mapping[str, Path], count: int, seed: int) -> Work:
    from bridge.training.scenes.evaluation import judge_figures
    from semantic.scenes.judge import SceneJudge

    return partial(judge_figures, SceneJudge.from_pretrained(folder), count, seed)


def _scene_segmenter(folder: Path, data: Mapping[str, Path], count: int, seed: int) -> Work:
    from bridge.training.scenes.evaluation import scene_segmenter_figures
    from semantic.models.segmentation import Segmenter

    return partial(scene_segmenter_figures, Segmenter.from_pretrained(folder), count, seed)


def _captioner(folder: Path, data: Mapping[str, Path], count: int, seed: int, *, quarters: bool) -> Work:
    from bridge.training.scenes.evaluation import captioner_figures
    from semantic.models.captioning import load_captioner

    return partial(captioner_figures, load_captioner(folder), count, seed, quarters=quarters)


def _text_jscc(folder: Path, data: Mapping[str, Path], count: int, seed: int) -> Work:
    from bridge.training.scenes.evaluation import text_jscc_figures
    from semantic.models.textjscc import TextCodec

    return partial(text_jscc_figures, TextCodec.from_pretrained(folder), _TEXT_SNRS, count, seed)


def _generator(folder: Path, data: Mapping[str, Path], count: int, seed: int) -> Work:
    from bridge.models import Models
    from bridge.training.scenes.evaluation import generator_figures
    from semantic.scenes.judge import SceneJudge

    models = Models((("generator", str(folder)), ("ip-adapter", str(folder / "ip-adapter"))))
    return partial(generator_figures, models.generator, SceneJudge.from_pretrained(), count, seed)


def _feature(folder: Path, data: Mapping[str, Path], count: int, seed: int) -> Work:
    from bridge.training.scenes.evaluation import feature_figures
    from semantic.models.features import FeatureProjection, FeatureToImage, VisionLanguageFeature
    from semantic.scenes.judge import SceneJudge

    return partial(
        feature_figures,
        VisionLanguageFeature.from_pretrained(folder),
        FeatureProjection.from_pretrained(folder / "projection"),
        FeatureToImage.from_pretrained(folder / "image"),
        SceneJudge.from_pretrained(),
        (float("inf"), 0.0),
        count,
        seed,
    )


def _corrector(folder: Path, data: Mapping[str, Path], count: int, seed: int) -> Work:
    from bridge.training.texts.captions import split_captions
    from bridge.training.texts.evaluation import corrector_figures, drawn
    from semantic.models.correction import BartCorrector, DictionaryCorrector

    captions = split_captions(list(data.values()))
    return partial(
        corrector_figures,
        BartCorrector.from_pretrained(folder, beams=1),
        DictionaryCorrector.from_texts(captions.train),
        drawn(captions.held_out, count, seed),
        seed,
    )


def _segmenter(folder: Path, data: Mapping[str, Path], count: int, seed: int) -> Work:
    from bridge.training.photographs.evaluation import masked_photographs, segmenter_figures
    from semantic.models.segmentation import Segmenter

    (photographs,) = data.values()
    found_by = Segmenter.from_pretrained(folder)
    return partial(segmenter_figures, found_by, masked_photographs(photographs, count))


def _photo_captioner(folder: Path, data: Mapping[str, Path], count: int, seed: int) -> Work:
    from bridge.training.photographs.captioning import caption_figures
    from bridge.training.photographs.meaning import Meaning
    from semantic.models.captioning import PhotoCaptioner
    from semantic.samples.captioned import load_captioned

    captioner, space = PhotoCaptioner.from_pretrained(folder), Meaning.load(folder / "meaning.safetensors")
    images, captions = data.values()
    return partial(caption_figures, captioner, space, load_captioned(images, captions, limit=count), seed)


def _nested(folder: Path, data: Mapping[str, Path], count: int, seed: int) -> Work:
    from bridge.training.photographs.evaluation import ChannelAt, jscc_figures, linear_code, untrained
    from phy.channels.flat import AWGN, Rayleigh
    from semantic.networks.jscc import NestedJSCC
    from semantic.samples.pictures import load_pictures

    network = NestedJSCC.from_pretrained(folder)
    conditions = [ChannelAt(AWGN(), snr) for snr in _NESTED_SNRS] + [
        ChannelAt(Rayleigh(), snr) for snr in _FADED_SNRS
    ]
    before = {"untrained": untrained(network), "linear-code": linear_code(network)}
    (kodak,) = data.values()
    pictures = [picture.pixels for picture in load_pictures(kodak)[:count]]
    return partial(jscc_figures, network, before, pictures, conditions, seed, cbr=_NESTED_CBR)


def _bourtsoulatze(folder: Path, data: Mapping[str, Path], count: int, seed: int) -> Work:
    from bridge.training.photographs.evaluation import ChannelAt, jscc_figures
    from phy.channels.flat import AWGN
    from semantic.networks.jscc import DeepJSCC2019, NestedJSCC
    from semantic.samples.pictures import load_pictures
    from semantic.zoo.presets import resolve

    network = DeepJSCC2019.from_pretrained(folder)
    other = {"tiny-jscc": NestedJSCC.from_pretrained(resolve("tiny-jscc"))}
    conditions = [ChannelAt(AWGN(), snr) for snr in _JSCC_SNRS]
    (kodak,) = data.values()
    pictures = [picture.pixels for picture in load_pictures(kodak)[:count]]
    return partial(jscc_figures, network, other, pictures, conditions, seed)


_MEDIUM = "unseen scenes of the medium level, 64 pixels"
_KODAK, _FETCH_KODAK = ("kodak24",), "semphy fetch kodak24, or "

EVALUATIONS: dict[str, Evaluation] = {
    "scenes-judge": Evaluation("scene-judge", "unseen scenes of the hard level", 1_000, 99, _judge),
    "tiny-corrector": Evaluation(
        "BartForConditionalGeneration",
        "held-out captions over uncoded QPSK on AWGN, greedy decoding",
        500,
        1,
        _corrector,
        _CAPTIONS,
    ),
    "photo-captioner": Evaluation(
        "MeaningCaptioner",
        "photographs of Flickr8k, five captions each, W cross-fitted in ten folds",
        ALL,
        1,
        _photo_captioner,
        ("flickr8k/images", "flickr8k/captions.txt"),
    ),
    "tiny-scene-segmenter": Evaluation("FCN", "unseen scenes of the medium level", 200, 1, _scene_segmenter),
    "tiny-segmenter": Evaluation(
        "MobileNetFCN",
        "photographs of Pascal VOC 2012 that were set apart",
        ALL,
        1,
        _segmenter,
        ("voc2012_seg_eval",),
        "semphy fetch voc2012 brings them, and then --data FOLDER/voc2012/VOCdevkit/VOC2012; or ",
    ),
    "tiny-captioner": Evaluation(
        "LlavaForConditionalGeneration",
        f"{_MEDIUM}, greedy decoding",
        300,
        5,
        partial(_captioner, quarters=True),
    ),
    "tiny-blip": Evaluation(
        "BlipForConditionalGeneration",
        f"{_MEDIUM}, greedy decoding",
        300,
        5,
        partial(_captioner, quarters=False),
    ),
    "tiny-text-jscc": Evaluation(
        "TextJSCC",
        "canonical descriptions of unseen scenes of the medium level over AWGN",
        200,
        5,
        _text_jscc,
    ),
    "tiny-generator": Evaluation(
        "StableDiffusionPipeline",
        f"{_MEDIUM}, 20 DDIM steps, guidance 5, lambda 0.6",
        50,
        5,
        _generator,
    ),
    "tiny-feature": Evaluation(
        "Blip2ForConditionalGeneration", f"{_MEDIUM}, AWGN, 20 DDIM steps, guidance 3", 50, 5, _feature
    ),
    "tiny-jscc": Evaluation(
        "NestedJSCC", "photographs (Kodak), CBR 1/24, AWGN unless said", ALL, 1, _nested, _KODAK, _FETCH_KODAK
    ),
    **{
        f"jscc-2019-c{c}": Evaluation(
            "DeepJSCC2019",
            f"photographs (Kodak), AWGN, all channels (CBR 1/{96 // c} with {c} filters)",
            ALL,
            1,
            _bourtsoulatze,
            _KODAK,
            _FETCH_KODAK,
        )
        for c in (8, 16)
    },
}
"""Evaluations by the name of the model; ``semphy evaluate NAME`` runs one."""


def find_evaluation(name: str) -> Evaluation:
    """Look an evaluation up.

    Raises
    ------
    ValueError
        If there is none of this name; lists what there is.
    """
    if name not in EVALUATIONS:
        raise ValueError(f"nothing to evaluate under {name!r}: there are {', '.join(EVALUATIONS)}")
    return EVALUATIONS[name]
