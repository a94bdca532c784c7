"""Degradation of raw k-space: ranges, a draw that holds all randomness, and its deterministic application."""
