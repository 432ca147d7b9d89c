"""Carries payloads between `phy` and `semantic`, and composes whole systems from both."""

from bridge.air.sending import send, send_together

__all__ = ["send", "send_together"]
