"""Parts that several systems are made of."""
