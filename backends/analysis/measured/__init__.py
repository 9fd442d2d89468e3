"""Analyses that run a model on data: features, gradients, losses between weights."""
