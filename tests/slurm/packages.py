"""Debian's SLURM, fetched where it is missing and may be installed: python -m tests.slurm.packages"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "squeue", "srun")
SEARCH = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin"])
INSTALL = ("apt-get", "install", "-q", "-y", "--no-install-recommends", "slurm-wlm", "munge")
SERVICE_GATE = Path("/usr/sbin/policy-rc.d")  # asked by Debian's package scripts before they start a service


class PackagesError(RuntimeError):
    pass


def missing_programs() -> list[str]:
    return [name for name in PROGRAMS if shutil.which(name, path=SEARCH) is None]


def install() -> None:
    """As root, or through a sudo that asks for no password. Starts no service."""
    if shutil.which("apt-get") is None:
        raise PackagesError("no apt-get on this machine; install SLURM by other means")
    if os.getuid() != 0:
        _as_root()
        return
    ours = not SERVICE_GATE.exists()
    if ours:
        SERVICE_GATE.write_text("#!/bin/sh\nexit 101\n")
        SERVICE_GATE.chmod(0o755)
    try:
        for command in (("apt-get", "update", "-q"), INSTALL):
            done = subprocess.run(
                command,
                env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
                capture_output=True,
                text=True,
                check=False,
            )
            if done.returncode:
                raise PackagesError(f"{' '.join(command)}: {done.stderr.strip() or done.stdout.strip()}")
    finally:
        if ours:
            SERVICE_GATE.unlink()


def _as_root() -> None:
    if shutil.which("sudo") is None or subprocess.run(["sudo", "-n", "true"], capture_output=True).returncode:
        raise PackagesError(f"no right to install; as root: {' '.join(INSTALL)}")
    if subprocess.run(["sudo", "-n", sys.executable, "-m", "tests.slurm.packages"]).returncode:
        raise PackagesError("the installation under sudo failed")


if __name__ == "__main__":
    if lacking := missing_programs():
        print(f"installing Debian's slurm-wlm and munge ({', '.join(lacking)} not found) ...", flush=True)
        try:
            install()
        except PackagesError as error:
            sys.exit(f"SLURM: {error}")
