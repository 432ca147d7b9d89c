"""Models of a run: what plays a role is told by the place that is named, and known by what is in it."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from benchmarks.settings.compare import CompareSpec
from bridge.models import ROLES, TIERS, Models, load_models, parse_models
from semantic.models.correction import BartCorrector, DictionaryCorrector, NoCorrection
from semantic.zoo.presets import PRESETS, resolve


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


@pytest.mark.parametrize("tier", TIERS)
def test_a_tier_plays_all_roles_with_presets(tier: str) -> None:
    assert set(TIERS[tier]) == set(ROLES)
    Models(tuple(TIERS[tier].items())).check_places()
    assert all(place.partition("/")[0] in PRESETS for place in TIERS[tier].values())


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


def clone(folder: Path) -> dict[str, str]:
    """Bundled models in another folder, with other dates and cards, as a second clone or machine has them."""
    places = {}
    for role, place in TIERS["tiny"].items():
        name, _, inside = place.partition("/")
        target = folder / f"copy-of-{name}"
        if not target.exists():
            shutil.copytree(resolve(name), target, copy_function=shutil.copyfile)
            (target / "README.md").write_text("edited")
        places[role] = str(target / inside)
    return places


def test_a_second_clone_has_the_same_models(tmp_path: Path) -> None:
    here, there = Models(parse_models("tiny")), Models(tuple(clone(tmp_path).items()))
    identities = {role: here.identity(role) for role in ROLES}
    assert identities == {role: there.identity(role) for role in ROLES}
    assert len(set(identities.values())) == len(ROLES)


def test_what_a_model_runs_in_counts() -> None:
    places = parse_models("tiny")
    assert Models(places).identity("jscc") == load_models(places).identity("jscc")
    assert Models(places, dtype=torch.bfloat16).identity("jscc") != Models(places).identity("jscc")
    assert Models(places, "cuda").identity("jscc") != Models(places).identity("jscc")
    assert Models(places, "cuda:1").identity("jscc") == Models(places, "cuda").identity("jscc")


def test_models_are_loaded_once_until_their_files_change(tmp_path: Path) -> None:
    """A process that goes on gets the new tensors with the new identity, whatever the file's date says."""
    folder = tmp_path / "jscc"
    shutil.copytree(resolve("jscc-2019-c8"), folder)
    places = parse_models(f"tiny,jscc={folder}")
    first = load_models(places)
    before, network = first.identity("jscc"), first.jscc
    assert load_models(places) is first
    file = folder / "model.safetensors"
    about, tensors = file.stat(), load_file(file)
    name = min(tensors)
    save_file({**tensors, name: tensors[name] * 2}, file, metadata={"format": "pt"})
    os.utime(file, ns=(about.st_atime_ns, about.st_mtime_ns))
    assert (file.stat().st_size, file.stat().st_mtime_ns) == (about.st_size, about.st_mtime_ns)
    second = load_models(places)
    assert second.identity("jscc") != before == first.identity("jscc")
    old, new = (model.state_dict()[name] for model in (network, second.jscc))
    assert torch.equal(new, old * 2)


def test_models_that_are_not_here(tmp_path: Path) -> None:
    places = parse_models(f"tiny,captioner={tmp_path / 'nowhere'},corrector=none")
    assert set(load_models(places).here()) == set(ROLES) - {"captioner", "corrector"}
    assert load_models(places).identity("corrector") == "none"
    with pytest.raises(ValueError, match=str(tmp_path / "nowhere")):
        load_models(places).identity("captioner")
