"""Procedural scenes: pictures with exact captions and masks, on which right and wrong can be counted."""
