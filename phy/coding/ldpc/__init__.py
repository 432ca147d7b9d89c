"""LDPC codes: of 5G NR and of parity-check matrices."""
