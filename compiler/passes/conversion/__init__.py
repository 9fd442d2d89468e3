"""What passes do to weights: the conversion graph."""
