"""Bits, symbols and channels. This room knows nothing of words, the meaning of pictures, or models."""
