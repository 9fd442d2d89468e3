"""What a figure is made of: geometry, measured text, labels, themes."""
