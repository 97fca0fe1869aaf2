"""Critics: heads on the policy's hidden states that learn beside it.

`reads` says of what: "tokens" (the state that predicts each) or "prompt" (the mean of its states). `gives` lists the
names that parts may ask for because of it (crucible.algorithms.given). A critic with `per_token` has a loss of its own;
one without learns through the loss that names what it gives.
"""
