"""What elaboration knows while it walks a body."""
