"""Hydra's config loader, which reads each file once and not once a composition.

The compositions of a sweep read the same files but for the groups that differ. Hydra's own cache lasts for one
composition; this one lasts as long as the loader, so files must not change meanwhile.
"""

from __future__ import annotations

import copy
from typing import Any

from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.config_repository import ConfigRepository
from hydra.core.config_search_path import ConfigSearchPath
from hydra.plugins.config_source import ConfigResult


class ReadOnce(ConfigRepository):
    """What a search path holds. A copy, which Hydra makes for each composition, shares what was read."""

    def initialize_sources(self, config_search_path: ConfigSearchPath) -> None:
        super().initialize_sources(config_search_path)
        self._read: dict[str, ConfigResult | None] = {}  # of this search path: hydra.searchpath=... starts anew

    def load_config(self, config_path: str) -> ConfigResult | None:
        if config_path not in self._read:
            self._read[config_path] = super().load_config(config_path)
        return self._read[config_path]

    def __deepcopy__(self, memo: dict[int, Any]) -> ReadOnce:
        return copy.copy(self)


class Loader(ConfigLoaderImpl):
    """Composes as Hydra does."""

    def __init__(self, config_search_path: ConfigSearchPath) -> None:
        super().__init__(config_search_path)
        self.repository: ConfigRepository = ReadOnce(config_search_path)

    @staticmethod
    def _embed_result_config(ret: ConfigResult, package_override: str | None) -> ConfigResult:
        """Hydra copies a config into its package, but hands out one that goes to the root as it is, and changes it."""
        embedded = ConfigLoaderImpl._embed_result_config(ret, package_override)
        if embedded is ret:
            embedded = copy.copy(ret)
            embedded.config = copy.deepcopy(ret.config)
        return embedded
