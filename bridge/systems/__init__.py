"""Whole systems, from source to reconstruction, with every channel use counted."""
