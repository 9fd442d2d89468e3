"""The typed IR: definitions, graphs, nodes."""
