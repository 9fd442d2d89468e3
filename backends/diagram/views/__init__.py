"""Views of a figure beside the circuit: what they show, before it has places."""
