"""Passes that make a network larger and leave what it computes as it is."""
