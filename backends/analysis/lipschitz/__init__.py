"""How far outputs may move for one step of the inputs, in the Euclidean norm."""
