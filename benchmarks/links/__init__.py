"""Sweeps over links: error rates against the SNR, searches for a target, schemes for a channel."""
