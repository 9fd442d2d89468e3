"""Targets: each knows the IR and its own framework."""
