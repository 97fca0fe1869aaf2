"""Policy losses: (logps, old_logps, advantages, mask, *, hyper-parameters) -> PolicyLoss.

All tensors are (N, T); the loss is minimised. F in the docstrings is the coefficient on
A * grad log pi, so d(per_token)/d(logps) = -F * A; A is the advantage and
delta = exp(logps - old_logps) the importance ratio.
"""
