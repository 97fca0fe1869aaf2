"""The costs named in docs/clusters.md are those that benchmarks/sweep_overhead.py printed."""

from __future__ import annotations

import re

from tests.sweeps.lab import REPOSITORY


def test_the_costs_of_a_job_are_the_printed_ones() -> None:
    printed = (REPOSITORY / "docs" / "results" / "sweep_overhead.txt").read_text()
    per_job = {what: float(ms) for what, ms in re.findall(r"\d+ x (.+?) +([\d.]+) ms a job", printed)}
    bare, same = per_job["sbatch --array of `true`"], per_job["sbatch --array of the same runs"]
    empty = per_job["submitit's array of os.getpid"]
    (launching,) = re.findall(r"([\d.]+)  +of which: the launcher", printed)
    (jobs,) = set(re.findall(r"(\d+) x", printed))
    cpu = {what: float(s) for s, what in re.findall(r"^ +([\d.]+) +[\d.]+ +(expand|place)", printed, re.MULTILINE)}
    said = " ".join((REPOSITORY / "docs" / "clusters.md").read_text().split())
    for sentence in (
        f"A job of one step costs {per_job['Crucible']:.0f} ms where `sbatch --array` of `true` costs {bare:.0f}",
        f"sweep_overhead.py --jobs {jobs}`",
        f"{empty - bare:.0f} ms are submitit's start",
        f"{same - bare:.0f} are the run itself",
        f"the launching, {1000 * float(launching) / int(jobs):.0f} ms,",
        f"takes {cpu['expand']:.1f} s of CPU",
        f"their status {cpu['place']:.1f} s",
    ):
        assert sentence in said
