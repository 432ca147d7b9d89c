"""Channels: symbols in, equalised symbols and their noise variances out."""
