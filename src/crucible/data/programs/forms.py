"""The normal form of a program: two with one form differ in nothing but layout, brackets and names."""

from __future__ import annotations

import ast
import hashlib
import warnings

from crucible.parsing import PARSING

LONGEST = 4_000  # characters that are parsed in this process; parsing runs nothing
UNREADABLE = "unreadable "


def form(program: str) -> str:
    """Python with the names the program binds numbered in order; a hash of the text where it does not parse."""
    tree = parsed(program)
    if tree is None:
        return UNREADABLE + hashlib.blake2b(program.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()
    names: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.arg):
            names.setdefault(node.arg, f"v{len(names)}")
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.setdefault(node.id, f"v{len(names)}")
    for node in ast.walk(tree):
        if isinstance(node, ast.arg):
            node.arg = names[node.arg]
        elif isinstance(node, ast.Name):
            node.id = names.get(node.id, node.id)
    try:
        return ast.unparse(tree)
    except (ValueError, RecursionError):
        return UNREADABLE + hashlib.blake2b(program.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()


def parsed(program: str) -> ast.Module | None:
    """The syntax tree; None for what is not Python, or too long to be looked at here."""
    if len(program) > LONGEST:
        return None
    try:
        with PARSING, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(program)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
