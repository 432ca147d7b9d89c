"""How fast decoding and whole simulations are, as ratios to plain Sionna in the same run."""
