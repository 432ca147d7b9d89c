"""Bits, symbols and channels. This room knows nothing of words, the meaning of pictures, or models."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
