"""One run from one composed config: python train.py algo=ce_gppo reward=rlbff

What can be chosen: python train.py --help. What would happen: python train.py dry_run=true.
"""

from __future__ import annotations

from pathlib import Path

from crucible.config.cli import main

if __name__ == "__main__":
    main(root=Path(__file__).resolve().parent)
