"""Passes: typed IR to typed IR. What all targets take is in `pipelines.lowering`; importing this imports none."""
