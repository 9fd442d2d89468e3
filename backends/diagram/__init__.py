"""Diagrams of blocks and models: neural circuit diagrams and overviews, laid out here, written in many formats."""
