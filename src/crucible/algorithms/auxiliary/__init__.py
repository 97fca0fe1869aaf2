"""Auxiliary losses: objects with a `coefficient`, of two kinds, by the methods they have.

On sampled tokens: `select` (which tokens; once before the update) and `per_token` (what loss). The term is
coefficient * sum(weights * per_token) / (sum of the weights over the whole update).

On the tokens of the reference answer behind the row's own reasoning, with a reward that puts it there: `per_answer`.
The term is coefficient * the aggregation of the policy loss, with its denominators.

Either may also have `shape`, which changes the advantages.
"""
