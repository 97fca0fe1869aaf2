"""Opening a run directory: created whole, gone on with, or refused in one line with nothing changed."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from crucible.errors import UserError
from crucible.rundir import RunDir, Superseded, read_config, read_metrics, read_provenance, read_status
from crucible.rundir import provenance as provenance_module
from crucible.rundir.lock import is_locked

CONFIG = {"seed": 3, "steps": 10, "algo": {"_target_": "crucible.x", "beta": 0.5}, "runs_dir": "runs"}
SOURCE = str(Path(provenance_module.__file__).parents[2])


def quiet(line: str) -> None:
    pass


def opened(path, config=CONFIG, **options):
    return RunDir.open(path, config, **{"report": quiet, "command": "python train.py", **options})


def snapshot(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "runs" / "exp" / "run-1"


def test_a_new_run(path):
    with opened(path, steps=10) as run:
        assert (run.path, run.attempt, run.finished) == (path, 1, False)
        assert run.owns()
        assert run.latest_checkpoint() is None
        run.write_metrics({"kind": "update", "step": 1, "update": 1, "x": float("nan")})
        run.write_samples(1, [{"prompt": "1+1=", "completion": "2", "reward": 1.0}])
        status = read_status(path)
        assert (status["state"], status["step"], status["steps"], status["attempt"]) == ("running", 0, 10, 1)
        assert status["pid"] == os.getpid()
        assert is_locked(path)
    assert not is_locked(path)
    assert read_config(path / "config.yaml") == CONFIG
    assert read_provenance(path)["seeds"] == {"seed": 3}
    assert [r["step"] for r in read_metrics(path)] == [1]
    assert sorted(p.name for p in path.parent.iterdir()) == ["run-1"]
    assert sorted(p.name for p in path.iterdir()) == [
        "config.yaml", "metrics.001.jsonl", "provenance.json", "run.lock", "samples", "status.json"
    ]  # fmt: skip


def test_the_config_file_runs_again_in_hydra(path):
    odd = {
        **CONFIG,
        "a": "${b}",
        "b": r"c:\${d}",
        "e": 1e-6,
        "f": "1e-6",
        "g": None,
        "h": "yes",
        "i": ["x", 1.0],
        "j": "",
    }
    opened(path, odd).close()
    from hydra import compose, initialize_config_dir
    from omegaconf import OmegaConf

    with initialize_config_dir(str(path), version_base="1.3"):
        again = OmegaConf.to_container(compose("config"), resolve=True)
    assert again == odd == read_config(path / "config.yaml")
    text = (path / "config.yaml").read_text()
    assert f"# Again:   python train.py --config-dir {path} --config-name config" in text
    assert "# Made by: python train.py" in text
    assert yaml.safe_load(text)["hydra"]["output_subdir"] is None


def test_the_same_command_goes_on_and_attempts_are_numbered(path):
    with opened(path) as run:
        run.write_metrics({"kind": "update", "step": 1, "update": 1, "x": 1})
        run.write_metrics({"kind": "update", "step": 2, "update": 2, "x": 1})
        run.save_checkpoint(1, lambda p: p.write_bytes(b"one"))
        run.write_status("preempted", step=2)
    heard: list[str] = []
    with opened(path, report=heard.append) as run:
        assert run.attempt == 2
        assert run.latest_checkpoint().name == "step-000001.ckpt"
        run.write_metrics({"kind": "update", "step": 2, "update": 2, "x": 2})
        status = read_status(path)
        assert (status["state"], status["attempts"], status["checkpoint"]) == ("running", 2, 1)
    assert heard == [f"going on with {path} (attempt 2; last seen preempted at step 2)"]
    assert [r["x"] for r in read_metrics(path)] == [1, 2]
    facts = read_provenance(path)
    assert (facts["attempt"], [e["attempt"] for e in facts["earlier"]]) == (2, [1])


def test_cosmetics_and_number_types_do_not_make_another_config(path):
    opened(path).close()
    opened(path, {**CONFIG, "runs_dir": "elsewhere", "steps": 10.0}).close()


def test_a_finished_run_is_reported_and_not_touched(path):
    with opened(path) as run:
        run.write_status("finished", step=10)
    before = snapshot(path)
    run = opened(path)
    assert run.finished
    assert snapshot(path) == before
    with pytest.raises(UserError, match=r"is finished or closed"):
        run.write_metrics({"step": 1})
    with pytest.raises(UserError, match=r"is finished or closed"):
        run.write_status("running")
    with opened(path, resume="force") as run:
        assert (run.attempt, run.finished) == (2, False)


def test_another_config_is_refused_with_what_differs(path):
    opened(path).close()
    before = snapshot(path)
    other = {**CONFIG, "algo": {"_target_": "crucible.x", "beta": 0.75}, "steps": 20}
    with pytest.raises(UserError) as refusal:
        opened(path, other)
    assert "algo.beta: 0.5 -> 0.75; steps: 10 -> 20" in str(refusal.value)
    assert "resume=force" in str(refusal.value)
    assert "\n" not in str(refusal.value)
    assert snapshot(path) == before
    opened(path, other, resume="force").close()
    assert read_config(path / "config.yaml") == other
    assert read_config(path / "config.001.yaml") == CONFIG


def test_another_version_of_the_code_is_refused_with_the_files(path):
    opened(path).close()
    facts = json.loads((path / "provenance.json").read_text())
    facts["code"]["algorithms/advantage.py"] = "0" * 12
    (path / "provenance.json").write_text(json.dumps(facts))
    before = snapshot(path)
    with pytest.raises(UserError, match=r"another version of the code .*algorithms/advantage\.py"):
        opened(path)
    assert snapshot(path) == before
    opened(path, resume="force").close()
    opened(path).close()


def test_never_refuses_any_existing_run(path):
    opened(path, resume="never").close()
    before = snapshot(path)
    with pytest.raises(UserError, match=r"holds a run already \(state: running\) and resume=never"):
        opened(path, resume="never")
    assert snapshot(path) == before


def test_a_directory_that_is_no_run_is_refused(path):
    path.mkdir(parents=True)
    opened(path).close()
    other = path.with_name("other")
    other.mkdir()
    (other / "thesis.tex").write_text("precious")
    with pytest.raises(UserError, match=r"is no run directory"):
        opened(other)
    assert snapshot(other) == {"thesis.tex": b"precious"}
    file = path.with_name("file")
    file.write_text("x")
    with pytest.raises(UserError, match=r"is a file, not a run directory"):
        opened(file)


@pytest.mark.parametrize("where", ["a file in the path", "read-only"])
def test_an_unwritable_place_is_one_clear_line(tmp_path, monkeypatch, where):
    if where == "a file in the path":
        (tmp_path / "file").write_text("x")
        place, why = tmp_path / "file" / "run", "a part of the path is a file"
    else:
        place, why = tmp_path / "run", "the file system is read-only"

        def refuse(*_, **__):
            raise OSError(30, "Read-only file system")

        monkeypatch.setattr(os, "mkdir", refuse)
    with pytest.raises(UserError, match=why) as refusal:
        opened(place)
    assert "\n" not in str(refusal.value)
    monkeypatch.undo()
    assert [p.name for p in tmp_path.iterdir()] in ([], ["file"])


@pytest.mark.skipif(os.geteuid() != 0, reason="drops its own rights, which takes root")
def test_a_folder_of_somebody_else(tmp_path):
    script = (
        "import os, sys\n"
        "from crucible.config import identity\n"
        "from crucible.errors import UserError\nfrom crucible.rundir import RunDir\n"
        "os.setgid(65534); os.setuid(65534)\n"
        "try:\n    RunDir.open(sys.argv[1], {'a': 1})\n"
        "except UserError as e:\n    print(e); sys.exit(2)\n"
    )
    tmp_path.chmod(0o755)
    found = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "run")], capture_output=True, text=True,
        env={**os.environ, "PYTHONPATH": SOURCE},
    )  # fmt: skip
    assert found.returncode == 2, found.stderr
    assert "no permission to write there" in found.stdout
    assert list(tmp_path.iterdir()) == []


def test_credentials_in_the_config_are_refused(path):
    with pytest.raises(UserError, match=r"logger\.api_key looks like a credential"):
        opened(path, {"logger": {"api_key": "abc"}})
    with pytest.raises(UserError, match=r"model\.paths\.0 looks like a credential"):
        opened(path, {"model": {"paths": ["https://me:pw@example.org/x"]}})
    assert not path.parent.parent.exists()
    opened(path, {"model": {"eos_token": "<eos>"}, "micro_batch_tokens": 512}).close()


@pytest.mark.parametrize("option", [{"resume": "yes"}, {"keep_checkpoints": 0}])
def test_wrong_options(path, option):
    with pytest.raises(UserError, match=next(iter(option))):
        opened(path, **option)
    assert not path.exists()


# -- two processes ------------------------------------------------------------------------------

HOLD = """
import sys
from crucible.rundir import RunDir
run = RunDir.open(sys.argv[1], {config!r}, report=lambda line: None)
run.write_metrics({{"kind": "update", "step": 1, "update": 1}})
print("open", flush=True)
for line in sys.stdin:
    try:
        run.write_status("running", step=5)
        print("wrote", run.owns(), flush=True)
    except Exception as e:
        print(type(e).__name__, run.owns(), flush=True)
"""


@pytest.fixture
def holder(path):
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD.format(config=CONFIG), str(path)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": SOURCE},
    )  # fmt: skip
    assert process.stdout.readline() == "open\n"
    yield process
    process.kill()
    process.communicate()


def ask(process) -> str:
    process.stdin.write("?\n")
    process.stdin.flush()
    return process.stdout.readline().strip()


def test_a_second_process_is_refused_and_changes_nothing(path, holder):
    before = snapshot(path)
    with pytest.raises(UserError, match=rf"is in use by process {holder.pid} on "):
        opened(path)
    with pytest.raises(UserError, match=r"is in use by"):
        opened(path, resume="force")
    assert snapshot(path) == before
    assert ask(holder) == "wrote True"


def test_a_killed_process_leaves_a_run_that_can_be_gone_on_with(path, holder):
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    heard: list[str] = []
    with opened(path, report=heard.append) as run:
        assert run.attempt == 2
    assert any(f"process {holder.pid} on " in line and "ended without closing" in line for line in heard)
    assert [r["step"] for r in read_metrics(path)] == [1]


def test_a_takeover_fences_the_old_process_out(path, holder):
    with opened(path, takeover=True) as run:
        assert ask(holder) == "Superseded False"
        assert run.owns()
        assert run.attempt == 2
        assert is_locked(path)
        assert read_status(path)["pid"] == os.getpid()
        with pytest.raises(UserError, match=r"is in use by"):
            opened(path)


def test_a_newer_attempt_elsewhere_ends_ownership(path):
    """As on a file system without locks: the attempt number alone is the fence."""
    run = opened(path)
    (path / "metrics.002.jsonl").touch()
    assert not run.owns()
    for write in (
        lambda: run.write_status("running"),
        lambda: run.write_samples(1, []),
        lambda: run.save_checkpoint(1, lambda p: p.write_bytes(b"x")),
        lambda: run.write_policy(lambda p: None),
    ):
        with pytest.raises(Superseded):
            write()
    assert not (path / "checkpoints").exists()
    run.close()
    assert opened(path).attempt == 3


def test_a_removed_directory_is_noticed(path):
    run = opened(path)
    shutil.rmtree(path)
    assert not run.owns()
    run.close()


# -- killed while being made or written ---------------------------------------------------------


@pytest.mark.parametrize("missing", ["status.json", "provenance.json", "metrics.001.jsonl", "run.lock"])
def test_a_run_killed_while_it_was_made_can_be_gone_on_with(path, missing):
    opened(path).close()
    (path / missing).unlink()
    with opened(path) as run:
        run.write_status("running", step=1)
        assert read_status(path)["state"] == "running"


def test_leftovers_of_killed_writes_are_no_harm(path):
    with opened(path) as run:
        run.save_checkpoint(1, lambda p: p.write_bytes(b"one"))
    (path / ".status.json.tmp-1-aa").write_text('{"st')
    (path / "checkpoints" / ".step-000002.ckpt.tmp-1-bb").write_bytes(b"tw")
    (path.parent / ".run-1.tmp-1-cc").mkdir()
    with (path / "metrics.001.jsonl").open("ab") as file:
        file.write(b'{"kind":"update","st')
    with opened(path) as run:
        assert run.latest_checkpoint().name == "step-000001.ckpt"
        run.save_checkpoint(2, lambda p: p.write_bytes(b"two"))
    assert len(list((path / "checkpoints").iterdir())) == 4
    assert [p for p in [*path.iterdir(), *path.parent.iterdir()] if p.name.startswith(".")] == []


def test_a_damaged_status_is_named(path):
    opened(path).close()
    (path / "status.json").write_text('{"state": "runn')
    with pytest.raises(UserError, match=r"status\.json cannot be read .*delete it to go on"):
        opened(path)


def test_checkpoints_that_were_there_and_are_gone(path):
    with opened(path) as run:
        run.save_checkpoint(4, lambda p: p.write_bytes(b"four"))
    shutil.rmtree(path / "checkpoints")
    with opened(path) as run, pytest.raises(UserError, match=r"stored after step 4, and .* has none"):
        run.latest_checkpoint()


def test_status_is_one_line_without_secrets(path):
    with opened(path) as run:
        run.write_status("failed", step=3, error="boom\n  at hf_abcdefghijklmnopqrstuvwxyz\n")
    assert read_status(path)["error"] == "boom at [redacted]"
    with opened(path) as run:
        assert read_status(path)["error"] is None
        with pytest.raises(ValueError, match=r"running, finished, failed, preempted"):
            run.write_status("done")


def test_heartbeat_is_throttled(path, monkeypatch):
    with opened(path) as run:
        before = read_status(path)
        run.heartbeat(step=7)
        assert read_status(path) == before
        monkeypatch.setattr(run, "_beat", -100.0)
        run.heartbeat(step=7)
        after = read_status(path)
        assert after["step"] == 7
        assert after["heartbeat"] > before["heartbeat"]


def test_the_policy_folder_is_replaced_whole(path):
    def write(name):
        return lambda p: (p / name).write_text(name)

    def fail(p):
        (p / "half").write_text("x")
        raise RuntimeError("no")

    with opened(path) as run:
        assert run.write_policy(write("a")) == path / "policy"
        run.write_policy(write("b"))
        with pytest.raises(RuntimeError):
            run.write_policy(fail)
    assert [p.name for p in (path / "policy").iterdir()] == ["b"]
    assert not [p for p in path.iterdir() if p.name.startswith(".")]
