"""Links: whole chains from bits to bits, or from symbols to symbols."""
