"""Text to syntax tree, and diagnostics."""
