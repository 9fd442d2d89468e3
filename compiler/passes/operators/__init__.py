"""Networks on a grid as operators on functions."""
