"""Tiny, randomly initialised checkpoints of the real classes, in the hub's layout, for tests of the adapters.

``tests/conftest.py`` puts ``tests/`` on the path: a test says ``from tiny.language import write_bart``.
"""
