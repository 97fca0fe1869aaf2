"""A small laboratory of its own: a package `lab` whose import fails, a conf/ tree, recipes, a train.py."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from crucible.config.compose import Composed, compose

REPOSITORY = Path(__file__).resolve().parents[2]

FILES = {
    "lab/__init__.py": "",
    "lab/heavy.py": '''
        """Parts that must be read, never imported: this import fails."""
        import no_such_package_anywhere
        from dataclasses import dataclass, field
        from typing import Any, Literal
        from collections.abc import Mapping, Sequence
        from crucible.config.needs import needs
        from crucible.rewards.base import per_sample

        Mode = Literal["sampler", "recompute"]

        class Online:
            """Trains."""
            def __init__(self, *, policy: Policy, batch: Any, loss: Any, advantage: Any, auxiliary: Mapping[str, Any],
                         old: Mode = "sampler"): ...

        def ppo(logps, mask, *, clip_low: float = 0.2, clip_high: float = 0.2, dual: float | None = None):
            """PPO.

            More."""

        @needs(advantage=["center"], because="its ratio belongs to whole sequences")
        def gspo(logps, mask, *, clip_high: float = 0.1): ...

        @needs(min_samples_per_prompt=2)
        def norm(scores, group, *, eps: float = 1e-6, unbiased: bool = True): ...

        def center(scores, group): ...

        class Nll:
            def __init__(self, *, coefficient: float): ...

        @per_sample(needs=("answer",))
        def exact(prompt, completion, *, right: float = 1.0): ...

        class Sums:
            reference_keys = ("answer",)
            def __init__(self, *, terms: int = 4, share: float = 0.5, names: Sequence[str] = ()): ...
            def demonstrate(self, prompt, rng): ...

        class Bare:
            reference_keys = ()
            def __init__(self, *, file: str): ...

        @needs(task_methods=["demonstrate"])
        class Warm:
            def __init__(self, *, epochs: int, width: int = 8): ...

        class Supervised:
            """Trains on given answers."""
            def __init__(self, *, policy: Policy): ...

        class Deep:
            def __init__(self, *, inner: Any): ...

        @dataclass(frozen=True, kw_only=True)
        class Options:
            max_tokens: int
            temperature: float = 1.0
            tags: list[str] = field(default_factory=list)
            hidden: int = field(init=False, default=1)

        alias = ppo

        class Base:
            def __init__(self, *, inherited: int): ...

        class Child(Base):
            """A child."""
            @classmethod
            def made(cls, width: int): ...
            @staticmethod
            def still(height: int): ...

        def greedy(**options): ...
        table = {}
    ''',
    "lab/exports.py": "from .heavy import ppo as renamed\nfrom lab.heavy import Nll\n",
    "lab/run.py": '''
        """The root target: it says what it was given."""
        import sys
        from collections.abc import Mapping
        from typing import Any, Literal
        from crucible.errors import UserError

        def run(*, algo: Mapping[str, Any], reward: Mapping[str, Any], data: Mapping[str, Any],
                model: Mapping[str, Any], batch: Mapping[str, Any], sampling: Mapping[str, Any],
                seed: int, steps: int, experiment: str = "x", runs_dir: str = "runs",
                run_id: str | None = None, dry_run: bool = False, resume: Literal["auto", "never"] = "auto"):
            if steps == 13:
                raise UserError("steps=13: unlucky; give another number")
            if steps == 17:
                raise RuntimeError("a bug")
            hand_over = dict(policy=model, epochs=steps)
            print("RAN", seed, steps, sorted(algo["loss"]), "torch" in sys.modules)
    ''',
    "conf/train.yaml": """
        # A run of the small laboratory.
        # python train.py algo=ppo
        defaults:
          - algo: ppo
          - reward: exact
          - data: sums
          - model: warm
          - _self_
        _target_: lab.run.run
        seed: 1         # of everything
        steps: 10       # rollout steps
        batch:          # the four terms
          _target_: crucible.config.batch.Batch
          prompts_per_step: 64     # prompts
          samples_per_prompt: 8    # samples
          updates_per_rollout: 4   # updates
          micro_batch_tokens: 8192 # tokens
        sampling:
          _target_: lab.heavy.Options
          max_tokens: 32           # tokens
        experiment: ${hydra:runtime.choices.algo}-x   # folder
        dry_run: false  # look only
    """,
    "conf/algo/ppo.yaml": """
        # PPO, the first one.
        # python train.py algo=ppo
        defaults:
          - loss: ppo
          - advantage: norm
          - auxiliary: none
          - _self_
        _target_: lab.heavy.Online
        old: sampler   # or recompute
    """,
    "conf/algo/sft.yaml": "# SFT.\n_target_: lab.heavy.Supervised\n",
    "conf/algo/gspo.yaml": """
        # GSPO, from PPO.
        defaults:
          - ppo
          - override loss: gspo
          - override advantage: center
          - _self_
        loss: {clip_high: 0.3}
    """,
    "conf/algo/loss/ppo.yaml": "# The PPO loss.\n_target_: lab.heavy.ppo\n_partial_: true\nclip_high: 0.2\n",
    "conf/algo/loss/gspo.yaml": "# GSPO's loss.\n_target_: lab.heavy.gspo\n_partial_: true\nclip_high: 0.2\n",
    "conf/algo/advantage/norm.yaml": "# Normalised.\n_target_: lab.heavy.norm\n_partial_: true\n",
    "conf/algo/advantage/center.yaml": "# Centred.\n_target_: lab.heavy.center\n_partial_: true\n",
    "conf/algo/auxiliary/none.yaml": "# Nothing.\n{}\n",
    "conf/algo/auxiliary/nll.yaml": "# NLL.\nnll:\n  _target_: lab.heavy.Nll\n  coefficient: 0.1\n",
    "conf/algo/auxiliary/flat.yaml": "# To be added by name.\n_target_: lab.heavy.Nll\ncoefficient: 0.2\n",
    "conf/reward/exact.yaml": "# Right or wrong.\n_target_: lab.heavy.exact\nright: 1.0\n",
    "conf/data/sums.yaml": "# Sums.\n_target_: lab.heavy.Sums\nterms: 4\n",
    "conf/data/bare.yaml": "# A file.\n_target_: lab.heavy.Bare\nfile: ???\n",
    "conf/model/warm.yaml": "# Warm.\n_target_: lab.heavy.Warm\nwidth: 8\n",
    "conf/model/deep.yaml": ("# Deep.\ndefaults:\n  - part@inner: small\n_target_: lab.heavy.Deep\n"),
    "conf/model/part/small.yaml": "# Small.\n_target_: lab.heavy.center\n_partial_: true\n",
    "experiments/paper/mini.yaml": """
        # @package _global_
        # The paper, small.
        defaults:
          - override /algo: gspo
        steps: 7
        algo: {loss: {clip_high: 0.4}}
    """,
    "experiments/paper/typo.yaml": "# @package _global_\n# A typo.\nalgo: {loss: {clip_hihg: 0.4}}\n",
    "experiments/paper/deep.yaml": "# @package _global_\n# A typo.\nsampling: {temprature: 0.4}\nstpes: 3\n",
}


def dedent(text: str) -> str:
    lines = text.strip("\n").splitlines() or [""]
    indent = len(lines[0]) - len(lines[0].lstrip())
    return "\n".join(line[indent:] if not line[:indent].strip() else line for line in lines).rstrip() + "\n"


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    root = tmp_path_factory.mktemp("lab")
    for name, content in FILES.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(dedent(content))
    (root / "train.py").write_text((REPOSITORY / "train.py").read_text())
    sys.path.insert(0, str(root))
    yield root
    sys.path.remove(str(root))


@pytest.fixture(scope="session")
def composed(lab: Path) -> Callable[..., Composed]:
    """The checked config of some overrides in the laboratory."""
    return lambda *overrides: compose(overrides, lab)


@pytest.fixture(scope="session")
def train(lab: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run the laboratory's train.py as a user does."""

    def run(*argv: str, cwd: Path = lab, **environment: str) -> subprocess.CompletedProcess[str]:
        import os

        path = f"{REPOSITORY / 'src'}{os.pathsep}{lab}"
        return subprocess.run(
            [sys.executable, str(lab / "train.py"), *argv],
            capture_output=True,
            text=True,
            cwd=cwd,
            env={**os.environ, "PYTHONPATH": path, **environment},
            timeout=60,
        )

    return run
