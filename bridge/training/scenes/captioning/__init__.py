"""Captioners of drawn scenes: what they see, say and learn from."""
