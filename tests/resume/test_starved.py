"""A run whose disk fills up in the middle: one line, a whole directory, and the same end."""

from __future__ import annotations

import pytest

from crucible.errors import UserError
from crucible.modules.callbacks import Evaluate
from crucible.rundir import read_metrics
from crucible.rundir.checkpoints import fault, stored
from tests.resume.compare import differences
from tests.rundir.disks import full, small_disk

OPTIONS = (
    "algo=grpo",
    "algo/filter=keep_all",
    "steps=4",
    "checkpoint_every=1",
    "evaluation.every=2",
    "samples_every=1",
)


@pytest.mark.slow
def test_a_run_whose_disk_fills_up_goes_on_when_there_is_room(small_run, tmp_path, monkeypatch):
    whole = small_run(*OPTIONS, "run_id=whole")
    original = Evaluate.on_train_epoch_end
    with small_disk(tmp_path / "disk", 64 << 20) as disk:
        trouble = []

        def gives_out(self, trainer, module):
            original(self, trainer, module)
            if module.steps_done == 3 and not trouble:
                trouble.append(full(disk))
                trouble[0].__enter__()

        monkeypatch.setattr(Evaluate, "on_train_epoch_end", gives_out)
        here = (*OPTIONS, "run_id=starved", f"runs_dir={disk}")
        with pytest.raises(UserError, match="no space left on the device") as refusal:
            small_run(*here)
        assert "\n" not in str(refusal.value)
        path = next(disk.rglob("status.json")).parent
        assert [step for step, file in stored(path / "checkpoints").items() if fault(file) is None] == [1, 2]
        assert {row["step"] for row in read_metrics(path)} >= {0, 1, 2}
        trouble[0].__exit__(None, None, None)
        assert differences(whole, small_run(*here)) == []
