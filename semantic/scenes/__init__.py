"""Procedural scenes: pictures with exact captions and masks, on which right and wrong can be counted."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
