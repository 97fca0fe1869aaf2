"""Entropy chains of a pool in memory, from a reference model that the config names; read once and kept."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import Any

from crucible.cotp.chains import CoT, digest
from crucible.cotp.entropy_chains import write_entropies
from crucible.cotp.ragged import Ragged, open_ragged
from crucible.cotp.selection import Pool
from crucible.rundir.atomic import explained

Reference = Callable[..., Any]  # a model of conf/model with its options bound (_partial_)


def entropies_of(chains: Sequence[CoT], pool: Pool, reference: Reference) -> Ragged:
    """One entropy a token of each chain. Kept under cache_dir/cotp by the model's weights and the chains' texts."""
    from crucible.policy.fingerprint import fingerprint

    policy = reference(task=pool.task, cache_dir=pool.cache_dir, report=pool.report)
    key = blake2b(f"{fingerprint(policy)} {digest(chains)}".encode(), digest_size=8).hexdigest()
    folder = Path(pool.cache_dir) / "cotp" / "entropies" / key
    if not folder.is_dir():
        with explained("cannot write", folder):
            folder.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(prefix=f"{key}.", suffix=".partial", dir=folder.parent) as partial:
                made = Path(partial) / "entropies"
                pairs = [(pool.prompts[chain.question], chain.completion) for chain in chains]
                write_entropies(policy, pairs, made, total=len(chains))
                try:
                    os.rename(made, folder)
                except OSError:
                    if not folder.is_dir():  # not simply another process that was quicker
                        raise
        pool.report(f"entropies of {len(chains):,} chains read by the reference model, kept in {folder}")
    return open_ragged(folder)
