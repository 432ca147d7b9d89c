"""Pictures, words and features: models, metrics and data. This room knows nothing of bits or channels."""
