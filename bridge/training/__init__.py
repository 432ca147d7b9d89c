"""Recipes that train the bundled models: resumable, logged, and the same for the same seed."""
