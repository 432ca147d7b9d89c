"""Codes decoded by algebra over finite fields: Hamming, BCH, Reed-Solomon."""
