"""Functions of emitted files: graphs to statements, in any target."""
