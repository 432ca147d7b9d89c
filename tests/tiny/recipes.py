"""Sizes of tiny models, a scene and a batch."""

from __future__ import annotations

from bridge.training.scenes import feature_words as scene_feature_words
from bridge.training.scenes.captioning.captioner import CaptionerSizes
from bridge.training.scenes.drawing.vae import GeneratorSizes
from semantic.scenes.scene import sample_scene

SMALL = CaptionerSizes(vision=32, vision_layers=1, text=32, text_layers=1, patch=16)


SKETCH = GeneratorSizes(
    vae=(8, 8, 8), latent=4, unet=(16, 32), text=32, text_layers=1, image=32, image_layers=1, embedding=16
)


FEATURE = scene_feature_words.FeatureSizes(SMALL, queries=4, width=32, layers=1, channel_uses=32)


SCENE = sample_scene(5)


BATCH = 8
