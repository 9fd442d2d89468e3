"""Blocks made again from a flat graph."""
