"""Whole systems, from source to reconstruction, with every channel use counted."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
