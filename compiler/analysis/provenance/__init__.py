"""Where the axes of values come from: which are one, and how the entries of one lie in another."""
