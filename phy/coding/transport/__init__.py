"""Transport blocks: check sums, segmentation, concatenation (TS 38.212)."""
