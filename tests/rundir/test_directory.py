"""Opening a run directory: created whole, gone on with, or refused in one line with nothing changed."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
import yaml

from crucible.errors import UserError
from crucible.rundir import read_config, read_metrics, read_provenance, read_status
from crucible.rundir.lock import is_locked
from tests.rundir.opening import CONFIG, SOURCE, opened, snapshot


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
