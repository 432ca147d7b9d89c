"""Whole systems compared over the same sources, SNRs and trials."""
