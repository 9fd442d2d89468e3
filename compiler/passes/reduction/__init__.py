"""Solvers of differential equations in fewer coordinates."""
