"""The pass manager, rewriting, dead code."""
