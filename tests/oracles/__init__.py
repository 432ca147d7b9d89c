"""Independent oracles, each in a folder named by its source; none shares code with what it judges."""
