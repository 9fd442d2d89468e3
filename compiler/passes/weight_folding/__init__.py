"""Linear maps folded into one another, with their weights."""
