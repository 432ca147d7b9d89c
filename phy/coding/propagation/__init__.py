"""Belief propagation on graphs: compiled, in PyTorch, and as an executable specification."""
