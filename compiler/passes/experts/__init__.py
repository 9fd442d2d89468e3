"""Experts that are averaged into one block."""
