"""Carries payloads between `phy` and `semantic`, and composes whole systems from both."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
