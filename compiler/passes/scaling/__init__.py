"""Maximal update: how weights must start, be multiplied and be trained as a width grows."""
