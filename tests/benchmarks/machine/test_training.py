"""``semphy train``: recipes by name on small data, their cards, and one line for every mistake."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from safetensors.torch import load_file

from benchmarks.machine.training import bundled
from bridge.training.data import Data
from bridge.training.evaluations import EVALUATIONS
from bridge.training.recipes import RECIPES, find_data, prepare
from semantic.models.correction import BartCorrector
from semantic.zoo.presets import PRESETS
from tests.tiny.imagenet import write_imagenet
from tests.tiny.language import write_bart

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All that the recipes need, in the layout of SEMPHY_DATA."""
    root = tmp_path_factory.mktemp("data")
    rng = np.random.default_rng(1)
    for folder in ("voc2012_train256/JPEGImages", "flickr8k/images", "bsds500_256/train"):
        (root / folder).mkdir(parents=True)
        for index in range(2):
            small = rng.integers(0, 256, (5, 6, 3)).astype(np.uint8)
            picture = Image.fromarray(small).resize((160, 140), Image.Resampling.BICUBIC)
            picture.save(root / folder / f"{index}.jpg")
    (root / "voc2012_train256/SegmentationClass").mkdir()
    write_imagenet(root / "imagenet_mobilenet_v2/mobilenet_v2_1.0_224_quant_float.safetensors")
    labels = np.zeros((140, 160), np.uint8)
    labels[30:90, 40:120] = 12
    Image.fromarray(labels).save(root / "voc2012_train256/SegmentationClass/0.png")
    lines = [f"{index},A dog runs on the beach with ball {index}." for index in range(60)]
    (root / "coco_captions").mkdir()
    for file in ("flickr8k/captions.txt", "coco_captions/captions_val2017.csv"):
        (root / file).write_text("\n".join(["image,caption", *lines]))
    return root


@pytest.mark.slow
@pytest.mark.parametrize("name", ["jscc-2019-c8", "tiny-segmenter"])
def test_recipes_run_by_name(run: Run, data: Path, tmp_path: Path, name: str) -> None:
    status, out, err = run("train", name, "--steps", "1", "--data", str(data), "--out", str(tmp_path))
    assert (status, out.strip()) == (0, str(tmp_path))
    assert "step 1 of 1: loss" in err
    assert (tmp_path / "model.safetensors").is_file()


@pytest.mark.slow
def test_corrector_with_its_card(
    run: Run, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SEMPHY_DATA", str(data))
    arguments = ("train", "tiny-corrector", "--steps", "2", "--seed", "3", "--out", str(tmp_path), "--json")
    status, out, _ = run(*arguments)
    made = json.loads(out)
    assert status == 0
    stored = load_file(tmp_path / "model.safetensors")
    assert made["values"] == sum(tensor.numel() for tensor in stored.values())
    assert made["size_bytes"] == (tmp_path / "model.safetensors").stat().st_size < 12e6
    assert BartCorrector.from_pretrained(tmp_path).window == 140
    card = (tmp_path / "README.md").read_text()
    assert card.startswith("---\nlicense: apache-2.0\n")
    assert [words.partition(", digest ")[0] for words in made["data"]] == [
        "flickr8k/captions.txt (1 file",
        "coco_captions (1 file",
    ]
    for words in (", ".join(made["data"]), "--steps 2 --seed 3", f"{made['values']:,}"):
        assert words in card
    for words in ("commit", "non-commercial", "loss.csv"):
        assert words in card
    status, _, err = run(*arguments)
    assert status == 2
    assert "--fresh" in err
    assert len(err.splitlines()) == 1


def test_a_folder_of_ones_own_is_named_and_its_licence_unknown(run: Run, tmp_path: Path) -> None:
    own = tmp_path / "holidays"
    own.mkdir()
    rng = np.random.default_rng(2)
    for index in range(3):
        Image.fromarray(rng.integers(0, 256, (80, 90, 3)).astype(np.uint8)).save(own / f"{index}.png")
    arguments = ("train", "jscc-2019-c8", "--steps", "1", "--data", str(own))
    assert run(*arguments, "--out", str(tmp_path / "out"))[0] == 0
    card = (tmp_path / "out" / "README.md").read_text()
    assert card.startswith("---\nlicense: unknown\n")
    assert "| data | holidays (3 files, digest " in card
    assert "licence" in card.lower() and "unknown" in card
    for words in ("VOC", "apache", "Apache", "this project", str(tmp_path)):
        assert words not in card
    (own / "1.png").write_bytes(b"")
    status, _, err = run(*arguments, "--out", str(tmp_path / "again"))
    assert status == 2
    assert "1.png" in err
    assert len(err.splitlines()) == 1


def test_data_are_known_by_their_bytes(tmp_path: Path) -> None:
    for name in ("first", "second"):
        (tmp_path / name / "inside").mkdir(parents=True)
        (tmp_path / name / "inside" / "a.png").write_bytes(b"123")
        (tmp_path / name / ".hidden").write_bytes(name.encode())
    (first,), (second,) = (Data({"x": tmp_path / name}).describe() for name in ("first", "second"))
    assert first == second
    assert first.startswith("x (1 file, digest ")
    (tmp_path / "second" / "inside" / "a.png").write_bytes(b"124")
    assert Data({"x": tmp_path / "second"}).describe() != [first]
    (tmp_path / "first" / "inside" / "a.png").rename(tmp_path / "first" / "inside" / "b.png")
    assert Data({"x": tmp_path / "first"}).describe() != [first]


@pytest.mark.slow
def test_judge_is_trained_anew(run: Run, tmp_path: Path) -> None:
    assert run("train", "scenes-judge", "--steps", "2", "--out", str(tmp_path))[0] == 0
    card = (tmp_path / "README.md").read_text()
    assert "drawn afresh" in card
    assert run("train", "scenes-judge", "--steps", "1", "--out", str(tmp_path), "--fresh")[0] == 0
    assert "--steps 1" in (tmp_path / "README.md").read_text()


def test_interrupted_training_goes_on(run: Run, data: Path, tmp_path: Path) -> None:
    from bridge.training.photographs.deep_jscc import bourtsoulatze
    from bridge.training.trainer import train

    folders = [data / name for name in RECIPES["jscc-2019-c8"].data]
    train(bourtsoulatze(folders, 8), 2, tmp_path, until=1)
    arguments = ("train", "jscc-2019-c8", "--data", str(data), "--out", str(tmp_path))
    status, _, err = run(*arguments, "--steps", "3")
    assert status == 2
    assert "another folder" in err
    assert "--fresh" in err
    assert len(err.splitlines()) == 1
    status, out, _ = run(*arguments, "--steps", "2", "--json")
    assert status == 0
    assert json.loads(out)["resumed"]
    assert "interrupted and resumed" in (tmp_path / "README.md").read_text()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["tiny-corrector"], ["SEMPHY_DATA", "--data", "coco_captions"]),
        (["tiny-jscc", "--data", "/nowhere"], ["/nowhere", "SEMPHY_DATA", "--data", "bsds500_256"]),
        (["tiny-parrot"], ["tiny-parrot", "tiny-corrector"]),
        (["scenes-judge", "--device", "abacus"], ["abacus"]),
        (["scenes-judge", "--device", "meta"], ["meta", "does not work here"]),
        (["tiny-corrector", "--steps", "0"], ["--steps"]),
        (["tiny-jscc", "--images", "a", "--captions", "b"], ["tiny-jscc takes no", "photo-captioner do"]),
        (["photo-captioner", "--images", "a"], ["--images FOLDER and --captions FILE go together"]),
        (["photo-captioner", "--images", "a", "--captions", "b"], ["no file or folder 'a'"]),
    ],
)
def test_mistakes_are_one_line_and_status_2(
    run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, arguments: list[str], words: list[str]
) -> None:
    monkeypatch.delenv("SEMPHY_DATA", raising=False)
    status, out, err = run("train", *arguments, "--out", str(tmp_path / "out"))
    assert (status, out) == (2, "")
    assert len(err.splitlines()) == 1, err
    assert all(word in err for word in words), err
    assert not (tmp_path / "out").exists()


def test_incomplete_data_are_named(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "coco_captions").symlink_to(data / "coco_captions")
    monkeypatch.setenv("SEMPHY_DATA", str(tmp_path))
    with pytest.raises(ValueError, match=r"has no flickr8k/captions\.txt: name"):
        find_data("tiny-corrector", None)


def test_a_folder_of_ones_own(data: Path) -> None:
    own = data / "flickr8k" / "images"
    assert find_data("tiny-jscc", own) == Data({"voc2012_train256/JPEGImages": own}, own=True)
    found = find_data("tiny-segmenter", data)
    assert (found.places.keys(), found.own) == (set(RECIPES["tiny-segmenter"].data), False)
    with pytest.raises(
        ValueError, match=r"the data need imagenet_mobilenet_v2/mobilenet_v2.*\.safetensors, too"
    ):
        prepare("tiny-segmenter", find_data("tiny-segmenter", own).places, 1, "cpu")
    assert find_data("scenes-judge", None) == Data({})


@pytest.mark.slow
def test_a_captioner_of_photographs_of_ones_own(run: Run, tmp_path: Path) -> None:
    """Its card says that nothing is known of the data, and it is a captioner of Table I like others."""
    draw = np.random.default_rng(2)
    for number in range(16):
        pixels = draw.integers(0, 256, (20, 24, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"{number}.png")
    captions = tmp_path / "captions.csv"
    lines = [
        f"{number % 16}.png,a dog runs on the {'beach' if number % 3 else 'street'}" for number in range(64)
    ]
    captions.write_text("\n".join(["image,caption", *lines]))
    arguments = [
        "train",
        "photo-captioner",
        "--images",
        str(tmp_path),
        "--captions",
        str(captions),
        "--steps",
        "2",
    ]
    status, out, _ = run(*arguments, "--out", str(tmp_path / "model"), "--json")
    made = json.loads(out)
    assert status == 0 and made["own_data"]
    assert [each.partition(" (")[0] for each in made["data"]] == [tmp_path.name, "captions.csv"]
    assert "that of the data is unknown" in (tmp_path / "model/README.md").read_text()
    command = [
        "captioners",
        "--models",
        str(tmp_path / "model"),
        "--images",
        str(tmp_path),
        "--max-sources",
        "2",
    ]
    status, out, err = run(*command, "--captions", str(captions), "--json")
    assert status == 0, err
    assert json.loads(out)["rows"][0]["images"] == 2


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight photographs of one's own, and captions of more."""
    folder = tmp_path_factory.mktemp("own")
    (folder / "pictures").mkdir()
    draw = np.random.default_rng(2)
    for number in range(8):
        small = Image.fromarray(draw.integers(0, 256, (6, 7, 3), dtype=np.uint8))
        small.resize((80, 72), Image.Resampling.BICUBIC).save(folder / "pictures" / f"{number}.png")
    lines = [f"{number}.png,A dog runs on the beach with ball {number}." for number in range(60)]
    (folder / "captions.csv").write_text("\n".join(["image,caption", *lines]))
    return folder


@pytest.mark.slow
@pytest.mark.parametrize(
    ("snr", "network", "level"), [("19", "DeepJSCC2019", "19"), ("0:20", "ADJSCC", "0:20")]
)
def test_deep_jscc_of_ones_own_is_compared_at_once(
    run: Run, own: Path, tmp_path: Path, snr: str, network: str, level: str
) -> None:
    made = tmp_path / "jscc"
    arguments = ("train", "jscc", "--c", "2", "--snr", snr, "--images", str(own / "pictures"), "--steps", "1")
    status, _, err = run(*arguments, "--out", str(made))
    assert status == 0, err
    config = json.loads((made / "config.json").read_text())
    assert (config["architectures"], config["c"]) == ([network], 2)
    card = (made / "README.md").read_text()
    assert f"`semphy train jscc --c 2 --snr {level} --steps 1 --seed 1` on cpu" in card
    assert "license: unknown" in card
    command = ("compare", "--systems", "deep-jscc", "--models", f"tiny,jscc={made}", "--snr", "10")
    where = ("--images", str(own / "pictures"), "--max-sources", "1", "--cbr", "1/48", "--metrics", "psnr")
    status, out, err = run(*command, *where, "--json")
    assert status == 0, err
    (row,) = json.loads(out)["rows"]
    assert row["channel_uses"] == 80 * 72 * 3 // 48


@pytest.mark.slow
def test_corrector_goes_on_from_a_base(run: Run, own: Path, tmp_path: Path) -> None:
    from bridge.models import load_models, parse_models

    base = write_bart(tmp_path / "my-bart", positions=128)
    captions = str(own / "captions.csv")
    arguments = ("train", "corrector", "--base", str(base), "--captions", captions, "--steps", "2")
    status, out, err = run(*arguments, "--link", "conv:1/2-qpsk", "--out", str(tmp_path / "made"), "--json")
    assert status == 0, err
    made = json.loads(out)
    assert made["data"][1].startswith("my-bart (model, digest ")
    card = (tmp_path / "made/README.md").read_text()
    assert "`semphy train corrector --base my-bart --link conv:1/2-qpsk --steps 2" in card
    assert "That of my-bart holds, too." in card and str(tmp_path) not in card
    before, after = (load_file(folder / "model.safetensors") for folder in (base, tmp_path / "made"))
    moved = [(after[name].float() - before[name].float()).abs().max() for name in before]
    # Two steps of AdamW move a weight by at most their rates, of a warm-up over 100 steps to 1e-4.
    assert 0 < max(moved) < 1e-2 and before.keys() == after.keys()
    models = load_models(parse_models(f"tiny,corrector={tmp_path / 'made'}"))
    assert models.check("corrector") == tmp_path / "made"
    assert len(models.corrector.correct(["A dqg runs."])) == 1


@pytest.mark.slow
def test_text_codec_of_ones_own_captions(run: Run, own: Path, tmp_path: Path) -> None:
    from bridge.models import load_models, parse_models

    made = tmp_path / "codec"
    arguments = ("train", "text-jscc", "--captions", str(own / "captions.csv"), "--steps", "2")
    status, _, err = run(*arguments, "--snr", "0:10", "--out", str(made))
    assert status == 0, err
    codec = load_models(parse_models(f"tiny,text-jscc={made}")).text_jscc
    (sent,) = codec.encode_text(["A dog runs on the beach with ball 3."], 10.0)
    # What stands in every caption has become a token a word, and each token takes 16 uses of 2 reals.
    assert sent.numel() <= 32 * 11
    assert codec.tokenizer.decode(codec.tokenizer.encode("Äpfel, naïvely").ids) == "Äpfel, naïvely"
    assert "--snr 0:10" in (made / "README.md").read_text()


def test_a_changed_setting_is_another_run(run: Run, own: Path, tmp_path: Path) -> None:
    from functools import partial

    from bridge.training import recipes, trainer

    places = find_data("jscc", None, images=own / "pictures").places
    before, trainer.train = trainer.train, partial(trainer.train, until=1)
    try:
        recipes.prepare("jscc", places, 1, "cpu", {"c": 2, "snr": "19"})(2, tmp_path, True)
    finally:
        trainer.train = before
    arguments = ("train", "jscc", "--images", str(own / "pictures"), "--out", str(tmp_path), "--steps", "2")
    status, _, err = run(*arguments, "--c", "2", "--snr", "18")
    assert status == 2 and "jscc --c 2 --snr 19" in err and len(err.splitlines()) == 1
    status, out, _ = run(*arguments, "--c", "2", "--snr", "19", "--json")
    assert status == 0 and json.loads(out)["resumed"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["jscc", "--snr", "19"], ["name a folder for it by --out"]),
        (["jscc", "--snr", "high", "--out", "x"], ["'high'", "LOW:HIGH"]),
        (["jscc", "--snr", "20:0", "--out", "x"], ["'20:0'"]),
        (["jscc", "--link", "1-qpsk", "--out", "x"], ["jscc takes no --link", "corrector"]),
        (["tiny-jscc", "--snr", "3"], ["tiny-jscc takes no --snr", "jscc, text-jscc"]),
        (["corrector", "--link", "qpsk", "--out", "x"], ["'qpsk'", "1/2-qam16"]),
        (["corrector", "--base", "tiny-jscc", "--out", "x"], ["NestedJSCC", "bart"]),
        (["corrector", "--base", "/nowhere", "--out", "x"], ["/nowhere"]),
        (["corrector", "--base", "bart-base", "--out", "x"], ["semphy fetch models:bart-base"]),
        (["corrector", "--images", ".", "--out", "x"], ["takes no --images", "jscc"]),
        (["text-jscc", "--captions", "/nowhere.csv", "--out", "x"], ["no file or folder '/nowhere.csv'"]),
        (["photo-captioner", "--images", "."], ["--captions FILE", "together"]),
    ],
)
def test_settings_that_do_not_fit_are_one_line(
    run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, arguments: list[str], words: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setenv("SEMPHY_DATA", str(tmp_path / "none"))
    status, out, err = run("train", *arguments)
    assert (status, out) == (2, "")
    assert len(err.splitlines()) == 1, err
    assert all(word in err for word in words), err
    assert not (tmp_path / "x").exists()


def test_help_lists_what_there_is_to_train_and_to_evaluate(run: Run) -> None:
    _, out, _ = run("train", "--help")
    letters = "".join(out.split())  # lines break behind hyphens, too
    assert all("".join(f"{name}{entry.purpose}".split()) in letters for name, entry in RECIPES.items())
    _, out, _ = run("evaluate", "--help")
    assert all(f"  {name} " in out for name in EVALUATIONS)
    assert "tiny-generator-vae" not in out


def test_models_go_where_the_zoo_looks() -> None:
    from semantic.scenes.judge import BUNDLED

    assert bundled("scenes-judge") == BUNDLED
    assert {"tiny-corrector", "tiny-segmenter", "tiny-scene-segmenter"} <= RECIPES.keys() & PRESETS.keys()
