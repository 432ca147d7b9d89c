"""Asks questions of whole systems: sweeps, statistics, results, plots and the command line."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
