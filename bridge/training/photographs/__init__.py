"""Models that learn from photographs."""
