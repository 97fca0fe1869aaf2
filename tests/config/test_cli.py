"""train.py as a user meets it: help, dry run, errors, several runs, recipes, a run once more."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from crucible.config import help
from crucible.config.catalogue import Setting, settings
from crucible.config.compose import Composed, compose
from crucible.config.dry_run import report, run_directory
from crucible.errors import UserError

Train = Callable[..., subprocess.CompletedProcess[str]]
Compose = Callable[..., Composed]


def test_a_run_from_another_folder_leaves_nothing_behind(train: Train, tmp_path: Path) -> None:
    done = train("algo=gspo", "seed=5", cwd=tmp_path)
    assert done.stdout == "RAN 5 10 ['_partial_', '_target_', 'clip_high'] False\n"
    assert (done.returncode, done.stderr) == (0, "")
    assert list(tmp_path.iterdir()) == []


def test_several_runs(train: Train, tmp_path: Path) -> None:
    done = train("-m", "seed=1,2", "algo=ppo,gspo", cwd=tmp_path)
    assert [line.split()[1] for line in done.stdout.splitlines()] == ["1", "1", "2", "2"]
    assert (done.returncode, done.stderr) == (0, "")
    assert list(tmp_path.iterdir()) == []


def test_a_recipe_and_a_run_once_more(train: Train, tmp_path: Path) -> None:
    dry = train("+experiments=paper/mini", "dry_run=true", cwd=tmp_path)
    assert dry.returncode == 0, dry.stderr
    text = dry.stdout.partition("# The resolved config\n")[2].partition("\n# The batch")[0]
    config = yaml.safe_load(text)
    assert config["steps"] == 7
    assert config["algo"]["loss"]["clip_high"] == 0.4
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "config.yaml").write_text(text)
    again = train("--config-dir", "run", "--config-name", "config", cwd=tmp_path)
    assert again.stdout == dry.stdout
    typo = train("--config-dir", "run", "--config-name", "config", "+algo.loss.clp=1", cwd=tmp_path)
    assert typo.stderr.startswith("error: unknown option algo.loss.clp in config ")
    assert typo.returncode == 2


def test_user_errors_are_one_line_and_exit_code_2(train: Train) -> None:
    for argv in (["steps=13"], ["algo=grp"], ["++algo.x=1"], ["--help", "nothing"]):
        done = train(*argv)
        assert done.returncode == 2, argv
        assert done.stdout == ""
        assert len(done.stderr.splitlines()) == 1
        assert done.stderr.startswith("error: ")


def test_tracebacks_on_request_and_for_bugs(train: Train) -> None:
    asked = train("steps=13", CRUCIBLE_TRACEBACK="1")
    assert "Traceback" in asked.stderr
    assert asked.returncode == 2
    bug = train("steps=17")
    assert "RuntimeError: a bug" in bug.stderr
    assert bug.returncode == 1


def test_hydras_own_flags_work(train: Train) -> None:
    job = train("--cfg", "job", "algo=gspo")
    assert yaml.safe_load(job.stdout)["algo"]["loss"]["_target_"] == "lab.heavy.gspo"
    assert "--multirun" in train("--hydra-help").stdout


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("algo=gpso", 'algo has no option "gpso" (did you mean "gspo"?); there are: gspo, ppo, sft'),
        ("algo/loss=pop", 'algo/loss has no option "pop" (did you mean "ppo"?); there are: gspo, ppo'),
        ("rewrad=exact", 'unknown option rewrad (did you mean "reward"?)'),
        ("algo/los=ppo", 'unknown option algo/los (did you mean "algo/loss"?)'),
        ("model/part=small", "model/part: write model/part@model.inner=OPTION, together with model=deep"),
        ("stpes=1", 'unknown option stpes (did you mean "steps"?)'),
        ("+seed=1", "+seed: this option exists already; write seed=VALUE without the +"),
        ("+algo.loss=gspo", "+algo.loss: this option exists already; write algo/loss=VALUE without the +"),
        ("~algo.loss.foo", "~algo.loss.foo: unknown option algo.loss.foo"),
        (
            "algo=ppo,gspo",
            "algo=ppo,gspo gives several values: add -m to run each of them, or write [a,b] for a list",
        ),
        ("a=[", "cannot read the override a=["),
        ("+experiment=x", "+experiment: this option exists already; write it without the + (a recipe is +experiments="),
        ("experiments=paper/mini", "experiments: a recipe is chosen with a plus, +experiments=NAME; there are: paper/"),
        ("data=bare", "data.file has no value (???): give one, data.file=VALUE"),
        ("experiment=${nothing}", "experiment: interpolation key 'nothing' not found"),
        (
            "+experiments=paper/mnii",
            '+experiments has no option "paper/mnii" (did you mean "paper/mini"?); '
            "there are: paper/deep, paper/mini, paper/typo",
        ),
    ],
)
def test_hydras_errors_become_one_line(composed: Compose, override: str, message: str) -> None:
    with pytest.raises(UserError) as caught:
        composed(override)
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


def test_yaml_syntax_errors_are_one_line(tmp_path: Path) -> None:
    (tmp_path / "conf").mkdir()
    (tmp_path / "conf" / "train.yaml").write_text("steps: [1\nseed: 2\n")
    with pytest.raises(UserError, match=r"YAML syntax: .*train\.yaml.* line 2") as caught:
        compose([], tmp_path)
    assert "\n" not in str(caught.value)


def test_help_lists_every_option_of_every_axis(lab: Path) -> None:
    lines = [line.strip() for line in help.text(lab, ["--help"]).splitlines()]
    for file in (lab / "conf").rglob("*.yaml"):
        if file.name != "train.yaml":
            summary = file.read_text().splitlines()[0].lstrip("# ")
            axis = file.parent.relative_to(lab / "conf").as_posix()
            assert f"{'model/part@model.inner' if axis == 'model/part' else axis}=" in lines
            assert any(line.split() == [file.stem, *summary.split()] for line in lines), file
    assert any(line.split() == ["paper/mini", "The", "paper,", "small."] for line in lines)
    assert any(line.split() == ["batch.samples_per_prompt=8", "samples"] for line in lines)


def test_help_on_one_axis_and_one_option(lab: Path) -> None:
    assert "Normalised." in help.text(lab, ["--help", "algo/advantage"])
    assert "_target_: lab.heavy.norm" in help.text(lab, ["algo/advantage=norm", "--help"])
    with pytest.raises(UserError, match='did you mean "algo/loss"'):
        help.text(lab, ["--help", "algo/los"])
    with pytest.raises(UserError, match='did you mean "norm"'):
        help.text(lab, ["--help", "algo/advantage=nomr"])


def test_settings_are_read_with_their_comments(tmp_path: Path) -> None:
    file = tmp_path / "x.yaml"
    file.write_text(
        "# head\ndefaults:\n  - a: b\nfree: 'a # b'   # quoted\nnode:\n  deep: 1 # one\n\nurl: a#b\nempty: \"\"\n"
    )
    assert list(settings(file)) == [
        Setting("free", "'a # b'", "quoted"),
        Setting("node", "", ""),
        Setting("node.deep", "1", "one"),
        Setting("url", "a#b", ""),
        Setting("empty", '""', ""),
    ]


def test_the_dry_run_says_what_would_be_written(composed: Compose, tmp_path: Path) -> None:
    config = composed(f"+runs_dir={tmp_path}").config
    path = run_directory(config)
    assert path.parent == tmp_path / "ppo-x"
    assert path.name.startswith("seed1-")
    text = report(config)
    assert f"{path} (new)" in text
    assert "64 prompts x 8 samples = 512 completions a step\n4 updates" in text
    path.mkdir(parents=True)
    (path / "status.json").write_text('{"state": "finished"}')
    assert f"{path} (exists, finished; resume=auto)" in report(config)


def test_the_dry_run_of_an_algorithm_that_does_not_sample(composed: Compose) -> None:
    text = report(composed("algo=sft").config)
    assert "completions a step" not in text
    assert "# What would be written" in text


@pytest.mark.parametrize(
    ("names", "said"),
    [
        ({"run_id": "../x"}, "run_id=../x"),
        ({"run_id": ".."}, "run_id=.."),
        ({"run_id": "/x"}, "run_id=/x"),
        ({"run_id": "a/b"}, "run_id=a/b"),
        ({"run_id": "a", "experiment": "../b"}, "experiment=../b"),
        ({"run_id": "a", "experiment": "/b"}, "experiment=/b"),
    ],
)
def test_names_that_lead_out_of_runs_dir_are_refused(names, said):
    with pytest.raises(UserError, match=said):
        run_directory({"experiment": "e", **names})
