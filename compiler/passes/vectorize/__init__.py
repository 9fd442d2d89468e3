"""`over` and `each` as batched operations: one batching rule for each."""
