"""The entropy of a softmax and its gradient, in plain floating-point arithmetic."""

from __future__ import annotations

import math

import torch


def entropy_and_gradient(logits):
    """H in nats, and dH/dz_v = -p_v (log p_v + H)."""
    highest = max(logits)
    total = sum(math.exp(z - highest) for z in logits)
    logps = [z - highest - math.log(total) for z in logits]
    entropy = -sum(math.exp(lp) * lp for lp in logps)
    return entropy, [-math.exp(lp) * (lp + entropy) for lp in logps]


def exact_entropy(logits):
    """The same by autograd."""
    logps = logits.log_softmax(-1)
    return -(logps.exp() * logps).sum(-1)


def gradient_of(control, rows):
    """d(sum over tokens of the loss term) / d logits for rows of one token each."""
    logits = torch.tensor(rows, dtype=torch.float64, requires_grad=True)
    entropy = exact_entropy(logits).unsqueeze(-1)
    control.loss_term(entropy).sum().backward()
    return logits.grad.tolist()
