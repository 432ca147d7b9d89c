"""The captioners against transformers called by hand, on tiny checkpoints in the hub's layout."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from tiny.language import write_blip, write_llava

from semantic.models.captioning import BLIP, QUERY, LLaVA, load_captioner
from semantic.zoo.missing import WeightsMissing

Pictures = list[NDArray[np.uint8]]


@pytest.fixture(scope="module")
def pictures() -> Pictures:
    generator = np.random.default_rng(7)
    shapes = [(40, 50, 3), (32, 32, 3), (33, 70, 3), (64, 48, 3), (32, 40, 3)]
    return [generator.integers(0, 256, shape, dtype=np.uint8) for shape in shapes]


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("captioners")
    return {
        "llava-1.5": write_llava(root / "llava", "1.5"),
        "llava-1.5 without template": write_llava(root / "bare", "1.5", chat=False),
        "llava-interleave": write_llava(root / "interleave", "interleave"),
        "blip": write_blip(root / "blip"),
    }


def llava_by_hand(folder: Path, picture: NDArray[np.uint8], text: str) -> tuple[torch.Tensor, str]:
    """Tokens and text as the library's own documentation makes them: one picture, no padding."""
    from transformers import AutoModelForImageTextToText, AutoProcessor

    processor = AutoProcessor.from_pretrained(folder, backend="pil")
    model = AutoModelForImageTextToText.from_pretrained(folder, dtype=torch.float32)
    inputs = processor(images=Image.fromarray(picture), text=text, return_tensors="pt")
    with torch.inference_mode():
        tokens = model.generate(**inputs, do_sample=False, max_new_tokens=12)[
            0, inputs["input_ids"].shape[1] :
        ]
    return tokens, processor.decode(tokens, skip_special_tokens=True).strip()


def tokens_of(
    captioner: Any, call: Callable[[], list[str]], monkeypatch: pytest.MonkeyPatch
) -> list[list[int]]:
    """The tokens that the model gave while ``call`` ran."""
    seen: list[list[int]] = []
    original = captioner.model.generate

    def generate(*args: Any, **kwargs: Any) -> torch.Tensor:
        tokens = original(*args, **kwargs)
        seen.extend(tokens.tolist())
        return tokens

    monkeypatch.setattr(captioner.model, "generate", generate)
    call()
    return seen


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["llava-1.5", "llava-1.5 without template", "llava-interleave"])
def test_llava_says_what_the_library_says(
    kind: str, folders: dict[str, Path], pictures: Pictures, monkeypatch: pytest.MonkeyPatch
) -> None:
    captioner = LLaVA.from_pretrained(folders[kind])
    prompt = (
        f"USER: <image>\n{QUERY} ASSISTANT:"  # LLaVA-1.5's template, and what stands in for a lacking one
    )
    by_hand = [llava_by_hand(folders[kind], picture, prompt) for picture in pictures]
    assert captioner.caption(pictures, max_tokens=12) == [text for _, text in by_hand]
    assert len({text for _, text in by_hand}) > 1  # the picture matters
    seen = tokens_of(captioner, lambda: captioner.caption(pictures[:1], max_tokens=12), monkeypatch)
    assert seen[0][-len(by_hand[0][0]) :] == by_hand[0][0].tolist()


def test_llava_puts_another_prompt_into_the_template(folders: dict[str, Path], pictures: Pictures) -> None:
    captioner = LLaVA.from_pretrained(folders["llava-interleave"])
    _, text = llava_by_hand(
        folders["llava-interleave"], pictures[0], "USER: <image>\nWhat colour is it? ASSISTANT:"
    )
    assert captioner.caption(pictures[:1], "What colour is it?", max_tokens=12) == [text]
    with pytest.raises(ValueError, match="goes without <image>"):
        captioner.caption(pictures[:1], "<image>\nWhat colour is it?")


def test_the_older_layout_of_published_checkpoints_is_read(tmp_path: Path, pictures: Pictures) -> None:
    # llava-hf's repositories: settings of pixels and template in files of their own, the name without "Pil".
    folder = write_llava(tmp_path)
    expected = LLaVA.from_pretrained(folder).caption(pictures, max_tokens=12)
    file, template = folder / "processor_config.json", folder / "chat_template.jinja"
    settings = json.loads(file.read_text())
    pixels = settings.pop("image_processor") | {"image_processor_type": "CLIPImageProcessor"}
    file.write_text(json.dumps(settings))
    (folder / "preprocessor_config.json").write_text(
        json.dumps(pixels | {"processor_class": "LlavaProcessor"})
    )
    (folder / "chat_template.json").write_text(json.dumps({"chat_template": template.read_text()}))
    template.unlink()
    captioner = LLaVA.from_pretrained(folder)
    assert type(captioner.processor.image_processor).__name__ == "CLIPImageProcessorPil"
    assert captioner.processor.chat_template is not None
    assert captioner.caption(pictures, max_tokens=12) == expected


@pytest.mark.slow
@pytest.mark.parametrize("prompt", [None, "a photo of"])
def test_blip_says_what_the_library_says(
    prompt: str | None, folders: dict[str, Path], pictures: Pictures
) -> None:
    from transformers import AutoModelForImageTextToText, AutoProcessor

    processor = AutoProcessor.from_pretrained(folders["blip"], backend="pil")
    model = AutoModelForImageTextToText.from_pretrained(folders["blip"], dtype=torch.float32)
    by_hand = []
    for picture in pictures:
        inputs = processor(images=Image.fromarray(picture), text=prompt, return_tensors="pt")
        tokens = model.generate(**inputs, do_sample=False, max_new_tokens=12)
        by_hand.append(processor.decode(tokens[0], skip_special_tokens=True).strip())
    assert BLIP.from_pretrained(folders["blip"]).caption(pictures, prompt, max_tokens=12) == by_hand
    assert len(set(by_hand)) > 1
    assert all(text.startswith(prompt or "") for text in by_hand)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["llava-1.5", "llava-interleave", "blip"])
def test_a_batch_is_its_pictures_one_by_one(kind: str, folders: dict[str, Path], pictures: Pictures) -> None:
    captioner = load_captioner(folders[kind])
    singles = [captioner.caption([picture], max_tokens=40)[0] for picture in pictures]
    assert len(set(map(len, singles))) > 1  # some stop before others
    assert captioner.caption(pictures, max_tokens=40) == singles
    assert captioner.caption(pictures, max_tokens=40, batch_size=2) == singles
    assert captioner.caption([]) == []


def test_prompts_of_a_batch_are_padded_on_the_left(llava_folder: Path) -> None:
    tokenizer = LLaVA.from_pretrained(llava_folder).processor.tokenizer
    rows = tokenizer(["a", "a dog runs"], padding=True)["input_ids"]
    assert rows[0][0] == tokenizer.pad_token_id and rows[0][-1] != tokenizer.pad_token_id


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["llava-1.5", "blip"])
def test_limits_hold(
    kind: str, folders: dict[str, Path], pictures: Pictures, monkeypatch: pytest.MonkeyPatch
) -> None:
    captioner = load_captioner(folders[kind])
    prompt = 1  # BLIP's start token
    if kind == "llava-1.5":
        text = f"USER: <image>\n{QUERY} ASSISTANT:"
        inputs = captioner.processor(images=Image.fromarray(pictures[0]), text=text)
        prompt = len(inputs["input_ids"][0])
    for limit in (1, 5, 30):
        seen = tokens_of(
            captioner, lambda limit=limit: captioner.caption(pictures, max_tokens=limit), monkeypatch
        )
        assert max(len(row) - prompt for row in seen) == limit  # random models hardly ever stop
        monkeypatch.undo()


def test_the_checkpoint_cannot_turn_on_sampling(tmp_path: Path, pictures: Pictures) -> None:
    folder = write_llava(tmp_path / "llava")
    file = folder / "generation_config.json"
    greedy = LLaVA.from_pretrained(folder).caption(pictures, max_tokens=12)
    settings = json.loads(file.read_text())
    file.write_text(json.dumps(settings | {"do_sample": True, "temperature": 2.0, "repetition_penalty": 1.9}))
    assert LLaVA.from_pretrained(folder).caption(pictures, max_tokens=12) == greedy


@pytest.mark.slow
@pytest.mark.parametrize("write", [write_llava, write_blip])
def test_precision_is_what_is_asked_for(
    write: Callable[..., Path], tmp_path: Path, pictures: Pictures
) -> None:
    folder = write(tmp_path, dtype=torch.float16)
    assert load_captioner(folder).model.dtype == torch.float32
    captioner = load_captioner(folder, dtype=torch.bfloat16)
    assert {value.dtype for value in captioner.model.parameters()} == {torch.bfloat16}
    assert len(captioner.caption(pictures, max_tokens=4)) == len(pictures)


def test_the_kind_is_read_from_the_folder(folders: dict[str, Path], tmp_path: Path) -> None:
    assert isinstance(load_captioner(folders["llava-interleave"]), LLaVA)
    assert isinstance(load_captioner(folders["blip"]), BLIP)
    with pytest.raises(WeightsMissing, match="semphy fetch models:"):
        load_captioner(tmp_path)
    with pytest.raises(WeightsMissing, match="semphy fetch models:"):
        LLaVA.from_pretrained(tmp_path / "nowhere")
    (tmp_path / "config.json").write_text('{"model_type": "bart"}')
    with pytest.raises(ValueError, match="type 'bart'; captioners are llava, blip"):
        load_captioner(tmp_path)


def test_pictures_of_another_kind_are_refused(blip_folder: Path) -> None:
    captioner = BLIP.from_pretrained(blip_folder)
    for wrong in (np.zeros((8, 8, 3), np.float32), np.zeros((8, 8), np.uint8), np.zeros((8, 8, 4), np.uint8)):
        with pytest.raises(ValueError, match=r"uint8 \[height, width, 3\], got"):
            captioner.caption([wrong])


def test_pixels_come_from_pillow_whatever_is_installed(folders: dict[str, Path]) -> None:
    for folder in folders.values():
        assert type(load_captioner(folder).processor.image_processor).__name__.endswith("Pil")


def test_loading_is_silent_and_leaves_evaluation_on(
    llava_folder: Path, blip_folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    for folder in (llava_folder, blip_folder):
        assert not load_captioner(folder).model.training
    assert capfd.readouterr() == ("", "")
