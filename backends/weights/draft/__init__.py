"""A first map between a model and a checkpoint, guessed from names, shapes and order."""
