"""Checkpoints of Stable Diffusion, IP-Adapter, Kandinsky 2.2, BLIP-2 and CLIP, at most a megabyte each."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import torch
from safetensors.torch import save_file

from tiny.language import byte_tokenizer, save

ADAPTER = "ip-adapter_tiny.safetensors"
EMBEDDING = 24  # numbers in an image embedding
CONTEXT = 32  # width of the tokens that cross-attention reads
QUERIES, WIDTH = 8, 16  # shape of the vision-language feature

T = TypeVar("T")

_TOWER: dict[str, Any] = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
}
_VISION: dict[str, Any] = {**_TOWER, "image_size": 32, "patch_size": 8}
_CROP = {"height": 32, "width": 32}


def seeded(build: Callable[[], T], seed: int) -> T:
    """Build with seeded weights, without touching the global generator."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return build()


def amplify(module: torch.nn.Module, factor: float) -> None:
    """Scale the matrices, so that what goes in makes a difference that 8 bits can show."""
    with torch.no_grad():
        for parameter in module.parameters():
            if parameter.ndim > 1:
                parameter.mul_(factor)


def text_tokenizer() -> Any:
    tokenizer = byte_tokenizer()
    tokenizer.model_max_length = 77
    return tokenizer


def _text_config(**more: Any) -> Any:
    from transformers import CLIPTextConfig

    ids = {"bos_token_id": 0, "pad_token_id": 1, "eos_token_id": 2}
    return CLIPTextConfig(
        **_TOWER, vocab_size=len(text_tokenizer()), max_position_embeddings=77, **ids, **more
    )


def _unet() -> Any:
    from diffusers import UNet2DConditionModel

    unet = UNet2DConditionModel(
        sample_size=8,
        block_out_channels=(8, 16),
        layers_per_block=1,
        norm_num_groups=4,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        cross_attention_dim=CONTEXT,
        attention_head_dim=4,
    )
    amplify(unet, 1.5)
    return unet


def _vae() -> Any:
    from diffusers import AutoencoderKL

    return AutoencoderKL(
        block_out_channels=(8, 16),
        layers_per_block=1,
        norm_num_groups=4,
        latent_channels=4,
        down_block_types=("DownEncoderBlock2D",) * 2,
        up_block_types=("UpDecoderBlock2D",) * 2,
        sample_size=16,
    )


def _scheduler() -> Any:
    from diffusers import DDIMScheduler

    return DDIMScheduler(
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        clip_sample=False,
        set_alpha_to_one=False,
        steps_offset=1,
    )


def write_stable_diffusion(
    folder: str | Path, *, text: bool = True, dtype: torch.dtype = torch.float32, seed: int = 0
) -> Path:
    """Stable Diffusion for 16-pixel pictures, without text encoder if asked."""
    from diffusers import StableDiffusionPipeline
    from transformers import CLIPTextModel

    def build() -> Any:
        return StableDiffusionPipeline(
            vae=_vae(),
            text_encoder=CLIPTextModel(_text_config()) if text else None,
            tokenizer=text_tokenizer() if text else None,
            unet=_unet(),
            scheduler=_scheduler(),
            safety_checker=None,
            feature_extractor=None,
            image_encoder=None,
            requires_safety_checker=False,
        )

    seeded(build, seed).to(dtype).save_pretrained(str(folder))
    return Path(folder)


def write_image_encoder(folder: str | Path, *, dtype: torch.dtype = torch.float32, seed: int = 1) -> Path:
    """CLIP's image tower with its projection; as in IP-Adapter's repository, no processor lies beside it."""
    from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection

    config = CLIPVisionConfig(**_VISION, projection_dim=EMBEDDING, initializer_factor=20.0)
    save(lambda: CLIPVisionModelWithProjection(config), Path(folder), dtype, seed)
    return Path(folder)


def write_ip_adapter(folder: str | Path, *, dtype: torch.dtype = torch.float32, seed: int = 2) -> Path:
    """IP-Adapter for the tiny Stable Diffusion, in the published key layout, with its image encoder."""
    folder = Path(folder)
    write_image_encoder(folder / "image_encoder", dtype=dtype)
    unet, source = seeded(_unet, 0), torch.Generator().manual_seed(seed)
    tensors = {
        "image_proj.proj.weight": torch.randn(4 * CONTEXT, EMBEDDING, generator=source),
        "image_proj.proj.bias": torch.randn(4 * CONTEXT, generator=source),
        "image_proj.norm.weight": torch.ones(CONTEXT),
        "image_proj.norm.bias": torch.zeros(CONTEXT),
    }
    crossing = [name for name in unet.attn_processors if name.endswith("attn2.processor")]
    for index, name in enumerate(crossing):
        shape = unet.get_submodule(name.removesuffix(".processor")).to_k.weight.shape
        for key in ("to_k_ip", "to_v_ip"):
            weight = torch.randn(shape, generator=source)
            tensors[f"ip_adapter.{2 * index + 1}.{key}.weight"] = weight
    save_file({name: value.to(dtype) for name, value in tensors.items()}, folder / ADAPTER)
    return folder


def write_bridge(folder: Path, context: int, seed: int = 9) -> None:
    """A bridge from `write_blip2`'s feature to tokens of ``context`` numbers, beside a diffusion network."""
    from semantic.models.projection import FeatureBridge

    def build() -> FeatureBridge:
        bridge = FeatureBridge(QUERIES, WIDTH, context)
        torch.nn.init.normal_(bridge.places, std=0.3)
        torch.nn.init.normal_(bridge.unconditional)
        return bridge

    seeded(build, seed).save_pretrained(folder / "bridge")


def write_kandinsky(folder: str | Path, *, dtype: torch.dtype = torch.float32, seed: int = 3) -> Path:
    """Kandinsky 2.2's decoder for 16-pixel pictures and embeddings of `EMBEDDING` numbers."""
    from diffusers import DDPMScheduler, KandinskyV22Pipeline, UNet2DConditionModel, VQModel

    def build() -> Any:
        unet = UNet2DConditionModel(
            sample_size=8,
            in_channels=4,
            out_channels=8,
            addition_embed_type="image",
            encoder_hid_dim_type="image_proj",
            encoder_hid_dim=EMBEDDING,
            cross_attention_dim=16,
            down_block_types=("ResnetDownsampleBlock2D", "SimpleCrossAttnDownBlock2D"),
            mid_block_type="UNetMidBlock2DSimpleCrossAttn",
            up_block_types=("SimpleCrossAttnUpBlock2D", "ResnetUpsampleBlock2D"),
            block_out_channels=(8, 16),
            layers_per_block=1,
            norm_num_groups=4,
            attention_head_dim=4,
            resnet_time_scale_shift="scale_shift",
        )
        amplify(unet, 1.5)
        movq = VQModel(
            block_out_channels=(32, 32),
            down_block_types=("DownEncoderBlock2D",) * 2,
            up_block_types=("AttnUpDecoderBlock2D", "UpDecoderBlock2D"),
            latent_channels=4,
            norm_num_groups=8,
            num_vq_embeddings=12,
            vq_embed_dim=4,
            norm_type="spatial",
        )
        scheduler = DDPMScheduler(
            beta_start=0.00085, beta_end=0.012, variance_type="learned_range", clip_sample=False
        )
        return KandinskyV22Pipeline(unet=unet, scheduler=scheduler, movq=movq)

    seeded(build, seed).to(dtype).save_pretrained(str(folder))
    return Path(folder)


def write_blip2(folder: str | Path, *, dtype: torch.dtype = torch.float32, seed: int = 4) -> Path:
    """BLIP-2 with an OPT language model; its feature has `QUERIES` tokens of `WIDTH` numbers."""
    from transformers import (
        Blip2Config,
        Blip2ForConditionalGeneration,
        Blip2Processor,
        BlipImageProcessorPil,
    )

    folder = Path(folder)
    tokenizer = byte_tokenizer(frame=False)
    config = Blip2Config(
        vision_config={**_VISION, "initializer_range": 0.3},
        qformer_config={
            "vocab_size": 32,
            "hidden_size": WIDTH,
            "intermediate_size": 32,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "encoder_hidden_size": 32,
            "cross_attention_frequency": 1,
            "initializer_range": 0.3,
        },
        text_config={
            "model_type": "opt",
            "vocab_size": len(tokenizer),
            "hidden_size": 32,
            "word_embed_proj_dim": 32,
            "ffn_dim": 64,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "max_position_embeddings": 128,
            "init_std": 0.5,
            "bos_token_id": 0,
            "pad_token_id": 1,
            "eos_token_id": 2,
        },
        num_query_tokens=QUERIES,
        image_token_index=tokenizer.convert_tokens_to_ids("<image>"),
    )

    def build() -> Any:
        model = Blip2ForConditionalGeneration(config)
        with torch.no_grad():  # they start at zero, where all queries would stay equal
            model.query_tokens.normal_()
            model.language_projection.weight.normal_()
        return model

    save(build, folder, dtype, seed)
    Blip2Processor(BlipImageProcessorPil(size=_CROP), tokenizer, num_query_tokens=QUERIES).save_pretrained(
        folder
    )
    return folder


def write_clip(folder: str | Path, *, dtype: torch.dtype = torch.float32, seed: int = 5) -> Path:
    """CLIP, both towers, for 32-pixel pictures."""
    from transformers import (
        CLIPConfig,
        CLIPImageProcessorPil,
        CLIPModel,
        CLIPProcessor,
        CLIPVisionConfig,
    )

    config = CLIPConfig(
        text_config=_text_config(projection_dim=EMBEDDING, initializer_factor=20.0).to_dict(),
        vision_config=CLIPVisionConfig(
            **_VISION, projection_dim=EMBEDDING, initializer_factor=20.0
        ).to_dict(),
        projection_dim=EMBEDDING,
    )
    save(lambda: CLIPModel(config), Path(folder), dtype, seed)
    processor = CLIPImageProcessorPil(size={"shortest_edge": 32}, crop_size=_CROP)
    CLIPProcessor(processor, text_tokenizer()).save_pretrained(folder)
    return Path(folder)
