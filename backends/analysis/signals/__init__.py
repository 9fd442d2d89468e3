"""Signals of a network of infinite width at its start: variances forward, gradients backward."""
