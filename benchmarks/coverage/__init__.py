"""``python -m benchmarks.coverage``: how often the intervals that semphy prints hold the truth."""
