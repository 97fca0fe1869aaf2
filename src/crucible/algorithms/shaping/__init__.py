"""Reward shaping: (scores, group, mask, ... by name, *, hyper-parameters) -> Scores, before the advantage.

Parts are applied in the order they are named in, each to what the one before made. Only the advantage and the loss
see shaped rewards; the sampler, the filter, the auxiliary losses and the reported reward keep the reward's own.
"""
