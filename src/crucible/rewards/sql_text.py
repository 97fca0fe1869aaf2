"""How alike two SQL queries are as texts."""

from __future__ import annotations

from collections.abc import Set


def jaccard(a: Set[object], b: Set[object]) -> float:
    """Size of the intersection over that of the union; 0 for two empty sets."""
    return len(a & b) / len(a | b) if a or b else 0.0


def names(query: str) -> set[tuple[str, str]]:
    """The tables and columns a query speaks of, in lower case; none where it cannot be parsed."""
    import sqlglot
    from sqlglot import exp
    from sqlglot.errors import SqlglotError

    try:
        tree = sqlglot.parse_one(query, read="sqlite")
        tables = {("table", table.name.lower()) for table in tree.find_all(exp.Table)}
        columns = {("column", column.name.lower()) for column in tree.find_all(exp.Column)}
        stars = {("column", "*") for _ in tree.find_all(exp.Star)}
    except (SqlglotError, RecursionError):  # no SQL; SQL nested without end
        return set()
    return tables | columns | stars


def ngrams(query: str, n: int) -> set[tuple[str, ...]]:
    """The n-grams of its SQL tokens, in lower case; of the whole where there are fewer than n."""
    from sqlglot.errors import SqlglotError
    from sqlglot.tokens import Tokenizer

    try:
        tokens = [token.text.lower() for token in Tokenizer(dialect="sqlite").tokenize(query)]
    except SqlglotError:
        return set()
    if not tokens:
        return set()
    return {tuple(tokens[i : i + n]) for i in range(max(1, len(tokens) - n + 1))}
