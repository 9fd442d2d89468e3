"""Coupled channels: which entries of weights go together, and which may not go."""
