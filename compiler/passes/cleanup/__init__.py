"""Passes that simplify and flatten."""
