"""Formats: SVG, TikZ, HTML, text, pixels."""
