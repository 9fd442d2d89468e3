"""Calls of blocks: specialization, instances, weight overrides."""
