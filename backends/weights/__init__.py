"""Weights by path: what a model holds, maps to the names of other checkpoints, safetensors files."""
