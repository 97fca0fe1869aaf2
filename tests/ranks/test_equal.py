"""Two processes, data parallel or sharded, are one: the same gradients, metrics and checkpoints.

Three groups an update: the ranks have different numbers of rows and of micro-batches.
"""

from __future__ import annotations

import pytest
import torch
from torch.utils._pytree import tree_flatten_with_path

from crucible.rundir import read_metrics, read_samples, read_status
from tests.conftest import ROOT, SMALL
from tests.ranks.recording import recorded
from tests.test_ranks import close

pytestmark = pytest.mark.slow
UNEVEN = [
    "algo=grpo",
    "algo/filter=keep_all",
    "model.layers=2",
    "batch.prompts_per_step=6",
    "batch.updates_per_rollout=2",
    "batch.micro_batch_tokens=48",
    "samples_every=1",
    "checkpoint_every=1",
    "keep_checkpoints=9",
    "optim._target_=tests.ranks.recording.RecordingAdamW",
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("ranks")


@pytest.fixture(scope="module")
def launch(folder):
    """`launch("name", "trainer=fsdp", ...)` makes a small run, or goes on with it, and returns its directory."""
    from crucible.config.compose import compose
    from crucible.run import run

    def launched(name, *overrides):
        places = [f"runs_dir={folder / 'runs'}", f"cache_dir={folder / 'cache'}", f"run_id={name}", "resume=force"]
        places += ["experiment=e", f"+optim.folder={folder / 'gradients' / name}"]
        return run(**compose([*SMALL, *UNEVEN, *places, *overrides], ROOT).config)

    return launched


@pytest.fixture(scope="module")
def alone(launch):
    return launch("alone", "steps=4")


@pytest.fixture(scope="module", params=["ddp", "fsdp"])
def kind(request):
    return request.param


@pytest.fixture(scope="module")
def together(launch, kind):
    return launch(kind, f"trainer={kind}", "steps=3")


def updates(path, *steps):
    return [row for row in read_metrics(path) if row["kind"] == "update" and row["step"] in steps]


def apart(one, two):
    """The largest difference of two tensors, in parts of the largest number of the first."""
    return ((one - two).abs().max() / one.abs().max()).item()


def test_the_gradient_of_two_processes_is_that_of_one(alone, together, folder, kind):
    ours, theirs = recorded(folder / "gradients" / "alone"), recorded(folder / "gradients" / kind)
    assert len(theirs) == 6
    pairs = zip(ours[0]["gradients"], theirs[0]["gradients"], strict=True)
    assert all(apart(a, b) < 1e-5 for a, b in pairs)  # later ones are taken at weights that rounding moved apart
    for one, two in zip(ours[1:6], theirs[1:], strict=True):
        assert all(apart(a, b) < 1e-3 for a, b in zip(one["gradients"], two["gradients"], strict=True))


def test_a_run_of_two_processes_has_the_metrics_of_one(alone, together):
    assert [r["completion"] for r in read_samples(alone, 1)] == [r["completion"] for r in read_samples(together, 1)]
    close(updates(alone, 1, 2, 3), updates(together, 1, 2, 3))
    assert read_status(together)["state"] == "finished"
    assert len(list(together.glob("metrics.*.jsonl"))) == 1


def test_the_final_policy_is_a_plain_model(together):
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(together / "policy")
    stored = torch.load(together / "checkpoints" / "step-000003.ckpt", weights_only=True)["state_dict"]
    assert model.lm_head.weight is model.model.embed_tokens.weight
    for name, weight in model.state_dict().items():
        assert torch.equal(weight, stored[f"model.{name}"]), name


def test_a_checkpoint_is_that_of_one_process(alone, together):
    paths = [path / "checkpoints" / "step-000003.ckpt" for path in (alone, together)]
    one, two = (torch.load(path, weights_only=True) for path in paths)
    assert one.keys() == two.keys()
    for part in ("state_dict", "optimizer_states", "lr_schedulers"):
        a, b = (tree_flatten_with_path(stored[part])[0] for stored in (one, two))
        assert [path for path, _ in a] == [path for path, _ in b]
        for (path, x), (_, y) in zip(a, b, strict=True):
            if isinstance(x, torch.Tensor):
                assert (x.shape, x.dtype) == (y.shape, y.dtype), path
                assert apart(x, y) < 1e-3, path
            else:
                assert x == y, path


def test_weights_are_in_shards_where_they_should_be(together, folder, kind):
    for rank in range(2):
        facts = recorded(folder / "gradients" / kind, rank)[0]
        share = sum(facts["here"]) / sum(facts["whole"])
        assert share == pytest.approx(0.5, abs=0.02) if kind == "fsdp" else share == 1.0


def test_one_process_goes_on_where_two_stopped(alone, launch, together, kind, folder):
    path = launch(kind, "trainer=default", "steps=4", f"optim.folder={folder / 'gradients' / 'after'}")
    assert path == together
    close(updates(alone, 4), updates(path, 4))


def test_two_processes_go_on_where_one_stopped(alone, launch, kind):
    launch(f"then-{kind}", "steps=1")
    path = launch(f"then-{kind}", f"trainer={kind}", "steps=3")
    close(updates(alone, 1, 2, 3), updates(path, 1, 2, 3))
