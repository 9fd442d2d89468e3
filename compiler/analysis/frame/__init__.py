"""What all analyses have in common: the interpreter, and results."""
