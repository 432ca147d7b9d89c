"""The command line: ``semphy``, also ``python -m benchmarks``."""
