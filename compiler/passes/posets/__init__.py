"""Poset pools, put in and averaged."""
