"""Conversions of weights, run and written as Python."""
