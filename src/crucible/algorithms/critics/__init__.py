"""Critics: what predicts the return of a completion from its tokens so far."""
