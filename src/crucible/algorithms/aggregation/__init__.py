"""Aggregations: (per_token (N, T), mask (N, T), totals) -> scalar.

Each divides by the totals of the whole optimiser step, so the values (and gradients) of its
micro-batches add up to exactly those of the unsplit batch.
"""
