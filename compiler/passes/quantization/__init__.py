"""Quantization: which values are rounded to steps, and the graph that does it."""
