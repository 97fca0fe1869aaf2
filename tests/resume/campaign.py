"""Kill small runs everywhere and compare what they end with: python -m tests.resume.campaign [--kills 12] [--seed 1]"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from tests.conftest import ROOT
from tests.resume.cases import CASES, Case, Kill, config_of, plan_of
from tests.resume.compare import differences

MOMENT = "some moment"


@dataclass
class Outcome:
    """Of one case: kills by place, runs compared, and what differs."""

    case: str
    kills: Counter[str] = field(default_factory=Counter)
    runs: int = 0
    mismatches: list[str] = field(default_factory=list)


class Server:
    """A process that starts attempts (tests.resume.server)."""

    def __init__(self) -> None:
        path = os.pathsep.join([str(ROOT), str(ROOT / "src")])
        environment = {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
        command = [sys.executable, "-m", "tests.resume.server"]
        self.process = subprocess.Popen(
            command, cwd=ROOT, env=environment, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )

    def attempt(self, **job: Any) -> dict[str, Any]:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(job) + "\n")
        self.process.stdin.flush()
        answer: dict[str, Any] = json.loads(self.process.stdout.readline())
        if answer["hung"]:
            raise RuntimeError(f"an attempt did not end; see {job['log']}")
        return answer

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.communicate()


COMPOSES_ONE_AT_A_TIME = threading.Lock()  # Hydra's state is global


def killed_and_compared(case: Case, plan: list[Kill], server: Server, folder: Path, seed: int = 0) -> Outcome:
    """The case undisturbed, and the same run killed at each place of the plan and started again until it is done.

    A run that finishes before a kill is reached is compared, and the rest of the plan goes on with a new one.
    """
    outcome, rng = Outcome(case.name), random.Random(f"{seed} {case.name}")
    with COMPOSES_ONE_AT_A_TIME:
        config = config_of(case, folder)
    names = {"experiment": "runs", "cache_dir": str(folder / "cache-whole"), "run_id": "whole"}
    whole = server.attempt(config={**config, **names}, log=str(folder / "whole.log"))
    if whole["code"] != 0:
        outcome.mismatches.append(f"undisturbed: ended with {whole['code']}: {tail(folder / 'whole.log')}")
        return outcome
    number, is_open = 1, False
    for kill in [*plan, "to the end"]:
        if kill == "to the end" and not is_open:
            break
        name, log = f"killed-{number}", folder / f"killed-{number}.log"
        names = {"experiment": "runs", "cache_dir": str(folder / f"cache-{number}"), "run_id": name}
        after_s = rng.uniform(0.05, 1.0) * whole["seconds"] if kill is None else None
        place = None if kill in (None, "to the end") else kill
        ended = server.attempt(config={**config, **names}, kill=place, after_s=after_s, log=str(log))
        is_open = ended["code"] == -9
        if is_open:
            outcome.kills[MOMENT if kill is None else kill[0]] += 1
            continue
        number += 1
        outcome.runs += 1
        if ended["code"] != 0:
            outcome.mismatches.append(f"{name} ({kill}): ended with {ended['code']}: {tail(log)}")
        else:
            found = differences(folder / "runs" / "whole", folder / "runs" / name)
            outcome.mismatches += [f"{name} ({kill}): {line}" for line in found]
    return outcome


def tail(log: Path) -> str:
    return " | ".join(log.read_text().splitlines()[-4:])


def campaign(
    folder: Path, *, kills: int, seed: int, cases: list[Case] | None = None, servers: int = 2
) -> list[Outcome]:
    """All cases, shared among some servers."""
    free: SimpleQueue[Server] = SimpleQueue()

    def one(case: Case) -> Outcome:
        place = folder / f"case-{CASES.index(case)}"
        place.mkdir(parents=True)
        server = free.get()
        try:
            return killed_and_compared(case, plan_of(case, kills, seed), server, place, seed)
        finally:
            free.put(server)

    started = [Server() for _ in range(servers)]
    try:
        for server in started:
            free.put(server)
        with ThreadPoolExecutor(servers) as threads:
            return list(threads.map(one, CASES if cases is None else cases))
    finally:
        for server in started:
            server.__exit__()


def told(outcomes: list[Outcome]) -> str:
    """The count, by case and by place, and everything that differs."""
    lines = [f"{o.kills.total():>4} kills, {o.runs} runs, {len(o.mismatches)} mismatches: {o.case}" for o in outcomes]
    by_place = sum((o.kills for o in outcomes), Counter())
    lines += ["", *(f"{count:>4} x {place}" for place, count in sorted(by_place.items())), ""]
    lines += [f"{o.case}: {line}" for o in outcomes for line in o.mismatches]
    runs, wrong = sum(o.runs for o in outcomes), sum(len(o.mismatches) for o in outcomes)
    return "\n".join([*lines, f"{by_place.total()} kills in {len(outcomes)} cases, {runs} runs, {wrong} mismatches"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=12, help="of each case, beside those at places only it has")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--cases", type=int, nargs="*", help="numbers of the cases, from 0; default: all")
    parser.add_argument("--keep", type=Path, help="a new folder in which everything stays")
    given = parser.parse_args()
    cases = None if given.cases is None else [CASES[i] for i in given.cases]
    with tempfile.TemporaryDirectory(prefix="crucible-kills-") as folder:
        print(told(campaign(given.keep or Path(folder), kills=given.kills, seed=given.seed, cases=cases)))


if __name__ == "__main__":
    main()
