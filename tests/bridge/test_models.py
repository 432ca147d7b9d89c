"""Models by role: what plays it is told by the place that is named."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from benchmarks.settings.compare import CompareSpec
from bridge.models import Models, parse_models
from semantic.models.correction import BartCorrector, DictionaryCorrector, NoCorrection


def test_a_dictionary_corrects_by_the_words_of_captions(tmp_path: Path) -> None:
    models = Models(parse_models("tiny,corrector=dictionary"))
    assert isinstance(models.corrector, DictionaryCorrector)
    damaged = ["A w0man rides a hqrse on the beacb.", "A small striped gren star on the left."]
    mended = ["A woman rides a horse on the beach.", "A small striped green star on the left."]
    assert models.corrector.correct(damaged) == mended
    file = tmp_path / "corpus.txt"
    file.write_text("Die Katze sitzt auf der Matte.\n")
    own = Models(parse_models(f"corrector={file}"))
    assert own.corrector.correct(["die Kalze"]) == ["die Katze"]
    identities = [each.identity("corrector") for each in (models, own, Models(parse_models("tiny")))]
    assert len(set(identities)) == 3


def test_a_corrector_is_bart_or_none(bart_folder: Path) -> None:
    assert isinstance(Models((("corrector", str(bart_folder)),)).corrector, BartCorrector)
    assert isinstance(Models((("corrector", "none"),)).corrector, NoCorrection)
    with pytest.raises(ValueError, match="no model plays 'corrector'"):
        Models(()).folder("corrector")


def test_precision_is_a_setting_and_part_of_the_identity(bart_folder: Path) -> None:
    settings = {"systems": ["bpg-ldpc"], "snr": [3.0], "models": f"corrector={bart_folder}"}
    precisions = ("bfloat16", "float32")
    half, single = (CompareSpec.model_validate({**settings, "dtype": p}).checkpoints for p in precisions)
    assert half.corrector.model.dtype == torch.bfloat16
    assert single.corrector.model.dtype == torch.float32
    assert half.identity("corrector") != single.identity("corrector")
    with pytest.raises(ValueError, match="dtype"):
        CompareSpec.model_validate({**settings, "dtype": "int8"})
