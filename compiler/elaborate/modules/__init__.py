"""Files, imports and names, and what is wrong with them."""
