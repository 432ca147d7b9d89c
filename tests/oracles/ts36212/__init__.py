"""Oracles written from TS 36.212."""
