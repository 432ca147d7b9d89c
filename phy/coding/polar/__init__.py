"""Polar codes of TS 38.212."""
