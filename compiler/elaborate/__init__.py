"""The elaborator: syntax tree to checked IR."""
