"""How good is what arrived: pictures and text."""
