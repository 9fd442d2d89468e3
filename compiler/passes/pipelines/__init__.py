"""Lists of passes, by name and by recipe."""
