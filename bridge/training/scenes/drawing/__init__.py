"""Generators of drawn scenes: their autoencoder, their diffusion and what they learn from."""
