"""How weights are declared and initialized."""
