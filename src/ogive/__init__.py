"""Ogive: a small, typed language for neural architectures, and its compiler."""

__version__ = "0.1.0"
