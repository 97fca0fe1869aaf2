from __future__ import annotations

import sqlite3
import time
from itertools import pairwise

import pytest

from crucible.config.compose import compose
from crucible.errors import UserError
from crucible.parts import Parts
from crucible.rewards.sql import sql
from crucible.rewards.sql_run import run
from crucible.rewards.sql_text import jaccard, names, ngrams
from tests.conftest import ROOT
from tests.rewards.cases import completions, prompt, scored
from tests.rewards.parts import Fixed, of, values

DATABASE = """CREATE TABLE pets (name TEXT, kind TEXT, age INTEGER);
INSERT INTO pets VALUES ('Ada', 'cat', 3), ('Bob', 'dog', 5), ('Cy', 'cat', 9);"""
GOLD = "SELECT name FROM pets WHERE kind = 'cat'"
LIMITS = {"steps": 1_000_000, "rows": 100}
ONE = {name: 0.0 for name in ("execution", "syntax", "schema", "ngram", "format")}


def answer(query):
    return f"<think>t</think><answer>{query}</answer>"


def value(query, *, gold=GOLD, database=DATABASE, only=None, **options):
    if only:
        options["weights"] = ONE | {only: 1.0}
    scores = scored(sql(**options), [prompt(sql=gold, database=database)], completions(answer(query)))
    return None if scores.valid is not None else scores.total.item()


@pytest.mark.parametrize(
    ("query", "execution", "syntax"),
    [
        (GOLD, 1, 1),
        ("SELECT name FROM pets WHERE age <> 5", 1, 1),  # other words, the same rows
        ("SELECT name FROM pets WHERE kind = 'cat' ORDER BY age DESC", 1, 1),  # the order is not asked for
        ("SELECT name, age FROM pets WHERE kind = 'cat'", 0, 1),
        ("SELECT name FROM pets WHERE kind = 'cat' UNION ALL SELECT 'Ada'", 0, 1),  # duplicates count
        ("SELECT nme FROM pets", 0, 0),
        ("", 0, 0),
    ],
)
def test_execution_and_syntax(query, execution, syntax):
    assert value(query, only="execution") == execution
    assert value(query, only="syntax") == syntax


def test_the_order_of_rows():
    ordered, reversed_ = f"{GOLD} ORDER BY age", f"{GOLD} ORDER BY age DESC"
    assert value(reversed_, gold=ordered, only="execution") == 0.0
    assert value(reversed_, gold=ordered, only="execution", row_order="never") == 1.0
    assert value(reversed_, only="execution", row_order="always") == 0.0
    inner = "SELECT name FROM (SELECT * FROM pets ORDER BY age DESC) WHERE kind = 'cat'"
    assert value(GOLD, gold=inner, only="execution") == 1.0  # the outermost rows are in no order


def test_likeness_by_hand():
    """pets, name, kind of the one; pets, name, age of the other: 2 of 4. Bigrams are of tokens, not of words."""
    other = "SELECT name FROM pets WHERE age=3"
    assert value(other, only="schema") == pytest.approx(2 / 4)
    mine, gold = (
        other.lower().replace("=", " = ").split(),
        ["select", "name", "from", "pets", "where", "kind", "=", "cat"],
    )
    bigrams = [set(pairwise(t)) for t in (mine, gold)]
    assert value(other, only="ngram") == pytest.approx(len(bigrams[0] & bigrams[1]) / len(bigrams[0] | bigrams[1]))
    assert names("SELECT p.Name, * FROM Pets AS p") == {("table", "pets"), ("column", "name"), ("column", "*")}
    assert ngrams("SELECT", 2) == {("select",)}
    assert jaccard(set(), set()) == 0.0


def test_weighted_sum():
    """3 execution + syntax + schema + ngram + format; the published sum has 2 x judge in it, which is not ours."""
    parts = {name: value("SELECT name FROM pets", only=name) for name in ONE}
    assert parts["execution"] == 0.0
    assert value("SELECT name FROM pets") == pytest.approx(sum(parts.values()), rel=1e-6)
    assert value(GOLD) == 7.0


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"```sql\nSELECT 1\n```\n```sql\n{GOLD}\n```", 1.0),
        (f"```sql\n{GOLD}", 1.0),  # cut off behind the query
        (f"<answer>```sql\n{GOLD}```</answer>", 1.0),
        (GOLD, 0.0),  # in no declared place
    ],
)
def test_where_the_query_stands(text, expected):
    reward = sql(weights=ONE | {"execution": 1.0})
    assert scored(reward, [prompt(sql=GOLD, database=DATABASE)], completions(text)).total.item() == expected


@pytest.mark.parametrize(
    "query",
    [
        "DROP TABLE pets", "DELETE FROM pets", "INSERT INTO pets VALUES ('x', 'y', 1)", "PRAGMA writable_schema = 1",
        "ATTACH DATABASE '/tmp/x.db' AS x", "SELECT 1; DROP TABLE pets", "VACUUM INTO '/tmp/x.db'", "BEGIN",
        "WITH x AS (SELECT 1) DELETE FROM pets", "SELECT load_extension('x')", "CREATE TEMP TABLE t (x)",
        "SELECT zeroblob(1000000000)",
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n",
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n",
        "SELECT \x00", "SELECT '\ud800'", "(" * 5000, "SELECT " + "(" * 2000 + "1" + ")" * 2000,
    ],
)  # fmt: skip
def test_a_query_can_only_read_and_not_for_long(query):
    started = time.perf_counter()
    assert run(DATABASE, query, **LIMITS) is None
    assert time.perf_counter() - started < 5
    assert run(DATABASE, "SELECT count(*) FROM pets", **LIMITS) == [(3,)]


def test_a_file_is_read_and_left_as_it_is(tmp_path):
    file = tmp_path / "pets.sqlite"
    made = sqlite3.connect(file)
    made.executescript(DATABASE)
    made.close()
    before = file.read_bytes()
    assert value(GOLD, database=str(file), only="execution") == 1.0
    assert value("DELETE FROM pets", database=str(file), only="syntax") == 0.0
    assert file.read_bytes() == before
    assert sorted(p.name for p in tmp_path.iterdir()) == ["pets.sqlite"]


def test_a_reference_query_that_does_not_run_is_no_verdict():
    assert value(GOLD, gold="SELECT nothing FROM nowhere") is None


@pytest.mark.parametrize(
    ("database", "said"),
    [("/no/such/file.db", "no SQLite file"), ("CREATE TABLE x (", "cannot build"),
     ("CREATE TABLE x (a);\nATTACH DATABASE '/tmp/y.db' AS y;", "not authorized")],
)  # fmt: skip
def test_a_database_that_cannot_be_built_stops_the_run(database, said):
    with pytest.raises(UserError, match=said):
        value(GOLD, database=database)


@pytest.mark.parametrize(
    "options", [{"weights": {"exec": 1.0}}, {"row_order": "any"}, {"format_rule": "xml"}, {"n": 0}, {"steps": 0}]
)
def test_senseless_options_are_refused(options):
    with pytest.raises(UserError, match=f"reward.{next(iter(options))}"):
        sql(**options)


def reasoning_sql(judge):
    """reward=reasoning_sql as its YAML describes it, with another judge."""
    data = [
        "data=jsonl",
        "data.path=sql.jsonl",
        "data.answer_column=sql",
        "data.reference={sql: sql, database: database}",
    ]
    place = "reward.parts.outcome.model.parts.judge"
    node = compose([*data, "reward=reasoning_sql", f"reward@{place}=format"], ROOT).config["reward"]
    reward = Parts({}).build(node)
    reward.parts["outcome"].parts["model"].parts["judge"] = judge
    return reward


def test_reasoning_sql_on_the_worked_number():
    """Execution 0, judge 0.5, syntax 1, schema 0.5, n-grams 0.25, form 1: 3.75; a right query's judge is unpaid."""
    judge = Fixed(0.5, 1.0)
    reward = reasoning_sql(judge)
    reward.parts["outcome"].parts["rule"], reward.parts["rest"] = Fixed(0.0, 3.0), Fixed(2.75, 4.0)
    assert values(of(reward, 2)) == [3.75, 7.0]
    assert judge.asked == [[0]]


def test_reasoning_sql_asks_the_judge_about_queries_with_wrong_rows_alone():
    class Judge(Fixed):
        def __call__(self, prompts, rows, context):
            self.asked.append([row.text for row in rows])
            return scored(sql(weights=ONE), prompts, rows)  # 0 for all

    judge = Judge()
    wrong, right = "SELECT name, age FROM pets WHERE kind = 'cat'", GOLD
    asked = [prompt(i, sql=GOLD, database=DATABASE, answer=GOLD) for i in range(2)]
    found = scored(reasoning_sql(judge), asked, completions(answer(wrong), answer(right)))
    rest = [sum(value(q, only=name) for name in ONE if name != "execution") for q in (wrong, right)]
    assert found.total.tolist() == pytest.approx([rest[0], 3.0 + rest[1]])
    assert rest[1] == pytest.approx(4.0)
    assert judge.asked == [[answer(wrong)]]
    assert {"outcome", "outcome/rule", "outcome/model/judge", "rest"} <= set(found.components)
