"""What can be said of values without running anything: entries, rows, ranges, fills."""
