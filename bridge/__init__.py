"""Carries payloads between `phy` and `semantic`, and composes whole systems from both."""
