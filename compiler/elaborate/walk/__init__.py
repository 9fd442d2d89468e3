"""The walk over a body: statements and expressions."""
