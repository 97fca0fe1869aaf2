"""The runs of a sweep: its points, each with its run directory or the word that there is none."""

from __future__ import annotations

from pathlib import Path

from crucible.analysis.flat_config import flatten
from crucible.analysis.runs import IDENTITY, FolderRun, read_run
from crucible.sweeps.composition import open_composer
from crucible.sweeps.definition import load
from crucible.sweeps.expansion import expand, place
from crucible.sweeps.program import RULES

MISSING = "missing"
LABEL = "sweep."


def sweep_runs(name: str, *, repository: Path, runs_dir: Path) -> list[FolderRun]:
    """One run a point, in grid order. What the sweep varies is in its config once more, as it was written: the
    columns sweep.<option>, e.g. sweep.algo. A point without a run directory has the state "missing".

    Errors: UserError for an unknown sweep, or one that no longer composes.
    """
    definition = load(name, repository / "sweeps")
    with open_composer(repository.resolve()) as composer:
        points = place(expand(definition, composer, RULES), runs_dir, definition.experiment)
    runs = []
    for point in points:
        if point.run_dir.is_dir():
            run = read_run(point.run_dir)
        else:
            known = {"experiment": point.run_dir.parent.name, "run_id": point.run_id, "state": MISSING}
            facts = {fact: known.get(fact) for fact in IDENTITY}
            config, problem = flatten(dict(point.config)), f"{point.run_dir} does not exist: not started yet"
            run = FolderRun(str(point.run_dir), f"{known['experiment']}/{point.run_id}", facts, config, [problem])
        run.config.update({f"{LABEL}{key}": value for key, value in point.label.items()})
        runs.append(run)
    return runs
