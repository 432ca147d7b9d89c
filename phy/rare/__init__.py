"""Failures too rare to be counted: their probability by a ladder of noise strengths."""
