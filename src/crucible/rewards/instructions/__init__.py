"""Constraints on the form of an answer that a program can check, after IFEval (arXiv 2311.07911).

An instruction called `group:name` is the function `name` of the module `group` here: `check(text, **arguments)`,
True where `text` keeps it. Nothing is registered: a new function is a new instruction. Every check is linear in the
text and raises on none.
"""
