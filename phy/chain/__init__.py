"""Whole simulation chains in compiled code."""
