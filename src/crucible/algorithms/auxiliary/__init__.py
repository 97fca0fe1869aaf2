"""Auxiliary losses: objects with `coefficient`, `select` (which tokens) and `per_token` (what loss).

`select` runs once before the update; the term added to the loss is
coefficient * sum(weights * per_token) / (sum of the weights over the whole update).
"""
