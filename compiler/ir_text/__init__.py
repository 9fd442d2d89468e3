"""The IR as text, and back."""
