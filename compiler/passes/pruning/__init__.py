"""Passes that take channels away."""
