"""Partially ordered sets, and their closed forms."""
