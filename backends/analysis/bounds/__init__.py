"""Bounds of the outputs over a box of inputs: intervals, linear bounds, branch and bound."""
