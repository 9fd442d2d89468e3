"""What the graph of a model knows: domains of one abstract interpreter, a rule for each operation."""
