"""How weights start, in numbers."""
