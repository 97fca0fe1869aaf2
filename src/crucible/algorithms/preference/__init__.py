"""Preference losses: of pairs of answers, or of single answers that are called good or bad -> PreferenceLoss.

Tensors are (P,) pairs or (K,) answers; log-probs are summed over the tokens of an answer. In the docstrings y_w is the
better answer, y_l the worse one, w and l their log-ratios log pi(y) - log pi_ref(y), d = w - l, s the logistic function
and a the log-prob divided by the length. The loss of a step is the mean over its pairs or answers.
"""
