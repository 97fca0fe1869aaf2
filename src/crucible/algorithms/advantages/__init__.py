"""Advantage estimators: (scores, group (N,), mask (N, T), *, hyper-parameters) -> Advantages.

They read `scores.total` alone, so one value per completion, the same on all its tokens. Rows with
`scores.valid` False enter no statistic, get advantage 0 and `keep` False. A group with one valid row
has nothing to compare with: advantage 0.
"""
