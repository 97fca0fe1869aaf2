"""Runs that learn from given answers: on a file, and killed and started again."""

from __future__ import annotations

import json

import pytest
from tests.conftest import ROOT, SMALL

from crucible.config.compose import compose

OF_CHAIN = ["data.terms=2", "data.eval_prompts=4", "data=chain"]  # options of the small run that files have no use for


@pytest.fixture
def file_run(small_run, tmp_path):
    """A small run on a file of rows; `small_run` without the options of data=chain."""
    from crucible.run import run

    def launch(rows, *overrides):
        path = tmp_path / "rows.jsonl"
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        kept = [option for option in SMALL if option not in OF_CHAIN and not option.startswith("reward._target_")]
        places = [f"runs_dir={tmp_path / 'runs'}", f"cache_dir={tmp_path / 'cache'}", "data=jsonl", f"data.path={path}"]
        return run(**compose([*kept, *places, *overrides], ROOT).config)

    return launch


@pytest.fixture
def killed(monkeypatch):
    """Runs something that dies in step 4 of a run on given answers."""
    from crucible.modules.offline import Offline

    training_step = Offline.training_step

    def dies(self, update, index):
        if self.steps_done == 3:
            raise KeyboardInterrupt
        return training_step(self, update, index)

    def launch(run):
        with monkeypatch.context() as patched:
            patched.setattr(Offline, "training_step", dies)
            with pytest.raises((KeyboardInterrupt, SystemExit)):
                run()
        return run()

    return launch
