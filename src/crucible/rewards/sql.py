"""How good an SQL query is, by what it returns and by how it is written."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Literal

from crucible.errors import UserError, nearest
from crucible.rewards import sql_text
from crucible.rewards.base import per_sample
from crucible.rewards.libraries import required
from crucible.rewards.places import tagged
from crucible.rewards.sql_run import Rows, run
from crucible.rewards.tags import RULES
from crucible.types import Completion, Prompt

WEIGHTS: Mapping[str, float] = MappingProxyType(
    {"execution": 3.0, "syntax": 1.0, "schema": 1.0, "ngram": 1.0, "format": 1.0}
)
ORDERS = ("as_reference", "always", "never")
_LONGEST = 10_000  # characters of a query; a longer one is none


def _check(
    *, weights: Mapping[str, float] = WEIGHTS, row_order: str = "as_reference", n: int = 2, format_rule: str = "order",
    steps: int = 10_000_000, rows: int = 10_000, **_: Any,
) -> None:  # fmt: skip
    required("sqlglot", "sqlglot")
    for name in weights:
        if name not in WEIGHTS:
            raise UserError(f"reward.weights.{name}{nearest(name, WEIGHTS)}: parts are {', '.join(WEIGHTS)}")
    if row_order not in ORDERS:
        raise UserError(f"reward.row_order is {row_order!r}; it must be one of {', '.join(ORDERS)}")
    if format_rule not in RULES:
        raise UserError(
            f"reward.format_rule is {format_rule!r}{nearest(format_rule, RULES)}; one of {', '.join(RULES)}"
        )
    if min(n, steps, rows) < 1:
        raise UserError(f"reward.n={n}, reward.steps={steps}, reward.rows={rows}: at least 1")


@per_sample(needs=["sql", "database"], check=_check)
def sql(
    prompt: Prompt,
    completion: Completion,
    *,
    weights: Mapping[str, float] = WEIGHTS,
    row_order: Literal["as_reference", "always", "never"] = "as_reference",
    n: int = 2,
    format_rule: str = "order",
    steps: int = 10_000_000,
    rows: int = 10_000,
) -> float | None:
    """Weighted sum of five parts, each from 0 to 1 (a part without a weight is not computed).

    execution: the query returns the rows of the reference query (1 or 0). syntax: it runs without an error.
    schema: Jaccard index of the tables and columns named. ngram: Jaccard index of the n-grams of SQL tokens.
    format: `tags` by `format_rule`. The query is the last ```sql block in the last <answer>, or in the whole text where
    there is no <answer>; an <answer> without a block is the query.

    Source: Reasoning-SQL (arXiv 2503.23157), weights 3, 1, 1, 1, 1 and bigrams as in two public re-implementations
    that cite it; the paper's own table was not read. Differs from them: tokens are SQL's (sqlglot), not split at white
    space. Their judge (weight 2, asked only where execution is 0) is left to composition with another reward.

    `row_order`: rows must come in the same order where the reference query orders its outermost rows ("as_reference"),
    "always", or "never"; duplicates always count. Two empty results are equal, so a reference query without rows is an
    easy one. A query runs on SQLite in memory, read only, for at most `steps` steps and `rows` rows.
    reference "sql": the reference query; "database": the path of an SQLite file, or a script that builds one.

    No verdict (abstains) where the reference query itself does not run. Errors: UserError for a database that cannot
    be built.
    """
    gold, database = str(prompt.reference["sql"]), str(prompt.reference["database"])
    wanted = run(database, gold, steps=steps, rows=rows)
    if wanted is None:
        return None
    query = _query(completion.text)
    returned = None if query is None else run(database, query, steps=steps, rows=rows)
    parts = {
        "execution": lambda: returned is not None and _same(returned, wanted, _ordered(gold, row_order)),
        "syntax": lambda: returned is not None,
        "schema": lambda: sql_text.jaccard(sql_text.names(query or ""), sql_text.names(gold)),
        "ngram": lambda: sql_text.jaccard(sql_text.ngrams(query or "", n), sql_text.ngrams(gold, n)),
        "format": lambda: RULES[format_rule](completion.text),
    }
    return sum(weight * float(parts[name]()) for name, weight in weights.items() if weight)


def _query(text: str) -> str | None:
    answers = tagged(text, "answer")
    where = answers[-1] if answers else text
    _, fence, block = where.rpartition("```sql")
    if fence:
        query = block.partition("```")[0]
    elif answers:
        query = where
    else:
        return None
    query = query.strip()
    return query if 0 < len(query) <= _LONGEST else None


def _same(returned: Rows, wanted: Rows, ordered: bool) -> bool:
    return returned == wanted if ordered else Counter(returned) == Counter(wanted)


def _ordered(gold: str, row_order: str) -> bool:
    if row_order != "as_reference":
        return row_order == "always"
    import sqlglot
    from sqlglot.errors import SqlglotError

    try:
        return sqlglot.parse_one(gold, read="sqlite").args.get("order") is not None
    except SqlglotError:  # it runs, but sqlglot cannot read it
        return "order by" in " ".join(gold.lower().split())
