"""Models that learn from captions as text."""
