"""Policy losses: (logps, old_logps, advantages, mask, ...more names, *, hyper-parameters) -> PolicyLoss.

All tensors are (N, T) unless said otherwise; the loss is minimised. F in the docstrings is the coefficient on
A * grad log pi, so d(per_token)/d(logps) = -F * A; A is the advantage and
delta = exp(logps - old_logps) the importance ratio. Losses that are no policy gradient give the derivative itself.

Row losses (one value for a completion) stand on every token of the row, each token with its own share of the
gradient, so that the mean over the tokens, then over the rows, is the method's objective.
"""
