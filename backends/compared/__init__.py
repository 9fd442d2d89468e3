"""What two forms of a model are compared on, and how."""
