"""Objectives of scalar reward models: pure functions of scores, without any model.

In the docstrings r_c and r_r are the scores of the better and of the worse answer of a pair, d = r_c - r_r, m the
margin and s the logistic function. Only differences between answers to one prompt mean anything, unless centred.
"""
