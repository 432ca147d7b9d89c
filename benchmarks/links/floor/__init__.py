"""``semphy ber --floor``: error rates too low to be counted."""
