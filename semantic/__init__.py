"""Pictures, words and features: models, metrics and data. This room knows nothing of bits or channels."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
