"""Hydra as Crucible uses it: no output folders, no logging, no chdir; recipes on the search path.

Set here and not in conf/train.yaml, so that a run's own config.yaml, which has no `hydra:` section,
behaves the same. Everything can still be overridden (hydra.sweep.dir=..., hydra/launcher=...).
"""

from __future__ import annotations

import functools
import tempfile
from pathlib import Path
from typing import ClassVar

from hydra.conf import HydraConf, RunDir, SweepDir
from hydra.core.config_search_path import ConfigSearchPath
from hydra.core.config_store import ConfigStore
from hydra.core.plugins import Plugins
from hydra.plugins.search_path_plugin import SearchPathPlugin


class Recipes(SearchPathPlugin):
    """Puts the repository's root on the search path: `+experiments=a/b` is experiments/a/b.yaml."""

    root: ClassVar[Path]

    def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:
        search_path.append(provider="crucible", path=f"file://{self.root}")


def set_up(root: Path) -> None:
    """Register all of it. Calling it again, also for another root, is fine."""
    Recipes.root = root
    _register()


@functools.cache
def _register() -> None:
    Plugins.instance().register(Recipes)
    quiet = {"hydra_logging": "none", "job_logging": "none"}
    # Hydra writes multirun.yaml into the sweep folder; a run directory says all that it would
    scratch = str(Path(tempfile.gettempdir()) / "crucible-multirun")
    conf = HydraConf(output_subdir=None, run=RunDir(dir="."), sweep=SweepDir(dir=scratch, subdir="."))
    conf.defaults = [
        {key: quiet.get(key, value) for key, value in d.items()} if isinstance(d, dict) else d for d in conf.defaults
    ]
    ConfigStore.instance().store(group="hydra", name="config", node=conf, provider="crucible")
