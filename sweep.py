"""Many runs from one file: python sweep.py sweep=ce_gppo/betas cluster=slurm

What there is: python sweep.py --help. What would happen: python sweep.py sweep=... dry_run=true.
"""

from __future__ import annotations

from pathlib import Path

from crucible.sweeps.cli import main

if __name__ == "__main__":
    main(root=Path(__file__).resolve().parent)
