"""IR to a PyTorch module."""
