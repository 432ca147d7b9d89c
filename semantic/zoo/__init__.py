"""Checkpoints: presets, places, pinned hashes, loading."""
