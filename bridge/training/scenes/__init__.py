"""Models that learn from drawn scenes."""
