"""Graphs of models with labels that no name is in: hashes, distances, features."""
