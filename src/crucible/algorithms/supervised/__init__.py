"""Supervised losses: (logps, ...more names, *, hyper-parameters) -> PolicyLoss, on tokens of worked answers.

All tensors are (K, T); p = pi(y_t) is the probability of the demonstrated token, sg stops the gradient. The derivative
in log p is minus the weight that a token's grad log pi has: 1 in plain supervised learning, p in DFT.
"""
