"""A real SLURM to try things on.

    python -m tests.slurm up DIR [--nodes 2] [--preempt] [--install]
    eval "$(python -m tests.slurm env DIR)"; sinfo; sbatch ...
    python -m tests.slurm down DIR [--remove]

`--install` fetches Debian's slurm-wlm and munge. Use a short DIR on a local disk: Unix sockets are in it.
"""

from __future__ import annotations

import argparse
import sys

from tests.slurm.cluster import Cluster, ClusterError
from tests.slurm.cluster_conf import Shape
from tests.slurm.packages import PackagesError, install, missing_programs


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m tests.slurm", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("verb", choices=["up", "env", "down"])
    parser.add_argument("home", metavar="DIR")
    parser.add_argument("--nodes", type=int, default=2)
    parser.add_argument("--cpus", type=int, default=8)
    parser.add_argument("--preempt", action="store_true")
    parser.add_argument("--install", action="store_true", help="fetch the Debian packages first (root)")
    parser.add_argument("--remove", action="store_true", help="down: delete DIR as well")
    wish = parser.parse_args()
    try:
        if wish.verb == "up":
            if wish.install and missing_programs():
                install()
            cluster = Cluster(wish.home, Shape(nodes=wish.nodes, cpus=wish.cpus, preempt=wish.preempt))
            seconds = cluster.up()
            print(f'{wish.nodes} node(s) up in {seconds:.1f} s: eval "$(python -m tests.slurm env {wish.home})"')
        elif wish.verb == "env":
            for key, value in Cluster(wish.home).environment().items():
                print(f"export {key}='{value}'")
        else:
            Cluster(wish.home).down(remove=wish.remove)
    except (ClusterError, PackagesError) as error:
        sys.exit(f"cluster: {error}")


if __name__ == "__main__":
    main()
