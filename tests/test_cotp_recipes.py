"""CoTP at full scale: the three stages compose as they are and follow each other in small; the sweeps."""

from __future__ import annotations

import json
import re

import pytest

from crucible.config import dry_run, help
from crucible.config.catalogue import recipes
from crucible.config.compose import compose
from crucible.rundir import read_metrics, read_status
from crucible.sweeps.composition import open_composer
from crucible.sweeps.definition import load
from crucible.sweeps.expansion import expand
from crucible.sweeps.program import RULES
from tests.conftest import ROOT

FOLDER = ROOT / "experiments" / "cotp"
STAGES = [r.name for r in recipes(ROOT) if r.name.startswith("cotp/")]


def test_the_stages_are_those_of_the_paper() -> None:
    assert STAGES == ["cotp/midtrain", "cotp/rl", "cotp/sft"]
    listed = help.text(ROOT, ["--help"])
    for stage in STAGES:
        text = dry_run.report(compose([f"+experiments={stage}"], ROOT).config)
        assert "nothing was loaded or written" in text
        assert "not run here" in (ROOT / "experiments" / f"{stage}.yaml").read_text().splitlines()[1]
        assert stage in listed


def test_every_setting_says_where_it_is_from() -> None:
    """The sources once in each file; a value without a word is plain plumbing (paths, columns, how often)."""
    plumbing = re.compile(
        r"(data|algo|model|batch|optim|evaluation|sampling|trainer|rollout|eval_path|path|completion_column|answer_column"
        r"|instruction|on_bad_row|every):"
    )
    for file in FOLDER.glob("*.yaml"):
        for line in file.read_text().partition("  - _self_\n")[2].splitlines():
            if line.strip() and not line.lstrip().startswith("#") and "#" not in line:
                assert plumbing.match(line.strip()), (file.name, line)
    assert (FOLDER / "_common.yaml").read_text().count("not found") > 10


def points(name: str, root=ROOT):
    with open_composer(root) as composer:
        return expand(load(name, root / "sweeps"), composer, RULES)


def test_the_study_is_one_sweep_of_whole_chains() -> None:
    found = points("cotp/miniature")
    arms = {p.label["data/select"] for p in found if p.label["model"] == "after_sft"}
    assert arms == {"cotp", "random", "knn", "text", "all", "planted"}
    assert len({p.config["seed"] for p in found}) >= 3
    ablations = points("cotp/miniature_ablations")
    assert not {p.run_id for p in found} & {p.run_id for p in ablations}
    for one in (*found, *ablations):  # all but what an arm is about is the same, and SFT has equally many tokens
        for key in ("batch", "sampling", "optim", "evaluation", "reward", "algo"):
            assert one.config[key] == found[0].config[key]
        if "base" in one.config["model"]:
            assert one.config["model"] == found[0].config["model"]


def test_large_pools_are_sharded_over_an_array() -> None:
    found = points("distances", ROOT / "pipelines" / "cotp")
    assert [p.config["shard"] for p in found] == [f"{i}/8" for i in range(1, 9)]
    assert {p.config["_target_"] for p in found} == {"crucible.cotp.shard_run.run"}


@pytest.mark.slow
def test_the_stages_follow_each_other_in_small(tmp_path) -> None:
    from crucible.run import run
    from tests.policy.models import qwen3

    qwen3(context_length=128).save(tmp_path / "model")
    sums = [
        {"prompt": f"{a}+{b}=", "completion": f"{a}+{b}={a + b}", "answer": str(a + b)}
        for a in range(9)
        for b in range(9)
    ]
    train, held_out = tmp_path / "train.jsonl", tmp_path / "held_out.jsonl"
    train.write_text("\n".join(map(json.dumps, sums[:70])))
    held_out.write_text("\n".join(map(json.dumps, sums[70:])))
    small = [
        f"data.path={train}", f"runs_dir={tmp_path / 'runs'}", f"cache_dir={tmp_path / 'cache'}", "steps=2",
        "model.context_length=128", "sampling.max_tokens=12", "batch.prompts_per_step=8",
        "batch.micro_batch_tokens=512",
        "evaluation.samples_per_prompt=2", "evaluation.pass_at=[]", "trainer.accelerator=cpu",
        "trainer.precision=32-true",
        "figures=false",
    ]  # fmt: skip
    own = {"midtrain": ["data.eval_share=0.1", "algo.max_tokens=100"],
           "sft": [f"data.eval_path={held_out}", "algo.max_tokens=100"],
           "rl": [f"data.eval_path={held_out}", "batch.samples_per_prompt=4", "batch.updates_per_rollout=2",
                  "reward._target_=tests.small_world.CountsDigits"]}  # fmt: skip
    policy = tmp_path / "model"
    for stage, more in own.items():
        given = [f"+experiments=cotp/{stage}", f"model.name_or_path={policy}", *small, *more]
        path = run(**compose(given, ROOT).config)
        assert read_status(path)["state"] == "finished", stage
        assert any(row.get("policy/grad_norm", 0.0) > 0.0 for row in read_metrics(path)), stage
        policy = path / "policy"
