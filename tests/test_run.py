"""The whole program, in process, on a policy so small that a step takes a tenth of a second."""

from __future__ import annotations

import json

import pytest
import torch

from crucible.errors import UserError
from crucible.rundir import read_metrics, read_samples, read_status
from tests.conftest import ROOT, same_weights
from tests.small_world import CountsDigits

TIMINGS = ("time/", "perf/")
ONLINE = ["grpo", "dr_grpo", "dapo", "cispo", "gspo", "gppo", "ce_gppo"]  # all of them: test_every_method.py


def timeless(rows):
    return [{k: v for k, v in row.items() if not k.startswith(TIMINGS)} for row in rows]


@pytest.mark.parametrize("algo", ONLINE)
def test_an_algorithm_takes_two_steps(small_run, algo):
    path = small_run(f"algo={algo}", "algo/filter=keep_all")
    updates = [row for row in read_metrics(path) if row["kind"] == "update"]
    assert [row["update"] for row in updates] == [1, 2, 3, 4]
    assert all(row["policy/grad_norm"] > 0 for row in updates)
    assert updates[-1]["completion/length"] > 0
    assert read_status(path)["state"] == "finished"


def test_the_run_directory_holds_everything(small_run):
    path = small_run("algo=ce_gppo", "algo/filter=keep_all", "samples_every=1", "figures=true")
    names = {p.name for p in path.iterdir()}
    assert {"config.yaml", "provenance.json", "metrics.001.jsonl", "samples", "checkpoints", "policy"} <= names
    assert (path / "figures" / "overview.png").stat().st_size > 10_000
    evaluations = [row for row in read_metrics(path) if row["kind"] == "eval"]
    assert [(row["step"], row["phase"]) for row in evaluations] == [(0, "before"), (2, "after")]
    assert evaluations[0]["eval/chain/avg@2_low"] <= evaluations[0]["eval/chain/avg@2"]
    assert evaluations[-1]["data/eval_seen_in_training"] == 0.0
    sample = next(iter(read_samples(path, 2)))
    assert sample["prompt"].endswith("=")
    assert sample["reward"] == pytest.approx(sample["components"]["digits"])


def test_the_final_policy_is_a_hugging_face_folder(small_run):
    from transformers import AutoModelForCausalLM, AutoTokenizer

    path = small_run("algo/filter=keep_all")
    model = AutoModelForCausalLM.from_pretrained(path / "policy")
    tokenizer = AutoTokenizer.from_pretrained(path / "policy")
    stored = torch.load(next((path / "checkpoints").glob("*.ckpt")), weights_only=True)["state_dict"]
    assert torch.equal(model.lm_head.weight, stored["model.lm_head.weight"])
    assert tokenizer.decode(tokenizer("7+8=")["input_ids"], skip_special_tokens=True) == "7+8="


def test_the_same_run_twice_gives_the_same_numbers(small_run):
    first = small_run("run_id=a", "algo/filter=keep_all")
    second = small_run("run_id=b", "algo/filter=keep_all")
    assert timeless(read_metrics(first)) == timeless(read_metrics(second))


def test_another_seed_gives_other_numbers(small_run):
    one = timeless(read_metrics(small_run("algo/filter=keep_all")))
    other = timeless(read_metrics(small_run("algo/filter=keep_all", "seed=2")))
    assert one != other


def test_micro_batches_do_not_change_a_run(small_run):
    """Sums are taken in another order, so only nearly the same."""
    whole = read_metrics(small_run("algo/filter=keep_all", "batch.micro_batch_tokens=100000", "steps=1"))
    parts = read_metrics(small_run("algo/filter=keep_all", "batch.micro_batch_tokens=40", "steps=1"))
    for a, b in zip(whole, parts, strict=True):
        for name in ("policy/loss", "policy/grad_norm", "policy/entropy", "policy/ratio_mean"):
            if name in a:
                assert a[name] == pytest.approx(b[name], rel=1e-3, abs=1e-5)


def test_recomputed_log_probs_train_as_recorded_ones_do(small_run):
    recorded = read_metrics(small_run("algo/filter=keep_all", "algo.old_logps=sampler", "steps=1"))
    recomputed = read_metrics(small_run("algo/filter=keep_all", "algo.old_logps=recompute", "steps=1"))
    for a, b in zip(recorded, recomputed, strict=True):
        if "policy/grad_norm" in a:
            assert a["policy/grad_norm"] == pytest.approx(b["policy/grad_norm"], rel=1e-3)


def test_a_finished_run_is_not_run_again(small_run, capsys):
    path = small_run("algo/filter=keep_all")
    before = (path / "metrics.001.jsonl").read_bytes()
    capsys.readouterr()
    assert small_run("algo/filter=keep_all") == path
    assert "nothing to do" in capsys.readouterr().out
    assert (path / "metrics.001.jsonl").read_bytes() == before
    assert not (path / "metrics.002.jsonl").exists()


def test_a_step_in_which_nothing_can_be_learned_changes_nothing(small_run):
    """Random weights are never right, so the filter of DAPO and CE-GPPO drops every group."""
    path = small_run("algo=ce_gppo", "algo.filter.by=success", "data.terms=8", "model.context_length=128")
    rows = [row for row in read_metrics(path) if row["kind"] == "update"]
    assert all(row["policy/updates_without_rows"] == 1.0 for row in rows)
    assert rows[-1]["rows/trained"] == 0.0


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["data.terms=30", "sampling.max_tokens=40"], "exceeds the model's context of 64"),
        (["data.eval_prompts=100000"], "evaluation items exist with these dials"),
        (["model.heads=3"], "hidden_size 32 must be a multiple of heads 3"),
        (["evaluation.pass_at=[3]"], "each k must be from 1 to evaluation.samples_per_prompt=2"),
        (["optim.lr=0"], "optim.lr=0"),
    ],
)
def test_what_cannot_work_is_refused_and_leaves_nothing(small_run, tmp_path, overrides, message):
    with pytest.raises(UserError, match=message):
        small_run(*overrides)
    assert not list((tmp_path / "runs").rglob("config.yaml"))


def test_a_broken_reward_fails_the_run_in_one_line(small_run, monkeypatch, tmp_path):
    calls = []

    def broken(self, prompts, completions, context):
        calls.append(1)
        scores = original(self, prompts, completions, context)
        if len(calls) > 2:  # after the evaluation and one step
            scores.total[1] = float("nan")
        return scores

    original = CountsDigits.__call__
    monkeypatch.setattr(CountsDigits, "__call__", broken)
    with pytest.raises(UserError, match="1 of 16 values are NaN"):
        small_run("algo/filter=keep_all")
    status = json.loads(next((tmp_path / "runs").rglob("status.json")).read_text())
    assert status["state"] == "failed"
    assert "NaN" in status["error"]


def test_killed_after_a_checkpoint_and_started_again_gives_the_numbers_of_an_undisturbed_run(small_run, killed_run):

    options = ("algo/filter=keep_all", "steps=4", "checkpoint_every=2", "evaluation.every=1", "entropy=adaptive")
    whole = small_run("run_id=whole", *options)
    killed = killed_run(*options)
    assert read_status(killed)["attempt"] == 2
    assert timeless(read_metrics(killed)) == timeless(read_metrics(whole))
    assert same_weights(whole, killed, step=4)


def test_every_metric_of_a_run_is_documented(small_run):
    """docs/metrics.md names each metric; <...> stands for a name of the user's."""
    import re

    text = (ROOT / "docs" / "metrics.md").read_text()
    named = set(re.findall(r"`([a-z]+/[^`\s]+)`", text))
    patterns = [
        re.compile(re.sub(r"<\w+>", "[^/]+", re.escape(n).replace(r"\<", "<").replace(r"\>", ">")).replace(r"\*", ".+"))
        for n in named
    ]
    patterns += [re.compile(r"eval/[^/]+/((avg|pass|maj|attempts)@\d+(_low|_high)?|(right|votes)_of_\d+)")]
    path = small_run("algo/filter=keep_all", "entropy=adaptive", "algo/auxiliary=positive_nll")
    logged = {name for row in read_metrics(path) for name in row if "/" in name}
    assert len(logged) > 30
    assert not [name for name in sorted(logged) if not any(p.fullmatch(name) for p in patterns)]
