"""Python as text, for any target: expressions, names, lifetimes, loops, sizes."""
