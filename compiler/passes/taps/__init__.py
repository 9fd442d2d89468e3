"""Taps that cost nothing where nobody asks for them."""
