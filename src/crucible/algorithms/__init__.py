"""Policy losses, advantages, aggregations, group filters and auxiliary losses: pure functions on tensors.

Shapes everywhere: N rows (completions), T completion tokens. One file is one method.
"""
