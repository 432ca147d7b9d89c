"""BPG files, written and read."""
