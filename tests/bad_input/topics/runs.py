"""Run directories that exist: what is refused, and what it says."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from tests.bad_input.case import Case
from tests.bad_input.given import (
    checkpoints,
    forged,
    locked,
    of_a_wider_model,
    of_other_code,
    of_other_names,
    run_that_exists,
    runs_is_a_file,
    signed,
    stranger,
)


def flipped(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


CASES = [
    Case(
        name="another config",
        command="train.py run_id=mine checkpoint_every=1 optim.lr=0.1",
        sees=(
            "runs/ce_gppo-exact/mine belongs to another config: optim.lr: 0.003 -> 0.1; choose another run_id, "
            "or go on under the new config with resume=force"
        ),
        small=True,
        given=run_that_exists("an unfinished run"),
    ),
    Case(
        name="a finished run of another config",
        command="train.py run_id=mine checkpoint_every=1 steps=3 seed=2",
        sees=(
            "runs/ce_gppo-exact/mine belongs to another config: seed: 1 -> 2; steps: 2 -> 3; choose another "
            "run_id, or go on under the new config with resume=force"
        ),
        small=True,
        given=run_that_exists("a finished run", state="finished"),
    ),
    Case(
        name="other code",
        command="train.py run_id=mine checkpoint_every=1",
        sees=(
            "runs/ce_gppo-exact/mine was made by another version of the code (..., now ...; changed: run.py); "
            "choose another run_id, or go on with resume=force"
        ),
        small=True,
        given=run_that_exists("an unfinished run of another version of the code", of_other_code),
    ),
    Case(
        name="resume=never",
        command="train.py run_id=mine checkpoint_every=1 resume=never",
        sees=(
            "runs/ce_gppo-exact/mine holds a run already (state: failed) and resume=never; use resume=auto or "
            "another run_id"
        ),
        small=True,
        given=run_that_exists("an unfinished run"),
    ),
    Case(
        name="another process is at work",
        command="train.py run_id=mine checkpoint_every=1",
        sees=(
            "runs/ce_gppo-exact/mine is in use by process 1 on elsewhere since noon; wait for it, stop it, or "
            "choose another run_id"
        ),
        small=True,
        given=run_that_exists("a run that another process holds", locked),
    ),
    Case(
        name="all checkpoints truncated",
        command="train.py run_id=mine checkpoint_every=1",
        sees=(
            "none of the 2 checkpoints in runs/ce_gppo-exact/mine/checkpoints is whole; delete that folder to "
            "start over"
        ),
        small=True,
        started=True,
        given=run_that_exists("truncated checkpoints", checkpoints(lambda file: os.truncate(file, 1000))),
    ),
    Case(
        name="a byte of all checkpoints changed",
        command="train.py run_id=mine checkpoint_every=1",
        sees=(
            "none of the 2 checkpoints in runs/ce_gppo-exact/mine/checkpoints is whole; delete that folder to "
            "start over"
        ),
        small=True,
        started=True,
        given=run_that_exists("checkpoints with a changed byte", checkpoints(flipped)),
    ),
    Case(
        name="no checksums",
        command="train.py run_id=mine checkpoint_every=1",
        sees=(
            "none of the 2 checkpoints in runs/ce_gppo-exact/mine/checkpoints is whole; delete that folder to "
            "start over"
        ),
        small=True,
        started=True,
        given=run_that_exists(
            "checkpoints without checksums", checkpoints(lambda file: file.with_name(file.name + ".sha256").unlink())
        ),
    ),
    Case(
        name="checkpoints that are gone",
        command="train.py run_id=mine checkpoint_every=1",
        sees=(
            "runs/ce_gppo-exact/mine: a checkpoint was stored after step 2, and "
            "runs/ce_gppo-exact/mine/checkpoints has none; put it back, or start over under another run_id"
        ),
        small=True,
        started=True,
        given=run_that_exists("no checkpoints", lambda path: shutil.rmtree(path / "checkpoints")),
    ),
    Case(
        name="a forged checkpoint that would run code",
        command="train.py run_id=mine checkpoint_every=1",
        sees=(
            "runs/ce_gppo-exact/mine/checkpoints/step-000002.ckpt is no checkpoint of ours, or holds code, which "
            "is never run; put the right file back, or start over under another run_id"
        ),
        small=True,
        given=run_that_exists("checkpoints that are pickles of code, with a checksum", checkpoints(signed(forged))),
        started=True,
    ),
    Case(
        name="a checkpoint of a wider model",
        command="train.py run_id=mine checkpoint_every=1",
        sees=(
            "runs/ce_gppo-exact/mine/checkpoints/step-000002.ckpt is a checkpoint of another model: "
            "model.model.embed_tokens.weight is (204, 32) there and (102, 32) here"
        ),
        small=True,
        given=run_that_exists("checkpoints of a wider model, with a checksum", checkpoints(signed(of_a_wider_model))),
        started=True,
    ),
    Case(
        name="a checkpoint of another architecture",
        command="train.py run_id=mine checkpoint_every=1",
        sees=(
            "runs/ce_gppo-exact/mine/checkpoints/step-000002.ckpt is a checkpoint of another model: it has no "
            "model.lm_head.weight (14 are missing)"
        ),
        small=True,
        given=run_that_exists(
            "checkpoints of another architecture, with a checksum", checkpoints(signed(of_other_names))
        ),
        started=True,
    ),
    Case(
        name="noise as a checkpoint",
        command="train.py run_id=mine checkpoint_every=1",
        sees=(
            "runs/ce_gppo-exact/mine/checkpoints/step-000002.ckpt is no checkpoint of ours, or holds code, which "
            "is never run; put the right file back, or start over under another run_id"
        ),
        small=True,
        given=run_that_exists(
            "checkpoints of noise, with a checksum", checkpoints(signed(lambda file: file.write_bytes(b"noise" * 999)))
        ),
        started=True,
    ),
    Case(
        name="a damaged config.yaml",
        command="train.py run_id=mine checkpoint_every=1",
        sees=(
            "runs/ce_gppo-exact/mine/config.yaml cannot be read: while parsing a flow node did not find expected "
            'node content in "<unicode string>", line 2, column 1'
        ),
        small=True,
        given=run_that_exists("half a config.yaml", lambda path: (path / "config.yaml").write_text("a: [")),
    ),
    Case(
        name="a config.yaml that is a list",
        command="train.py run_id=mine checkpoint_every=1",
        sees="runs/ce_gppo-exact/mine/config.yaml cannot be read: it holds no mapping",
        small=True,
        given=run_that_exists("a config.yaml that is a list", lambda path: (path / "config.yaml").write_text("[]")),
    ),
    Case(
        name="a damaged status.json",
        command="train.py run_id=mine checkpoint_every=1",
        sees=(
            "runs/ce_gppo-exact/mine/status.json cannot be read (Expecting property name enclosed in double "
            "quotes: line 1 column 2 (char 1)); delete it to go on"
        ),
        small=True,
        given=run_that_exists("half a status.json", lambda path: (path / "status.json").write_text("{")),
    ),
    Case(
        name="a folder that is no run",
        command="train.py run_id=mine",
        sees=(
            "runs/ce_gppo-exact/mine exists and is no run directory (no config.yaml); choose another run_id or runs_dir"
        ),
        small=True,
        given=stranger,
    ),
    Case(
        name="runs_dir is a file",
        command="train.py",
        sees="cannot create runs/ce_gppo-exact/seed1-...: a part of the path is a file, not a folder",
        small=True,
        given=runs_is_a_file,
    ),
]
