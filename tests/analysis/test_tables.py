"""A table says what its runs say: values, intervals, tests, marks, and what is missing."""

from __future__ import annotations

import csv
import io
import json
import math

import numpy as np
import pytest
from scipy import stats

from crucible.analysis.find import find_runs
from crucible.analysis.results import write_results
from crucible.analysis.statistics import holm
from crucible.analysis.tables.program import built_table, table
from crucible.analysis.tables.reference import read_reference
from crucible.analysis.tables.render import as_csv, latex, markdown
from crucible.errors import UserError
from tests.conftest import ROOT

from .small_runs import write_run

TABLE = """\
title: Made up
baseline: GRPO
paper: {reference: made_up, table: "1", model: small}
columns:
  avg@4: {metric: avg@4, percent: true, paper: AIME24}
  entropy: {metric: policy/entropy, window: 0.2, better: none}
rows:
  start: {phase: before, paper: base}
  GRPO: {where: {algo.loss: ppo_clip, algo.loss.eps_high: 0.2}, paper: GRPO}
  DAPO: {where: {algo.loss: ppo_clip, algo.loss.eps_high: 0.28}}
  CISPO: {where: {algo.loss: cispo}, paper: CISPO}
"""
NUMBERS = """\
# made up
arxiv,version,table,model,method,metric,value,unit,note
1234.56789,v2,1,small,base,AIME24,29.2,%,
1234.56789,v2,1,small,GRPO,AIME24,33.40,%,
1234.56789,v2,1,small,CISPO,AIME24,32.9,%,read from a picture
1234.56789,v2,2,small,CISPO,AIME24,31.0,%,
"""
PROBLEMS = 40


def counts(seed: int, chance: float) -> list[int]:
    return np.random.default_rng([seed, int(1000 * chance)]).binomial(4, chance, size=PROBLEMS).tolist()


@pytest.fixture
def analysis(tmp_path):
    for folder, name, text in (("tables/made", "up.yaml", TABLE), ("reference", "made_up.csv", NUMBERS)):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / name).write_text(text)
    return tmp_path


@pytest.fixture
def runs(tmp_path):
    folder = tmp_path / "runs"
    for seed in (1, 2, 3):
        right = {"before": [1] * PROBLEMS, "after": counts(seed, 0.4)}
        write_run(
            folder / "e" / f"grpo{seed}", seed=seed, right=right, curves={"policy/entropy": [0.5, 0.1 * seed] * 5}
        )
        right = {"before": [1] * PROBLEMS, "after": counts(seed, 0.8)}
        options = {"algo.loss.eps_high": 0.28}
        write_run(folder / "e" / f"dapo{seed}", seed=seed, right=right, options=options,
                  curves={"policy/entropy": [0.5, 0.4] * 5})  # fmt: skip
    write_run(folder / "e" / "dapo4", seed=4, options={"algo.loss.eps_high": 0.28}, state="failed")
    return folder


def cell(built, row, column):
    names = [r.name for r in built.definition.rows], [c.name for c in built.definition.columns]
    return built.cells[names[0].index(row)][names[1].index(column)]


def build(analysis, runs, **options):
    return built_table("made/up", runs=(str(runs),), analysis_dir=analysis, **options)


def test_values_intervals_and_tests_are_those_of_the_runs(analysis, runs):
    built = build(analysis, runs)
    scores = [[sum(counts(seed, chance)) / 4 / PROBLEMS for seed in (1, 2, 3)] for chance in (0.4, 0.8)]
    for row, expected in zip(("GRPO", "DAPO"), scores, strict=True):
        found = cell(built, row, "avg@4")
        assert [s.values[0] for s in found.scores] == pytest.approx(expected)
        assert found.estimate.value == pytest.approx(np.mean(expected))
        half = stats.t.ppf(0.975, 2) * stats.sem(expected)
        assert found.estimate.value - found.estimate.low == pytest.approx(half, rel=0.02)
    against = cell(built, "DAPO", "avg@4").against
    assert against.method == "paired t-test over 3 seeds"
    assert against.p == pytest.approx(stats.ttest_rel(scores[1], scores[0]).pvalue)
    problems = [np.mean([counts(seed, c) for seed in (1, 2, 3)], axis=0) / 4 for c in (0.4, 0.8)]
    assert cell(built, "DAPO", "avg@4").by_problem.p == pytest.approx(stats.ttest_rel(*problems).pvalue)
    assert cell(built, "GRPO", "entropy").estimate.value == pytest.approx(np.mean([0.3, 0.35, 0.4]))


def test_holm_covers_every_comparison_of_outcomes_and_of_descriptions(analysis, runs):
    built = build(analysis, runs)
    tested = [c for line in built.cells for c in line if c.against is not None and not math.isnan(c.against.p)]
    assert len(tested) == 3  # start and DAPO on avg@4, DAPO on entropy
    assert built.tests == (2, 1)
    outcomes = [cell(built, row, "avg@4") for row in ("start", "DAPO")]
    assert [c.p_corrected for c in outcomes] == pytest.approx(holm([c.against.p for c in outcomes]).tolist())
    entropy = cell(built, "DAPO", "entropy")
    assert entropy.p_corrected == entropy.against.p
    assert "corrected for 2 and 1 comparisons (Holm; outcomes, and columns that only describe)" in markdown(built)


def test_the_start_is_one_measurement_however_many_runs_made_it(analysis, runs):
    found = cell(build(analysis, runs), "start", "avg@4")
    assert len(found.scores) == 1
    assert found.estimate.value == 0.25
    assert found.against.method == f"paired t-test over {PROBLEMS} problems"
    assert cell(build(analysis, runs), "start", "entropy").missing == "not measured"


def test_best_and_what_cannot_be_told_from_it(analysis, runs):
    built = build(analysis, runs)
    assert cell(built, "DAPO", "avg@4").best
    assert not cell(built, "GRPO", "avg@4").tied  # far apart
    for seed in (1, 2, 3):
        close = [min(4, c + (seed == 2)) for c in counts(seed, 0.8)]
        write_run(runs / "e" / f"cispo{seed}", seed=seed, right={"after": close},
                  options={"algo.loss._target_": "x.cispo.cispo"}, curves={"policy/entropy": [0.1] * 5})  # fmt: skip
    built = build(analysis, runs)
    assert cell(built, "CISPO", "avg@4").best
    assert cell(built, "DAPO", "avg@4").tied
    assert not any(c.best or c.tied for c in (cell(built, row, "entropy") for row in ("GRPO", "DAPO", "CISPO")))


def test_a_cell_without_runs_says_so_and_is_never_filled(analysis, runs):
    text = markdown(build(analysis, runs))
    line = next(x for x in text.splitlines() if x.startswith("| CISPO"))
    assert line == "| CISPO | 32.9 | no runs | no runs |"
    assert "CISPO: not counted: no run with algo.loss: cispo (there: ppo_clip)." in text
    assert "start, DAPO: not counted: e/dapo4 (failed at step 10 of 10)." in text
    write_run(runs / "e" / "cispo1", options={"algo.loss._target_": "x.cispo.cispo"}, state="failed")
    line = next(x for x in markdown(build(analysis, runs)).splitlines() if x.startswith("| CISPO"))
    assert line == "| CISPO | 32.9 | no finished runs | no finished runs |"


def test_printed_numbers_keep_their_digits_and_their_source(analysis, runs):
    text = markdown(build(analysis, runs))
    assert "| GRPO | 33.40 |" in text
    assert "paper: the numbers as printed in arXiv 1234.56789v2, Table 1." in text
    assert "paper: read from a picture." in text
    assert next(x for x in text.splitlines() if x.startswith("| DAPO")).startswith("| DAPO | – |")


def test_three_formats_and_a_side_file(analysis, runs, tmp_path):
    for name in ("markdown", "latex", "csv"):
        out = tmp_path / "out" / f"t.{name}"
        shown = table(table="made/up", runs=(str(runs),), format=name, out=out, analysis_dir=analysis)
        assert out.read_text() in shown
    built = build(analysis, runs)
    side = json.loads((tmp_path / "out" / "t.runs.json").read_text())
    assert side["runs"]["e/grpo1"]["commit"] == "abc1234"
    found = next(c for c in side["cells"] if (c["row"], c["column"]) == ("DAPO", "avg@4"))
    assert sorted(found["scores"]) == ["e/dapo1", "e/dapo2", "e/dapo3"]
    assert found["against_baseline"]["p_holm"] == pytest.approx(cell(built, "DAPO", "avg@4").p_corrected)
    assert side["not_counted"]["DAPO"][-1].startswith("e/dapo4 (failed")
    lines = list(csv.DictReader(io.StringIO(as_csv(built))))
    assert len(lines) == 8
    assert float(lines[4]["value"]) == cell(built, "DAPO", "avg@4").estimate.value
    assert (lines[6]["missing"], lines[6]["value"], lines[6]["paper"]) == ("no runs", "", "32.9")
    text = latex(built)
    assert r"\textbf{" in text
    assert r"avg@4 (\%)" in text
    assert text.count(r"\toprule") == text.count(r"\bottomrule") == text.count(r"\begin{table}") == 2
    assert text.count("{") == text.count("}")
    estimate = cell(built, "GRPO", "avg@4").estimate
    low, high = (f"{100 * v:.1f}" for v in (estimate.low, estimate.high))
    assert rf"{100 * estimate.value:.1f}\\{{\scriptsize [{low}, {high}], n=3}}" in text
    assert lines[6]["error_over_problems"] == ""


def test_a_results_file_gives_the_same_table(analysis, runs, tmp_path):
    write_results(tmp_path / "r.json", find_runs([runs]), made_by="x")
    assert markdown(build(analysis, tmp_path / "r.json")) == markdown(build(analysis, runs))


def test_runs_that_are_no_repeats_are_refused(analysis, runs):
    write_run(runs / "e" / "other", seed=9, options={"optim.lr": 0.1}, right={"after": [1] * PROBLEMS},
              curves={"policy/entropy": [0.5] * 5})  # fmt: skip
    with pytest.raises(UserError, match=r"row GRPO mixes runs of different configs \(optim.lr: \(not set\), 0.1\)"):
        build(analysis, runs)
    built = build(analysis, runs, allow_mixed=True)
    assert len(cell(built, "GRPO", "avg@4").scores) == 4
    assert "allow_mixed=true" in markdown(built)


def test_different_evaluation_settings_are_refused(analysis, runs):
    for seed in (1, 2):
        options = {"algo.loss._target_": "x.cispo.cispo", "evaluation.temperature": 0.6}
        write_run(runs / "e" / f"cispo{seed}", seed=seed, options=options, right={"after": [1] * PROBLEMS},
                  curves={"policy/entropy": [0.5] * 5})  # fmt: skip
    with pytest.raises(UserError, match=r"avg@4: runs of different evaluation settings \(evaluation.temperature: "):
        build(analysis, runs)
    assert len(cell(build(analysis, runs, allow_mixed=True), "CISPO", "avg@4").scores) == 2


def test_mixed_metrics_and_k_above_n_are_refused(analysis, runs):
    write_run(runs / "e" / "grpo4", seed=4, right={"after": [1] * PROBLEMS}, samples=8,
              curves={"policy/entropy": [0.5] * 5})  # fmt: skip
    with pytest.raises(UserError, match=r"mixed metrics: avg@4 is in 3 of 4 runs of one row, not in e/grpo4; narrow"):
        build(analysis, runs)
    path = analysis / "tables" / "made" / "up.yaml"
    path.write_text(TABLE.replace("metric: avg@4", "metric: pass@5"))
    with pytest.raises(UserError, match=r"pass@5 of e/dapo1 on chain: it has 4 samples a problem; k is at most 4"):
        build(analysis, runs)
    path.write_text(TABLE.replace("metric: avg@4", "metric: avg@n"))
    assert len(cell(build(analysis, runs, allow_mixed=True), "GRPO", "avg@4").scores) == 4


def test_majority_votes(analysis, tmp_path):
    """maj@k for any k out of the stored votes, also out of a results file; runs without votes are not measured."""
    runs, path = tmp_path / "voted", analysis / "tables" / "made" / "up.yaml"
    path.write_text("columns: {maj: {metric: maj@3}}\nrows: {GRPO: {}}\n")
    for seed in (1, 2):
        votes = [[[2, 2], [1, 0]], [[3, 0], [1, 1]], [[2, 0], [2, 2]]]
        write_run(runs / f"grpo{seed}", seed=seed, right={"after": [2, 1, 2]}, votes={"after": votes})
    write_results(tmp_path / "r.json", find_runs([runs]), made_by="x")
    # 3 of 4 samples: 2 : 1 and one unread, won in two draws, a tie in two; 1 : 3, lost in all; 2 : 2, won in two
    for source in (runs, tmp_path / "r.json"):
        (score, _) = cell(build(analysis, source), "GRPO", "maj").scores
        assert score.by_problem[0].tolist() == pytest.approx([0.75, 0, 0.5])
    path.write_text(path.read_text().replace("maj@3", "maj@5"))
    with pytest.raises(UserError, match=r"maj@5 of voted/grpo1 on chain: it has 4 samples a problem; k is at most 4"):
        build(analysis, runs)
    write_run(tmp_path / "counted" / "a", right={"after": [2, 1]})
    path.write_text(path.read_text().replace("maj@5", "maj@4"))
    with pytest.raises(UserError, match=r"no run has the metric maj@4 on chain \(maj@k needs votes_of_<n>"):
        build(analysis, tmp_path / "counted")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("baseline: GRPO", "baseline: GRPPO", r'baseline GRPPO: no such row \(did you mean "GRPO"\?\)'),
        ("percent: true", "percents: true", r"column avg@4: unknown key 'percents' \(did you mean \"percent\"\?\)"),
        ("better: none", "better: nothing", r"better: nothing: one of higher, lower, none"),
        ("metric: policy/entropy", "metric: policy/entropi", r'no run has the metric policy/entropi.*"policy/entropy"'),
        ("metric: avg@4", "metric: avg@4, data: chian", r'no run was evaluated on chian \(did you mean "chain"\?\)'),
        ("paper: CISPO", "paper: CISPPO", r"no reference number has method 'CISPPO' \(did you mean \"CISPO\"\?\)"),
        ("reference: made_up", "reference: madeup", r'no reference numbers .*madeup.csv \(did you mean "made_up"\?\)'),
        ('table: "1", ', "", r"several reference numbers fit .*name the model or the table"),
        ("GRPO: {where", "GRPO: {arm: grpo, where", r"row GRPO: no arm grpo \(the table names no arms file"),
        ("title: Made up", "interval: bayes", r"interval: bayes: one of t, percentile"),
    ],
)
def test_mistakes_in_a_table_are_one_clear_line(analysis, runs, old, new, message):
    path = analysis / "tables" / "made" / "up.yaml"
    assert old in TABLE
    path.write_text(TABLE.replace(old, new))
    with pytest.raises(UserError, match=message) as found:
        build(analysis, runs)
    assert "\n" not in str(found.value)


def test_unknown_tables_name_the_nearest(analysis, runs):
    with pytest.raises(UserError, match=r'did you mean "made/up"\?'):
        built_table("made/upp", runs=(str(runs),), analysis_dir=analysis)


def test_several_data_sets_are_joined_run_by_run(tmp_path, analysis):
    folder = tmp_path / "many"
    for seed, (easy, hard) in {1: (0.8, 0.2), 2: (0.9, 0.4)}.items():
        for data, share in (("easy", easy), ("hard", hard)):
            right = {"after": [round(4 * share)] * 5}
            if data == "easy":
                path = write_run(folder / "e" / f"s{seed}", seed=seed, right=right, data=data)
            else:
                row = {"kind": "eval", "step": 10, "phase": "after", "eval/hard/right_of_4": right["after"]}
                merged = path / "metrics.001.jsonl"
                lines = merged.read_text().splitlines()
                merged.write_text("\n".join([lines[0], json.dumps({**json.loads(lines[1]), **row})]) + "\n")
    text = "rows: {GRPO: {where: {algo.loss: ppo_clip}}}\ncolumns:\n  one: {metric: avg@4, data: easy}\n"
    path = analysis / "tables" / "made" / "many.yaml"
    path.write_text(text + "  both: {metric: avg@4, data: [easy, hard]}\n  gap: {metric: avg@4, data: [easy, hard], "
                    "aggregate: optimality_gap, better: lower}\n")  # fmt: skip
    built = built_table("made/many", runs=(str(folder),), analysis_dir=analysis)
    assert cell(built, "GRPO", "one").estimate.value == pytest.approx((0.75 + 1.0) / 2)
    assert cell(built, "GRPO", "both").estimate.value == pytest.approx((0.75 + 0.25 + 1.0 + 0.5) / 4)
    assert cell(built, "GRPO", "gap").estimate.value == pytest.approx((0.25 + 0.75 + 0.0 + 0.5) / 4)
    assert "whole runs" in cell(built, "GRPO", "both").estimate.method
    path.write_text(text.replace(", data: easy", ""))
    with pytest.raises(UserError, match=r"the runs have several data sets \(easy, hard\); say data: one"):
        built_table("made/many", runs=(str(folder),), analysis_dir=analysis)


@pytest.mark.parametrize("name", ["main", "main_7b", "other_algorithms"])
def test_the_papers_tables_stand_without_runs(runs, name):
    """Every cell has its printed number, and says that there are no runs (those at hand are of another model)."""
    built = built_table(f"ce_gppo/{name}", runs=(str(runs),), analysis_dir=ROOT / "analysis")
    assert all(number is not None for line in built.paper for number in line)
    assert {c.missing for line in built.cells for c in line} == {"no runs"}
    assert all(c.estimate is None and not c.best and not c.tied for line in built.cells for c in line)


def test_the_table_of_the_miniature_study(tmp_path):
    for seed in (1, 2):
        names = ("entropy", "preserved_left", "preserved_right", "kl_old")
        curves = {f"policy/{name}": [0.1 * seed] * 10 for name in names}
        write_run(tmp_path / "e" / f"g{seed}", seed=seed, samples=16, curves=curves,
                  options={"entropy": {"_target_": "crucible.entropy.none.NoControl"}},
                  right={"before": [2] * 10, "after": [8 + seed] * 10})  # fmt: skip
    built = built_table("ce_gppo/miniature", runs=(str(tmp_path),), analysis_dir=ROOT / "analysis")
    assert len(built.cells) == 17
    grpo = built.cells[[row.name for row in built.definition.rows].index("GRPO")]
    assert [len(c.scores) for c in grpo] == [2] * 6
    assert grpo[0].estimate.value == pytest.approx((9 + 10) / 32)
    assert grpo[2].estimate.value == pytest.approx(0.15)


def test_the_reference_numbers_of_ce_gppo():
    """Sums of what was transcribed: a digit that was mistyped breaks one of them. (Table 1, five mathematics sets.)"""
    numbers = read_reference("ce_gppo", ROOT / "analysis")
    sets = ("AIME24", "AIME25", "HMMT25", "MATH500", "AMC23")
    for table_name, averages in (("README of the official repository", "1"), ("2", "2")):
        for number in (n for n in numbers if n.table == table_name and n.metric == "maths average"):
            own = [float(n.value) for n in numbers if n.table == averages and n.metric in sets
                   and (n.model, n.method) == (number.model, number.method)]  # fmt: skip
            assert len(own) == 5
            assert sum(own) / 5 == pytest.approx(float(number.value), abs=0.06), number
    assert {n.arxiv for n in numbers} == {"2509.20712", "2603.09803"}
