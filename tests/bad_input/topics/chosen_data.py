"""Pipelines that choose data: `python -m crucible.verification` and `python -m crucible.cotp`."""

from __future__ import annotations

import json

from tests.bad_input.case import Case

PROBLEMS = "".join(
    json.dumps({"problem": name, "prompt": f"{name} x", "entry_point": "f", "gold": [f"assert f(3) == {value}"]}) + "\n"
    for name, value in {"square": 9, "double": 6}.items()
)
SOLUTION = '{"problem": "square", "completion": "def f(x): return x * x"}\n'
OTHER = SOLUTION.replace("square", "half")
SUITE = '{"problem": "square", "suite": "mine", "tests": ["assert f(2) == 4"]}\n'
FILES = {"p.jsonl": PROBLEMS, "s.jsonl": SOLUTION, "t.jsonl": SUITE}
GIVEN = "-m crucible.verification out=v problems=p.jsonl solutions=s.jsonl suites=t.jsonl"
CHAIN = '{"id": "1", "prompt": "1+1=", "completion": "2"}\n'

CASES = [
    Case(
        name="no such strategy",
        command="-m crucible.verification out=v suite=minimall:4",
        sees='suite=minimall (did you mean "minimal"?): one of gold, minimal, random, structured, progressive',
    ),
    Case(
        name="a suite without tests",
        command="-m crucible.verification out=v suite=minimal:0",
        sees="suite=minimal:0: write strategy:tests:error_rate, for example structured:8:0.1",
    ),
    Case(
        name="a threshold above 1",
        command="-m crucible.verification out=v tau=1.5",
        sees="tau=1.5: must be above 0 and at most 1",
    ),
    Case(
        name="a language without a runner",
        command="-m crucible.verification out=v language=brainfuck",
        sees='unknown sandbox language "brainfuck"; there are ...',
    ),
    Case(
        name="a file of problems that is not there",
        command=GIVEN,
        sees="cannot read p.jsonl: No such file or directory",
    ),
    Case(
        name="a solution of no problem",
        command=GIVEN,
        files={**FILES, "s.jsonl": OTHER},
        sees="s.jsonl:1: there is no problem 'half'",
    ),
    Case(
        name="problems that the generator has not made",
        command="-m crucible.verification out=v problems=p.jsonl",
        files={"p.jsonl": PROBLEMS},
        sees="problem square was not made by the embedded generator, which cannot write solutions for it: use "
        "solutions=endpoint, or a file",
    ),
    Case(
        name="a suite that the file has not",
        command=f"{GIVEN} suite=mini",
        files=FILES,
        sees='suite=mini: t.jsonl has no such suite (did you mean "mine"?); it has mine',
    ),
    Case(
        name="an endpoint without an address",
        command="-m crucible.verification out=v problems=p.jsonl solutions=endpoint suites=t.jsonl",
        files=FILES,
        sees="an endpoint is asked for: give endpoint=http://... and endpoint_model=NAME",
    ),
    Case(
        name="more shards than there are",
        command="-m crucible.verification out=v shard=9/8",
        sees="shard=9/8: write 3/8 for the third of eight shards",
    ),
    Case(
        name="a typo in an option",
        command="-m crucible.verification out=v taw=0.5",
        sees='unknown option taw (did you mean "tau"?); options: ...',
    ),
    Case(
        name="a typo in a stage",
        command="-m crucible.cotp anotate chains=pool",
        sees='no stage anotate (did you mean "annotate"?); stages: ...',
    ),
    Case(
        name="an annotator without an address",
        command="-m crucible.cotp annotate chains=pool",
        files={"pool/chains.jsonl": CHAIN},
        sees="annotate by=endpoint needs url=http://.../v1 and model=NAME; by=rules reads generated pools",
    ),
    Case(
        name="chains that are not there",
        command="-m crucible.cotp annotate chains=nowhere by=rules",
        sees="no chains at nowhere/chains.jsonl",
    ),
    Case(
        name="an empty chain",
        command="-m crucible.cotp annotate chains=pool by=rules",
        files={"pool/chains.jsonl": CHAIN.replace('"2"', '""')},
        sees="pool/chains.jsonl:1 is an empty chain: its completion has no text",
    ),
    Case(
        name="how many to choose is not said",
        command="-m crucible.cotp distances pool=pool core=core out=d",
        files={"pool/chains.jsonl": CHAIN, "core/chains.jsonl": CHAIN},
        sees="missing per_core=...",
    ),
    Case(
        name="a pool that was not annotated",
        command="-m crucible.cotp distances pool=pool core=core out=d per_core=2 lambda_=1",
        files={"pool/chains.jsonl": CHAIN, "core/chains.jsonl": CHAIN},
        sees="no patterns.jsonl in pool; python -m crucible.cotp annotate makes it",
    ),
    Case(
        name="a selection before the distances",
        command="-m crucible.cotp select pool=pool distances=d out=x.jsonl",
        sees="no settings.json in d; python -m crucible.cotp distances makes it",
    ),
]
