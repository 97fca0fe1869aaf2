"""W&B mirrors the files, keeps its id across a resume, and never ends a run."""

from __future__ import annotations

import json
import math
import sys
import time
import types
from pathlib import Path

import pytest

from crucible.errors import UserError
from crucible.loggers.none import NoLogger
from crucible.loggers.wandb import WandbLogger

ROW = {"kind": "update", "step": 3, "update": 12, "reward/mean": 0.5, "bad": math.nan, "counts": [1, 2]}


@pytest.fixture
def run_dir(tmp_path):
    path = tmp_path / "exp" / "run 1"
    path.mkdir(parents=True)
    return path


def test_offline_writes_its_file_and_keeps_the_id(run_dir):
    pytest.importorskip("wandb")
    heard: list[str] = []
    ids = []
    for _attempt in range(2):
        logger = WandbLogger(run_dir, {"seed": 1}, heard.append, mode="offline", timeout_s=60)
        assert logger.active, heard
        logger.log(ROW)
        logger.finish("finished")
        assert not logger.active
        ids.append(logger.id)
    assert heard == []
    assert ids[0] == ids[1] == json.loads((run_dir / "wandb.json").read_text())["id"]
    assert ids[0].startswith("run-1-")
    files = sorted(run_dir.rglob("*.wandb"))
    assert [f.name for f in files] == [f"run-{ids[0]}.wandb"] * len(files)
    assert 1 <= len(files) <= 2, "two attempts within one second share a folder"
    deadline = time.monotonic() + 30  # W&B's own process writes a moment later on a busy machine
    while not all(f.stat().st_size > 100 for f in files) and time.monotonic() < deadline:
        time.sleep(0.2)
    assert all(f.stat().st_size > 100 for f in files), [(f.name, f.stat().st_size) for f in files]


class FakeRun:
    def __init__(self, fail: str):
        self.fail, self.rows, self.finished = fail, [], []

    def define_metric(self, *_, **__):
        pass

    def log(self, values):
        if self.fail == "log":
            raise ConnectionResetError("the background process is gone")
        if self.fail == "hang":
            time.sleep(5)
        self.rows.append(values)

    def finish(self, exit_code):
        if self.fail == "finish":
            raise RuntimeError("cannot finish")
        self.finished.append(exit_code)


def fake_wandb(monkeypatch, fail: str = "") -> types.SimpleNamespace:
    calls: list[dict] = []
    run = FakeRun(fail)

    def init(**options):
        if fail == "init":
            raise SystemExit("wandb exits")
        calls.append(options)
        return run

    module = types.SimpleNamespace(
        init=init, Settings=lambda **k: k, login=lambda prompt: fail != "key", calls=calls, run=run
    )
    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    monkeypatch.setitem(sys.modules, "wandb", module)
    return module


def test_rows_are_mirrored_with_their_step(run_dir, monkeypatch):
    fake = fake_wandb(monkeypatch)
    logger = WandbLogger(run_dir, {"seed": 1}, project="p", tags=["a"], mode="online")
    logger.log(ROW)
    logger.log({"kind": "eval", "phase": "after", "eval/x/avg@8": 1}, step=9)
    logger.finish("failed")
    assert fake.run.rows == [
        {"update": 12.0, "reward/mean": 0.5, "global_step": 3},
        {"eval/x/avg@8": 1.0, "global_step": 9},
    ]
    assert fake.run.finished == [1]
    (options,) = fake.calls
    assert (options["mode"], options["resume"], options["project"], options["id"]) == (
        "online",
        "allow",
        "p",
        logger.id,
    )


@pytest.mark.parametrize("fail", ["init", "key", "log", "finish"])
def test_no_failing_call_ends_a_run(run_dir, monkeypatch, fail):
    fake = fake_wandb(monkeypatch, fail)
    heard: list[str] = []
    logger = WandbLogger(run_dir, {}, heard.append, mode="online")
    for _ in range(3):
        logger.log(ROW)
    logger.finish("finished")
    assert not logger.active
    assert len(heard) == 1, "reported once"
    assert "W&B is off for the rest of this run" in heard[0]
    assert len(fake.run.rows) == (3 if fail == "finish" else 0)


def test_a_hanging_call_is_given_up(run_dir, monkeypatch):
    fake_wandb(monkeypatch, "hang")
    heard: list[str] = []
    logger = WandbLogger(run_dir, {}, heard.append, mode="offline", timeout_s=0.2)
    started = time.monotonic()
    for _ in range(3):
        logger.log(ROW)
    logger.finish("finished")
    assert time.monotonic() - started < 2
    assert len(heard) == 1
    assert "no answer within 0.2 s" in heard[0]


def test_a_damaged_id_file_is_replaced(run_dir, monkeypatch):
    fake_wandb(monkeypatch)
    (run_dir / "wandb.json").write_text('{"id')
    first = WandbLogger(run_dir, {}, mode="offline")
    assert WandbLogger(run_dir, {}, mode="offline").id == first.id


def test_wrong_mode_and_missing_package(run_dir, monkeypatch):
    fake_wandb(monkeypatch)
    with pytest.raises(UserError, match=r'logger\.mode=ofline: online or offline \(did you mean "offline"\?\)'):
        WandbLogger(run_dir, {}, mode="ofline")
    monkeypatch.setitem(sys.modules, "wandb", None)
    with pytest.raises(UserError, match=r"needs the package wandb: pip install wandb"):
        WandbLogger(run_dir, {}, mode="offline")


def test_no_logger_does_nothing(run_dir):
    logger = NoLogger()
    logger.log(ROW)
    logger.finish("finished")
    assert list(run_dir.iterdir()) == []


@pytest.mark.parametrize("name", ["none", "wandb"])
def test_the_yaml_names_parameters_that_exist(name):
    import inspect

    import yaml

    from crucible.parts import locate

    file = Path(__file__).parents[2] / "conf" / "logger" / f"{name}.yaml"
    node = yaml.safe_load(file.read_text())
    parameters = inspect.signature(locate(node.pop("_target_"))).parameters
    assert node.keys() == {n for n, p in parameters.items() if p.kind is p.KEYWORD_ONLY}
    assert all(parameters[n].default in (v, None) for n, v in node.items())
    assert file.read_text().startswith("#")
