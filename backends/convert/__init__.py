"""Conversions, run on tensors."""
