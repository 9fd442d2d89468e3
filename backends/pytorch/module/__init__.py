"""Modules: classes, calls, regions, states, the file that holds them."""
