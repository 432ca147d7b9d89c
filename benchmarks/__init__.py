"""Asks questions of whole systems: sweeps, statistics, results, plots and the command line."""
