"""Where things stand: placement, routing, rows, overviews."""
