"""Codes decoded on a trellis: convolutional codes, terminated and tail-biting, and turbo codes."""
