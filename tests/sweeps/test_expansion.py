"""A sweep file becomes points: which ones, with which configs, and what is refused."""

from __future__ import annotations

import copy
import shutil
from pathlib import Path

import pytest

from crucible.config.compose import compose
from crucible.config.identity import run_id
from crucible.errors import UserError
from crucible.sweeps.composition import open_composer
from crucible.sweeps.definition import load
from crucible.sweeps.expansion import Point, expand
from crucible.sweeps.program import RULES
from tests.sweeps.lab import REPOSITORY, TRIAL, Lab


def points(lab: Lab, root: Path = TRIAL, **content: object) -> list[Point]:
    lab.write("t", **content)
    definition = load("t", lab.folder / "sweeps")
    with open_composer(root) as composer:
        return expand(definition, composer, RULES)


def test_hydras_grammar_lists_ranges_choices_and_globs(lab: Lab) -> None:
    found = points(
        lab, grid=["optim=glob(*)", "optim.lr=choice(0.01,0.1)", "batch_size=range(4,9,2)"], seeds="range(1,3)"
    )
    assert len(found) == 2 * 2 * 3 * 2
    assert {p.config["optim"]["_target_"] for p in found} == {"trial_program.constant", "trial_program.decay"}
    assert {(p.config["optim"]["lr"], p.config["batch_size"]) for p in found} == {
        (lr, size) for lr in (0.01, 0.1) for size in (4, 6, 8)
    }
    assert len({p.run_id for p in found}) == len(found)


def test_named_grids_are_joined(lab: Lab) -> None:
    found = points(lab, grid={"a": ["batch_size=4"], "b": ["optim=decay", "optim.half_life=1,2"]})
    assert [p.label["grid"] for p in found] == ["a", "b", "b"]


def test_exclusion_by_condition(lab: Lab) -> None:
    found = points(
        lab,
        grid=["optim=constant,decay", "batch_size=4,8"],
        exclude=["optim == 'decay' and batch_size * 2 > 8"],
    )
    assert [(p.label["optim"], p.label["batch_size"]) for p in found] == [
        ("constant", "4"), ("constant", "8"), ("decay", "4"),
    ]  # fmt: skip


def test_resources_of_single_points(lab: Lab) -> None:
    found = points(
        lab,
        resources={"hours": 1, "setup": ["module load a"]},
        points=[{"when": "batch_size > 4", "resources": {"hours": 2, "setup": ["module load b"]}}],
    )
    assert [(p.resources.hours, p.resources.setup) for p in found] == [
        (1, ("module load a",)),
        (2, ("module load a", "module load b")),
    ]


def test_the_quick_way_equals_full_composition_on_the_trial_config(lab: Lab) -> None:
    lab.write(
        base=["steps=7", "checkpoint_every=3"],
        grid=[
            "optim=constant,decay",
            "optim.lr=0.1,1e-3,1",
            "batch_size=4,8",
            "fault_file=null,'a b',x",
            "+optim.nesterov=true,false",
        ],
    )
    definition = load("t", lab.folder / "sweeps")
    with open_composer(TRIAL) as composer:
        combinations = composer.product([*definition.base, *definition.grids[""], "seed=1,2"])
        assert len(combinations) == 2 * 3 * 2 * 3 * 2 * 2
        for overrides in combinations[::13]:
            assert composer.compose(overrides) == composer.compose_fully(overrides)


def test_the_quick_way_equals_full_composition_on_the_real_config(lab: Lab) -> None:
    """With values that other values are interpolated from, a list, null, a switch, and an override of all."""
    lab.write(
        base=["reward=exact"],
        grid=[
            "optim.lr=1e-4,2e-4",
            "sampling.temperature=0.8,1",
            "optim.max_grad_norm=null,1.0",
            "batch={prompts_per_step:32},{prompts_per_step:64}",
            "algo=grpo,ce_gppo",
        ],
    )
    definition = load("t", lab.folder / "sweeps")
    with open_composer(REPOSITORY) as composer:
        combinations = composer.product([*definition.base, *definition.grids[""], "seed=1"])
        quick = [composer.compose(overrides) for overrides in combinations]
        for overrides, composed in list(zip(combinations, quick, strict=True))[::7]:
            assert composed == composer.compose_fully(overrides)
    assert len({composed.config["experiment"] for composed in quick}) == 2, "the interpolation follows the choice"


def test_a_composition_leaves_no_trace_in_the_next(lab: Lab, tmp_path: Path) -> None:
    """They share the files that were read; each must be what Hydra alone makes of it."""
    root = tmp_path / "program"
    shutil.copytree(TRIAL, root)
    (root / "conf" / "optim" / "everywhere.yaml").write_text("# @package _global_\nsteps: 99\noptim: {lr: 0.2}\n")
    points = [
        ["seed=1", "optim.lr=0.3", "steps=7"],
        ["seed=2", "+optim@again=decay"],
        ["seed=3", "optim=everywhere", "optim.lr=0.4", "+optim.more=1"],
        ["seed=4", "optim=everywhere"],
        ["seed=5", "optim=decay", "+optim@_global_=constant"],
        ["seed=6"],
    ]
    alone = [compose(overrides, root, checked=False) for overrides in points]
    with open_composer(root) as composer:
        assert [composer.compose_fully(overrides) for overrides in points] == alone
        assert [composer.compose_fully(overrides) for overrides in points[::-1]] == alone[::-1]


def test_ids_are_those_of_the_whole_config(lab: Lab) -> None:
    """Found from the texts of branches that points share."""
    found = points(lab, REPOSITORY, grid=["algo=grpo,ce_gppo", "optim.lr=1e-4,1", "batch.samples_per_prompt=4,8"])
    assert len(found) == 8
    for point in found:
        assert point.run_id == run_id(point.config)
        assert point.run_id == run_id(copy.deepcopy(dict(reversed(point.config.items()))))


def test_order_decides_between_a_whole_and_its_part(lab: Lab) -> None:
    with open_composer(TRIAL) as composer:
        for overrides in (["optim={lr:0.3}", "optim.lr=0.7", "seed=1"], ["optim.lr=0.7", "optim={lr:0.3}", "seed=1"]):
            assert composer.compose(overrides) == composer.compose_fully(overrides)
            assert composer.compose(overrides).config["optim"]["lr"] == float(
                overrides[1].partition("lr")[2].strip("=:}")
            )


def test_the_same_point_has_the_same_id_wherever_it_is_named(lab: Lab) -> None:
    (one,) = points(lab, grid=["batch_size=8", "optim=constant"], base=["steps=9"])
    (other,) = points(lab, grid=["steps=9"], experiment="elsewhere")
    assert one.run_id == other.run_id


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"seeds": None}, "seeds are missing"),
        ({"grid": []}, "grid is empty"),
        ({"grid": None}, "grid is empty"),
        ({"grid": {"a": []}}, "grid a is empty"),
        ({"grid": ["batch_size=range(3,3)"]}, "no points"),
        ({"exclude": ["batch_size > 0"]}, "no points are left"),
        ({"grid": ["batchsize=4,8"]}, 'unknown option batchsize.*did you mean "batch_size"'),
        ({"grid": ["optim.ler=4,8"]}, 'optim.ler.*did you mean "lr"'),
        ({"grid": ["optim=constnt"]}, 'no option "constnt".*"constant"'),
        ({"grid": ["batch_size=4,many"]}, 'batch_size="many".*whole number'),
        ({"grid": ["batch_size=4,4"]}, "two points are the same run.*batch_size=4"),
        ({"grid": ["batch_size=4,8", "seed=1,2"]}, "name seeds under `seeds`"),
        ({"base": ["batch_size=4,8"]}, "several values; move it to the grid"),
        ({"grid": ["batch_size=[1"]}, "batch_size"),
        ({"exclude": ["batchsize > 3"]}, 'did you mean "batch_size"'),
        ({"exclude": ["__import__('os')"]}, "a condition cannot use"),
        ({"exclude": ["batch_size >"]}, "condition"),
        ({"exclude": ["optim > 3"]}, "condition 'optim > 3'"),
        ({"resources": {"gpu": 1}}, "unknown key 'gpu'.*did you mean \"gpus\""),
        ({"resources": {"hours": 0}}, "hours must be a number above 0"),
        ({"resources": {"hours": "4:00:00"}}, "hours must be a number above 0"),
        ({"resources": {"hours": 14400}}, "more than a year"),
        ({"resources": {"gpus": -1}}, "gpus must be a whole number"),
        ({"resources": {"hours": 0.01}}, "told to stop before it starts"),
        ({"points": [{"if": "x"}]}, "each entry of points"),
        ({"sedes": 1}, "unknown key 'sedes'.*did you mean \"seeds\""),
    ],
)
def test_bad_sweeps_are_refused_in_one_line(lab: Lab, content: dict, message: str) -> None:
    with pytest.raises(UserError, match=message) as refusal:
        points(lab, **content)
    assert "\n" not in str(refusal.value)


def test_an_unknown_sweep_names_the_nearest(lab: Lab) -> None:
    lab.write("betas")
    with pytest.raises(UserError, match='did you mean "betas"'):
        load("beta", lab.folder / "sweeps")


LONG = {"online"}  # each of 59 algorithms is a composition of its own
FILES = [
    pytest.param(file, id=file.stem, marks=[pytest.mark.slow] if file.stem in LONG else [])
    for file in sorted((REPOSITORY / "sweeps").rglob("*.yaml"))
]


@pytest.mark.parametrize("file", FILES)
def test_every_sweep_of_the_repository_expands(file: Path) -> None:
    definition = load(file.relative_to(REPOSITORY / "sweeps").with_suffix("").as_posix(), REPOSITORY / "sweeps")
    with open_composer(REPOSITORY) as composer:
        assert expand(definition, composer, RULES)
