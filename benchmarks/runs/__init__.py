"""Runs: tasks, stored counts and rows, intervals, tables. Knows nothing of links or systems."""
