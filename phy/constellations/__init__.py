"""Constellations: their names, the points of those whose axes belong together, and the general demapper."""
