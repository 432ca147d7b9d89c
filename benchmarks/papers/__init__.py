"""Papers run again, and what their text claims held against the run."""
