"""The library: `.arch` files by module name."""
