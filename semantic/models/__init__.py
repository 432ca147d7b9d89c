"""Models of transformers' and diffusers' classes, loaded from checkpoints."""
