"""The stages on files, end to end; shards, interruptions, and one line for each bad input."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest

from crucible.cotp import shards
from crucible.cotp.__main__ import main
from crucible.cotp.assignment import assign, of_matrix
from crucible.cotp.entropy_chains import Reading
from crucible.cotp.options import DistanceOptions
from crucible.cotp.program import run_distances
from crucible.cotp.ragged import RaggedWriter
from crucible.cotp.sets import ChainSet
from crucible.cotp.shards import Shard, core_set, distances, merged
from crucible.errors import UserError
from tests.policy.models import qwen3

OPTIONS = ["per_core=6", "points=null"]
METRIC = DistanceOptions(per_core=6, points=None)


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """A pool of 300 and a core set of 5, annotated and read by a small model, by the program itself."""
    home = tmp_path_factory.mktemp("world")
    qwen3(context_length=128).save(home / "model")
    assert main(["world", f"out={home}", "items=300", "core_questions=5", "per_core=6"]) == 0
    for name in ("pool", "core"):
        assert main(["annotate", f"chains={home / name}", "by=rules"]) == 0
        assert main(["entropies", f"chains={home / name}", f"model={home / 'model'}"]) == 0
    return home


def run(world, out, *options: str) -> int:
    return main(["distances", f"pool={world / 'pool'}", f"core={world / 'core'}", f"out={out}", *OPTIONS, *options])


def whole(world):
    """The full matrix, and with it the assignment, without files, blocks, bounds or shards."""
    _, ready = core_set(ChainSet(world / "core", Reading()), METRIC.search().metric)
    pool = ChainSet(world / "pool", Reading())
    ready.settle(pool.sample())
    ((_, chains),) = pool.blocks(0, 300, 300)
    return of_matrix(ready.matrix(chains))


def test_any_sharding_selects_what_the_whole_matrix_does(world, tmp_path):
    expected = assign(whole(world), 6)
    for name, shards_of, more in (
        ("one", 1, ["threads=2"]),
        ("three", 3, ["prune=always"]),
        ("few", 2, ["candidates=12"]),
    ):
        out = tmp_path / name
        for number in range(shards_of, 0, -1):
            assert run(world, out, f"shard={number}/{shards_of}", *more) == 0
        selected = tmp_path / f"{name}.jsonl"
        assert main(["select", f"pool={world / 'pool'}", f"distances={out}", f"out={selected}"]) == 0
        rows = [json.loads(line) for line in selected.read_text().splitlines()]
        chains = [json.loads(line)["chain"] for line in (world / "pool" / "chains.jsonl").read_text().splitlines()]
        about = json.loads((tmp_path / f"{name}.jsonl.json").read_text())
        assert about["chosen"] == about["asked"] == 30
        if about["proven"]:
            assert about["cost"] == pytest.approx(expected.cost, abs=1e-12)
        if name != "few":
            assert about["proven"]
            assert [row["chain"] for row in rows] == [chains[i] for i in expected.items]
            assert [row["of_core"] for row in rows] == expected.core.tolist()
    assert {"prompt", "completion", "answer"} <= rows[0].keys()  # what data=jsonl reads


def test_a_shard_that_was_stopped_ends_as_one_that_was_not(world, tmp_path, monkeypatch):
    monkeypatch.setattr(shards, "_block_size", lambda *_: 70)
    pool, core = METRIC.chains(world / "pool"), METRIC.chains(world / "core")
    one, other = tmp_path / "one", tmp_path / "other"
    assert distances(pool, core, one, Shard(1, 1), METRIC.search())
    told: list[str] = []
    for _ in range(4):
        assert not distances(pool, core, other, Shard(1, 1), METRIC.search(), stop=lambda: "stop", report=told.append)
        assert (other / "shard-0001-of-0001.part.npz").is_file()
    assert distances(pool, core, other, Shard(1, 1), METRIC.search(), stop=lambda: "stop", report=told.append)
    assert "70 of 300 chains were compared before" in "\n".join(told)
    assert not (other / "shard-0001-of-0001.part.npz").exists()
    a, b = merged(one)[0], merged(other)[0]
    assert a.distances.tobytes() == b.distances.tobytes()
    assert a.items.tolist() == b.items.tolist()
    assert a.seen == b.seen == 300
    assert distances(pool, core, other, Shard(1, 1), METRIC.search(), report=told.append)
    assert "is there already" in told[-1]


def copied(world, tmp_path, name: str = "pool"):
    """A folder of our own, to be damaged."""
    shutil.copytree(world, tmp_path / "copy", dirs_exist_ok=True)
    return tmp_path / "copy"


def said(capsys) -> str:
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    return lines[0]


def test_empty_chains_are_refused_or_passed_over(world, tmp_path, capsys):
    home = copied(world, tmp_path)
    file = home / "pool" / "patterns.jsonl"
    rows = [json.loads(line) for line in file.read_text().splitlines()]
    rows[7]["patterns"] = []
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert run(home, tmp_path / "d") == 2
    line = said(capsys)
    assert f"pool chain {rows[7]['chain']} is empty: it has no patterns; annotate it" in line
    assert line.endswith("or pass such chains over with on_empty=skip")
    assert run(home, tmp_path / "skipped", "on_empty=skip", "candidates=300") == 0
    found, _ = merged(tmp_path / "skipped")
    assert found.seen == 299
    assert 7 not in found.items
    assert set(range(300)) - {7} == set(found.items[0][:299].tolist())


def test_entropies_that_are_no_numbers_are_named(world, tmp_path, capsys):
    home = copied(world, tmp_path)
    values = np.memmap(home / "pool" / "entropies" / "values.f32", dtype=np.float32, mode="r+")
    values[3] = np.nan
    values.flush()
    assert run(home, tmp_path / "d") == 2
    assert ": entropy 4 of " in said(capsys)
    with pytest.raises(UserError, match="is nan, not a number; read the chain again"):
        run_distances(home / "pool", home / "core", tmp_path / "d", "1/1", METRIC, report=print)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            ["per_core=100"],
            "the pool has 300 chains, fewer than the 5 x 100 = 500 that 5 core chains with 100 each ask for",
        ),
        (["shard=9/8"], "shard=9/8: write it as 3/8, from 1/8 to 8/8"),
        (["candidates=2"], "per_core=6, candidates=2: at least 1, and at least as many candidates"),
        (["lamda_=0.5"], 'unknown option lamda_ (did you mean "lambda_"?)'),
        (["normalise=steps"], "normalise=steps: one of path, length, none"),
        (["lambda_=1.5"], "lambda_=1.5: must be from 0 to 1"),
        (["window=1.5"], "window=1.5: a share of the longer chain"),
    ],
)
def test_bad_options_are_one_line_and_leave_nothing(world, tmp_path, capsys, options, message):
    arguments = [f"pool={world / 'pool'}", f"core={world / 'core'}", f"out={tmp_path / 'd'}"]
    given = options if any(o.startswith("per_core") for o in options) else ["per_core=6", *options]
    assert main(["distances", *arguments, *given]) == 2
    assert message in said(capsys)
    assert not (tmp_path / "d").exists()


def test_memory_bounds_the_blocks_and_too_little_is_refused(world, tmp_path, monkeypatch):
    pool, core = METRIC.chains(world / "pool"), METRIC.chains(world / "core")
    sizes = []
    for megabytes in (1, 2, 4):
        monkeypatch.setattr(shards, "MB", megabytes * 2**15)
        sizes.append(shards._block_size(pool, core, 5, 30, METRIC.search()))
    assert sizes == sorted(sizes)
    assert 3 < sizes[-1] / sizes[0] < 6  # in proportion, beside the candidates
    monkeypatch.setattr(shards, "MB", 16)
    message = r"memory_mb=1024: the candidates of 5 core chains, 30 each, take 300 MB; raise memory_mb, or set candid"
    with pytest.raises(UserError, match=message):
        distances(pool, core, tmp_path / "d", Shard(1, 1), METRIC.search())
    assert not (tmp_path / "d").exists()


def test_a_folder_of_another_search_and_missing_shards_are_refused(world, tmp_path, capsys):
    assert run(world, tmp_path / "d", "shard=2/3") == 0
    capsys.readouterr()
    assert run(world, tmp_path / "d", "shard=1/3", "lambda_=0.5") == 2
    assert "settings.json is of another search: metric is" in said(capsys)
    assert main(["select", f"pool={world / 'pool'}", f"distances={tmp_path / 'd'}", f"out={tmp_path / 's.jsonl'}"]) == 2
    assert "shards 1, 3 of 3 are not finished" in said(capsys)
    assert not (tmp_path / "s.jsonl").exists()
    assert main(["select", f"pool={world / 'pool'}", f"distances={tmp_path}", f"out={tmp_path / 's.jsonl'}"]) == 2
    assert "no settings.json in" in said(capsys)


def test_half_made_sets_are_named(world, tmp_path, capsys):
    home = copied(world, tmp_path)
    file = home / "pool" / "patterns.jsonl"
    lines = file.read_text().splitlines(keepends=True)
    file.write_text("".join(lines[:200]))
    assert run(home, tmp_path / "d") == 2
    assert "patterns.jsonl has 200 of 300 chains; python -m crucible.cotp annotate goes on" in said(capsys)
    file.write_text("".join(lines))
    shutil.rmtree(home / "pool" / "entropies")
    assert run(home, tmp_path / "d") == 2
    assert "no entropies in" in said(capsys)
    with RaggedWriter(home / "pool" / "entropies") as writer:
        writer.append([np.ones(2)])
    assert run(home, tmp_path / "d") == 2
    assert "entropies has 1 of 300 chains; python -m crucible.cotp entropies goes on" in said(capsys)
    assert run(home, tmp_path / "d", "lambda_=1") == 0  # patterns alone need none
    file.unlink()
    assert run(home, tmp_path / "e") == 2
    assert "no patterns.jsonl in" in capsys.readouterr().err


def test_entropies_are_not_gone_on_with_by_another_model(world, tmp_path, capsys):
    home = copied(world, tmp_path)
    qwen3(context_length=128, seed=5).save(tmp_path / "other")
    assert main(["entropies", f"chains={home / 'core'}", f"model={tmp_path / 'other'}"]) == 2
    assert "was begun with model=" in said(capsys)


def test_other_bad_commands(world, tmp_path, capsys):
    assert main(["selct"]) == 2
    assert 'no stage selct (did you mean "select"?)' in said(capsys)
    assert main(["annotate", f"chains={world / 'pool'}"]) == 2
    assert "annotate by=endpoint needs url=http://.../v1 and model=NAME" in said(capsys)
    assert main(["annotate", f"chains={tmp_path}", "by=rules"]) == 2
    assert "no chains at" in said(capsys)
    assert main(["annotate", f"chains={world / 'pool'}", "url=http://127.0.0.1:9/v1", "model=m"]) == 2
    assert said(capsys).startswith("error: url=http://127.0.0.1:9/v1 cannot be reached")
    assert main(["--help"]) == 0
    assert main(["distances", "--help"]) == 0
    assert "memory_mb=" in capsys.readouterr().out


def test_learning_curves_of_a_series_of_policies(world, tmp_path, capsys):
    few = tmp_path / "few"
    few.mkdir()
    lines = (world / "pool" / "chains.jsonl").read_text().splitlines(keepends=True)[:5]
    (few / "chains.jsonl").write_text("".join(lines))
    policies = f"{world / 'model'},{world / 'model'}"
    command = [
        "curves",
        f"chains={few}",
        f"policies={policies}",
        f"out={tmp_path / 'c.jsonl'}",
        "samples=2",
        "max_tokens=4",
    ]
    assert main(command) == 0
    rows = [json.loads(line) for line in (tmp_path / "c.jsonl").read_text().splitlines()]
    assert len(rows) == 5
    assert all(len(row["accuracies"]) == 2 and set(row["accuracies"]) <= {0.0, 0.5, 1.0} for row in rows)
