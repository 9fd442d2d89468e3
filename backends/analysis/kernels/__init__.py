"""Kernels of networks of infinite width: NNGP and NTK, propagated through the graph."""
