"""The bundled generator of drawn scenes: Stable Diffusion's classes, small, with an IP-Adapter.

::

    text ---> CLIP text encoder ---+
    slice --> CLIP vision tower ---+-> UNet, on latents of the pictures (`bridge.training.scenes.drawing.vae`)

Slices are the main object's, found as Multi-SC finds it, some damaged as slices are that were sent. Texts are
descriptions in the canonical and in free words, told whole or in four quarters, and some with wrong letters.

The loss is the letter's equation 11, E |eps - eps_theta|^2, over alpha^2: the network predicts the velocity
v = alpha eps - sigma x_0, and eps - eps_theta = alpha (v - v_theta). So the last step of the noise schedule,
where nothing of the picture is left and equation 11 is blind, counts as well; there the picture's light and
background are decided. Network, adapter and both encoders learn together; the encoders, in the beginning,
mostly by reading facts (`bridge.training.scenes.captioning.hints`). In some steps the adapter is off,
as it is for a text alone (lambda = 0), in the others at a lambda drawn by lot; texts and embeddings of single
rows are left out for guidance (an empty text, an embedding of zeros).

References
----------
Huang and Li, arXiv 2503.19386, equations 8 to 11. H. Ye et al., IP-Adapter, arXiv 2308.06721.
S. Lin, B. Liu, J. Li, X. Yang: Common diffusion noise schedules and sample steps are flawed. WACV 2024.
T. Salimans, J. Ho: Progressive distillation for fast sampling of diffusion models. ICLR 2022 (velocity).
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import nn

from bridge.training.scenes.batches import (
    CPU,
    PREDICTION,
    Ahead,
    Compute,
    halved,
    pixel_values,
    scene_tokenizer,
)
from bridge.training.scenes.captioning.hints import PatchFacts, PlaceFacts
from bridge.training.scenes.drawing.diffusion import make_unet, save_diffusion, velocity_loss
from bridge.training.scenes.drawing.generator_batches import CONTEXT, SLICE, GeneratorBatch, GeneratorBatches
from bridge.training.scenes.drawing.vae import GeneratorSizes, frozen_vae, latents_of
from bridge.training.trainer import Recipe
from semantic.files import written
from semantic.zoo.presets import import_transformers

__all__ = ["Painter", "generator"]

_ADAPTER = "ip-adapter_scenes.safetensors"
_HINTS = 0.03  # weight of their loss, some nats at first, beside that of the velocity, 1 at first


class Painter(nn.Module):
    """Everything that is trained or needed: a pipeline's parts, the adapter's encoder, and two heads."""

    def __init__(self, autoencoder: Any, sizes: GeneratorSizes, vocabulary: int) -> None:
        super().__init__()
        library = import_transformers()
        self.vae = autoencoder
        self.unet = make_unet(sizes)
        self.text_encoder = library.CLIPTextModel(
            library.CLIPTextConfig(
                **_tower(sizes.text, sizes.text_layers),
                vocab_size=vocabulary,
                max_position_embeddings=CONTEXT,
                **PREDICTION,
            )
        )
        self.image_encoder = library.CLIPVisionModelWithProjection(
            library.CLIPVisionConfig(
                **_tower(sizes.image, sizes.image_layers),
                image_size=SLICE,
                patch_size=8,
                projection_dim=sizes.embedding,
            )
        )
        _attach_adapter(self.unet, sizes)
        self.text_hints, self.image_hints = PlaceFacts(sizes.text), PatchFacts(sizes.embedding)

    def scale_adapter(self, scale: float) -> None:
        """Set lambda; 0 leaves the image prompt out."""
        for processor in self.unet.attn_processors.values():
            if hasattr(processor, "to_k_ip"):
                processor.scale = [scale]


def _tower(width: int, layers: int) -> dict[str, Any]:
    return {
        "hidden_size": width,
        "intermediate_size": 4 * width,
        "num_hidden_layers": layers,
        "num_attention_heads": max(1, width // 32),
    }


def _crossings(unet: Any) -> list[str]:
    """Names of the cross-attentions, in the order in which IP-Adapter's files count them."""
    suffix = ".processor"
    return [name.removesuffix(suffix) for name in unet.attn_processors if name.endswith("attn2.processor")]


def _attach_adapter(unet: Any, sizes: GeneratorSizes) -> None:
    """Put a fresh IP-Adapter into a network: keys and values start as the text's, as published ones do."""
    projection = nn.Linear(sizes.embedding, 4 * sizes.text)
    tensors = {"proj.weight": projection.weight.data, "proj.bias": projection.bias.data}
    norm = {"norm.weight": torch.ones(sizes.text), "norm.bias": torch.zeros(sizes.text)}
    attention = {}
    for index, name in enumerate(_crossings(unet)):
        layer = unet.get_submodule(name)
        attention[f"{2 * index + 1}.to_k_ip.weight"] = layer.to_k.weight.data.clone()
        attention[f"{2 * index + 1}.to_v_ip.weight"] = layer.to_v.weight.data.clone()
    unet._load_ip_adapter_weights([{"image_proj": {**tensors, **norm}, "ip_adapter": attention}])
    unet.requires_grad_(True)


def generator(
    autoencoder: Path,
    before: Path | None = None,
    *,
    seed: int = 1,
    batch: int = 32,
    words_only: float = 0.35,
    sizes: GeneratorSizes | None = None,
    compute: Compute = CPU,
) -> Recipe:
    """``tiny-generator``: network, text encoder, image encoder and adapter, on the first stage's latents.

    Parameters
    ----------
    autoencoder:
        Folder that `vae` was trained into.
    before:
        Folder of a finished generator to go on from, on the same autoencoder; another seed than its own
        draws other scenes. None begins anew.
    seed, batch:
        Of the draws; rows of a step.
    words_only:
        Share of steps without adapter.
    sizes:
        Of the model; those of the autoencoder are its own.
    compute:
        Where and how it is trained.

    Raises
    ------
    ValueError
        If the folder holds no autoencoder; names what makes one.
    """
    sizes = sizes or GeneratorSizes()
    tokenizer = scene_tokenizer(CONTEXT, frame=True)
    core = scene_tokenizer(CONTEXT).backend_tokenizer
    frozen_vae(autoencoder)  # missing files are said before any work
    batches = Ahead(GeneratorBatches(core, batch, seed, words_only), compute.workers)
    loss = partial(_loss, batches=batches, seed=seed, compute=compute)
    save = partial(_save, sizes=sizes, tokenizer=tokenizer)

    def make() -> Painter:
        painter = Painter(frozen_vae(autoencoder), sizes, len(tokenizer))
        if before is not None:
            _go_on_from(painter, before)
        return painter

    return Recipe("tiny-generator", make, loss, save, rate=6e-4, warm_up=200)


def _loss(
    model: Painter, step: int, *, batches: Ahead[GeneratorBatch], seed: int, compute: Compute
) -> torch.Tensor:
    batch = batches(step)
    source = torch.Generator().manual_seed((seed << 32) + step)
    model.scale_adapter(batch.scale)
    with compute.autocast():
        latents = latents_of(model.vae, pixel_values(batch.pictures, compute.device))
        context = model.text_encoder(torch.from_numpy(batch.ids).to(compute.device)).last_hidden_state
        embeds = model.image_encoder(pixel_values(batch.slices, compute.device)).image_embeds
        hints = model.text_hints(
            context, torch.from_numpy(batch.facts).to(compute.device), batch.told.tolist()
        )
        hints = hints + model.image_hints(embeds[:, None], torch.from_numpy(batch.seen).to(compute.device))
        embeds = embeds * torch.from_numpy(batch.shown).to(compute.device)[:, None]
        return _HINTS * hints + velocity_loss(
            model.unet,
            latents,
            torch.from_numpy(batch.objects),
            source,
            encoder_hidden_states=context,
            added_cond_kwargs={"image_embeds": [embeds[:, None]]},
        )


def _go_on_from(model: Painter, folder: Path) -> None:
    """Read what `_save` wrote, but for the autoencoder and the heads that are not saved."""
    unet = load_file(folder / "unet" / "diffusion_pytorch_model.safetensors")
    adapter = load_file(folder / "ip-adapter" / _ADAPTER)
    for theirs, ours in _adapter_names(model.unet).items():
        unet[ours] = adapter[theirs]
    model.unet.load_state_dict(unet)
    model.text_encoder.load_state_dict(load_file(folder / "text_encoder" / "model.safetensors"))
    encoder = folder / "ip-adapter" / "image_encoder" / "model.safetensors"
    model.image_encoder.load_state_dict(load_file(encoder))


def _adapter_names(unet: Any) -> dict[str, str]:
    """Names of an IP-Adapter's tensors in its file, and of the same in the network."""
    prefix = "encoder_hid_proj.image_projection_layers.0."
    names = {f"image_proj.proj.{kind}": f"{prefix}image_embeds.{kind}" for kind in ("weight", "bias")}
    names |= {f"image_proj.norm.{kind}": f"{prefix}norm.{kind}" for kind in ("weight", "bias")}
    for index, name in enumerate(_crossings(unet)):
        for key in ("to_k_ip", "to_v_ip"):
            names[f"ip_adapter.{2 * index + 1}.{key}.weight"] = f"{name}.processor.{key}.0.weight"
    return names


def _save(model: Painter, folder: Path, *, sizes: GeneratorSizes, tokenizer: Any) -> None:
    state = {name: tensor.half().cpu() for name, tensor in model.unet.state_dict().items()}
    own = {n: t for n, t in state.items() if ".processor." not in n and not n.startswith("encoder_hid_proj")}
    unet = make_unet(sizes)
    unet.load_state_dict(own)
    save_diffusion(folder, model.vae, unet, text_encoder=halved(model.text_encoder), tokenizer=tokenizer)
    tensors = {theirs: state[ours] for theirs, ours in _adapter_names(model.unet).items()}
    encoder = folder / "ip-adapter" / "image_encoder"
    halved(model.image_encoder).save_pretrained(encoder)
    square = {"height": SLICE, "width": SLICE}
    import_transformers().CLIPImageProcessorPil(
        size=square, do_center_crop=False, image_mean=[0.5] * 3, image_std=[0.5] * 3
    ).save_pretrained(encoder)
    with written(encoder.parent / _ADAPTER) as beside:
        save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, beside)
