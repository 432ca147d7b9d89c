"""Checkpoints of LLaVA, BLIP and BART, a fraction of a megabyte each, and their byte-level tokeniser."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerFast

SENTENCES = (
    "A dog runs on the beach.",
    "Two people walk along a narrow street in the rain.",
    "A red bus stops in front of the old town hall.",
    "The child holds a yellow balloon and smiles.",
    "USER: describe the picture shown, briefly and clearly. ASSISTANT: a cat sleeps on a chair.",
)
CHAT_TEMPLATE = (
    "{% for message in messages %}{{ message['role'] | upper }}:"
    "{% for part in message['content'] %}"
    "{{ ' <image>\\n' if part['type'] == 'image' else part['text'] }}"
    "{% endfor %} {% endfor %}{% if add_generation_prompt %}ASSISTANT:{% endif %}"
)


def byte_tokenizer(start: str = "<s>", stop: str = "</s>", size: int = 384, frame: bool = True) -> Any:
    """A byte-level BPE tokeniser trained on `SENTENCES`; `frame` puts start and stop around each text."""
    core = Tokenizer(models.BPE())
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    core.decoder = decoders.ByteLevel()
    special = [start, "<pad>", stop, "<unk>", "<image>"]
    trainer = trainers.BpeTrainer(
        vocab_size=size,
        special_tokens=special,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    core.train_from_iterator(SENTENCES, trainer)
    if frame:
        core.post_processor = processors.TemplateProcessing(
            single=f"{start} $A {stop}", special_tokens=[(start, 0), (stop, 2)]
        )
    return PreTrainedTokenizerFast(
        tokenizer_object=core,
        bos_token=start,
        eos_token=stop,
        pad_token="<pad>",
        unk_token="<unk>",
        clean_up_tokenization_spaces=False,
        additional_special_tokens=["<image>"],
    )


def save(build: Any, folder: Path, dtype: torch.dtype, seed: int) -> Any:
    """Build a model with seeded weights, without touching the global generator, and save it."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = build()
    model.to(dtype).save_pretrained(folder)
    return model


def write_llava(
    folder: str | Path,
    style: Literal["1.5", "interleave"] = "1.5",
    *,
    chat: bool = True,
    dtype: torch.dtype = torch.float32,
    seed: int = 0,
) -> Path:
    """LLaVA-1.5 (CLIP, Llama) or LLaVA-interleave (SigLIP, Qwen2) for 32-pixel pictures, 16 image tokens."""
    from transformers import (
        CLIPImageProcessorPil,
        CLIPVisionConfig,
        LlamaConfig,
        LlavaConfig,
        LlavaForConditionalGeneration,
        LlavaProcessor,
        Qwen2Config,
        SiglipImageProcessorPil,
        SiglipVisionConfig,
    )

    folder, clip = Path(folder), style == "1.5"
    tokenizer = byte_tokenizer(frame=False)
    tower: dict[str, Any] = {
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "image_size": 32,
        "patch_size": 8,
    }
    text: dict[str, Any] = {
        "vocab_size": len(tokenizer),
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "num_key_value_heads": 2,
        "max_position_embeddings": 512,
        "initializer_range": 0.5,
        "bos_token_id": 0,
        "eos_token_id": 2,
        "pad_token_id": 1,
    }
    config = LlavaConfig(
        vision_config=CLIPVisionConfig(**tower)
        if clip
        else SiglipVisionConfig(**tower, vision_use_head=False),
        text_config=LlamaConfig(**text) if clip else Qwen2Config(**text),
        image_token_index=tokenizer.convert_tokens_to_ids("<image>"),
        image_seq_length=16,
        vision_feature_layer=-2 if clip else -1,
        vision_feature_select_strategy="default" if clip else "full",
    )
    save(lambda: LlavaForConditionalGeneration(config), folder, dtype, seed)
    crop = {"height": 32, "width": 32}
    pixels = (
        CLIPImageProcessorPil(size={"shortest_edge": 32}, crop_size=crop)
        if clip
        else SiglipImageProcessorPil(size=crop)
    )
    LlavaProcessor(
        image_processor=pixels,
        tokenizer=tokenizer,
        patch_size=8,
        vision_feature_select_strategy=config.vision_feature_select_strategy,
        num_additional_image_tokens=int(clip),
        chat_template=CHAT_TEMPLATE if chat else None,
    ).save_pretrained(folder)
    return folder


def write_blip(folder: str | Path, *, dtype: torch.dtype = torch.float32, seed: int = 0) -> Path:
    """BLIP for 32-pixel pictures."""
    from transformers import BlipConfig, BlipForConditionalGeneration, BlipImageProcessorPil, BlipProcessor

    folder = Path(folder)
    tokenizer = byte_tokenizer()
    shared = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
    config = BlipConfig(
        vision_config={**shared, "image_size": 32, "patch_size": 8, "initializer_range": 0.5},
        text_config={
            **shared,
            "vocab_size": len(tokenizer),
            "encoder_hidden_size": 32,
            "max_position_embeddings": 128,
            "initializer_range": 0.5,
            "bos_token_id": 0,
            "pad_token_id": 1,
            "eos_token_id": 2,
            "sep_token_id": 2,
        },
        projection_dim=32,
    )
    save(lambda: BlipForConditionalGeneration(config), folder, dtype, seed)
    BlipProcessor(BlipImageProcessorPil(size={"height": 32, "width": 32}), tokenizer).save_pretrained(folder)
    return folder


def write_bart(
    folder: str | Path, *, positions: int = 64, dtype: torch.dtype = torch.float32, seed: int = 0
) -> Path:
    """BART that reads and writes at most `positions` tokens."""
    from transformers import BartConfig, BartForConditionalGeneration

    folder = Path(folder)
    tokenizer = byte_tokenizer()
    tokenizer.model_max_length = positions
    config = BartConfig(
        vocab_size=len(tokenizer),
        d_model=32,
        encoder_layers=2,
        decoder_layers=2,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        encoder_ffn_dim=64,
        decoder_ffn_dim=64,
        max_position_embeddings=positions,
        init_std=0.5,
        forced_eos_token_id=2,
    )
    save(lambda: BartForConditionalGeneration(config), folder, dtype, seed)
    tokenizer.save_pretrained(folder)
    return folder
