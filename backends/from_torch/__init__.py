"""Modules of PyTorch as programs: a trace, its modules as blocks, their text."""
