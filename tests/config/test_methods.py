"""The catalogue of methods: complete, searchable, without torch, and the same as the committed page."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from crucible.config import methods_command
from crucible.config.methods import methods, pieces, rewards
from crucible.config.methods_entry import ORIGINS, Method
from crucible.config.methods_search import search
from crucible.config.methods_show import detail, markdown, table
from crucible.errors import UserError

ROOT = Path(__file__).resolve().parents[2]
REWARDS = rewards(ROOT)
FOUND = [*methods(ROOT), *REWARDS]
EVERY_REWARD = pytest.mark.parametrize("reward", REWARDS, ids=lambda m: m.name)
Train = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def read_before(monkeypatch: pytest.MonkeyPatch) -> None:
    """The catalogue as it was read at the top of this file."""
    monkeypatch.setattr(methods_command, "methods", lambda root: [m for m in FOUND if m not in REWARDS])
    monkeypatch.setattr(methods_command, "rewards", lambda root: REWARDS)


def one(spelling: str) -> Method:
    return next(m for m in FOUND if m.spelling == spelling)


def test_every_yaml_of_the_method_axes_is_in_it_once() -> None:
    files = {f.relative_to(ROOT) for axis in ("algo", "entropy") for f in (ROOT / "conf" / axis).rglob("*.yaml")}
    files |= {f.relative_to(ROOT) for f in (ROOT / "conf" / "reward").glob("*.yaml")}
    assert {m.file for m in FOUND} == files
    assert len(FOUND) == len(files) > 30


@EVERY_REWARD
def test_every_reward_says_where_its_formula_comes_from(reward: Method) -> None:
    assert reward.origins, f"{reward.file}: no line '# Formula from: ...' in its header"
    assert set(reward.origins) <= set(ORIGINS), f"{reward.file}: {reward.formula_from}; there are {', '.join(ORIGINS)}"
    told = f"{reward.summary}\n{reward.notes}\n{reward.docstring}"
    if {"paper", "authors' code", "recalled", "re-implementations"} & set(reward.origins):
        assert reward.papers, "what comes from a paper or its authors names it"
    if "library" in reward.origins:
        inside = re.findall(r"library \(([^)]*)\)", reward.formula_from)
        assert inside, f"{reward.file}: which library? library (NAME)"
        assert all(name in told for name in ", ".join(inside).split(", ")), "the docstring says what is taken from it"


@EVERY_REWARD
def test_every_reward_has_a_docstring_and_a_test_that_names_it(reward: Method) -> None:
    assert reward.formula
    assert reward.tests, f"no test imports {reward.target} or chooses {reward.spelling}"
    first = (ROOT / reward.tests[0]).read_text(encoding="utf-8")
    assert re.search(rf"\b({reward.target.rpartition('.')[2]}|{reward.name})\b", first)
    assert len(re.findall(r"^def test_", first, flags=re.MULTILINE)) >= 1


@EVERY_REWARD
def test_every_default_of_a_reward_says_what_it_is(reward: Method) -> None:
    """On its own line or on that of what it belongs to."""
    told = {s.path for s in reward.defaults if s.comment}
    for setting in reward.defaults:
        parents = [setting.path.rsplit(".", n)[0] for n in range(setting.path.count(".") + 1)]
        inside = any(s.path.startswith(f"{setting.path}.") for s in reward.defaults)
        assert inside or told & set(parents), f"{reward.file}: {setting.path} has no comment"


def test_what_a_formula_comes_from_is_read_from_the_header() -> None:
    assert one("reward=verifree").origins == ("authors' code",)
    assert one("reward=length").origins == ("paper", "library")
    assert one("reward=sql").origins == ("re-implementations",)
    assert "Formula from" not in one("reward=sql").notes
    assert one("reward=reasoning_sql").tests[0] == Path("tests/rewards/test_sql.py")
    assert one("reward=format").tests[0] == Path("tests/rewards/test_basic_rewards.py")
    assert "Formula from\n  authors' code" in detail(one("reward=verifree"))


def test_the_page_has_a_line_for_each_reward_with_its_origin_and_its_test() -> None:
    page = markdown(FOUND)
    for m in REWARDS:
        (line,) = [row for row in page.splitlines() if row.startswith(f"| [`{m.name}`](#reward{m.name})")]
        assert f"| {m.formula_from} |" in line
        assert f"(../{m.tests[0].as_posix()})" in line


def test_an_entry_holds_what_code_and_yaml_say() -> None:
    m = one("algo/loss=ce_gppo")
    assert m.papers[0] == "2509.20712"
    assert "2508.07629" in m.papers
    assert m.formula.startswith("-A w, with w = beta1 (1 - eps_low)")
    assert "Differs" not in m.formula + m.body
    assert m.differs.startswith("Differs from the paper: the dual clip")
    assert {s.path: s.value for s in m.defaults}["beta1"] == "0.5"
    assert m.tests[0] == Path("tests/algorithms/losses/test_ce_gppo.py")
    assert m.launch == ("python train.py algo=ce_gppo algo.loss.beta1=0.75",)


def test_a_formula_of_several_lines_keeps_its_columns() -> None:
    first, second, third = one("algo/loss=ce_gppo").formula.splitlines()
    assert first.index("beta1") == second.index("beta2") == third.index("delta")


def test_a_preset_is_made_of_pieces_its_own_and_inherited() -> None:
    assert pieces(ROOT, "ce_gppo")["loss"] == "ce_gppo"
    assert pieces(ROOT, "ce_gppo")["advantage"] == pieces(ROOT, "grpo")["advantage"] == "group_norm"
    assert one("algo=dapo").differs.startswith("Differs from the paper: groups that are left out")
    assert one("algo=dapo").tests == ()


def test_a_method_with_a_condition_says_so() -> None:
    assert "min_samples_per_prompt 2" in detail(one("algo/advantage=group_norm"))


@pytest.mark.parametrize(
    ("words", "first"),
    [
        ("ce_gppo", "algo=ce_gppo"),
        ("covariance advantage", None),
        ("kl cov", "entropy=kl_cov"),
        ("entropi ratio cliping", "entropy=erc"),
        ("reference answer likelihood", None),
        ("2506.14758", "entropy=entropy_advantage"),
        ("Skywork", "entropy=adaptive"),
        ("leave-one-out", None),
    ],
)
def test_search_finds_by_name_paper_and_words_typos_forgiven(words: str, first: str | None) -> None:
    hits = search(FOUND, words.split())
    if first:
        assert hits[0].spelling == first
    assert len(hits) < len(FOUND) / 2


def test_search_wants_every_word() -> None:
    assert search(FOUND, ["gspo", "covariance", "zebra"]) == []


def test_the_table_has_one_line_a_method() -> None:
    lines = table(FOUND).splitlines()
    assert len(lines) == len(FOUND) + 2
    assert lines[-1].startswith(f"{len(FOUND)} methods")


@pytest.mark.parametrize("method", FOUND, ids=lambda m: m.spelling)
def test_every_entry_can_be_shown_in_full(method: Method) -> None:
    text = detail(method)
    assert text.startswith(f"{method.spelling}\n{method.summary}\n")
    assert method.file.as_posix() in text
    assert all((ROOT / test).is_file() for test in method.tests)


def test_the_committed_page_is_what_the_code_makes() -> None:
    page = (ROOT / "docs" / "methods.md").read_text(encoding="utf-8")
    assert page == markdown(FOUND), "run: python train.py methods write=docs/methods.md"


def test_the_page_names_every_method_and_only_files_that_exist() -> None:
    page = markdown(FOUND)
    headings = re.findall(r"^### (\S+)$", page, flags=re.MULTILINE)
    assert headings == [m.spelling for m in FOUND]
    assert all((ROOT / name).is_file() for name in re.findall(r"\]\(\.\./(\S+?)\)", page))


def test_it_loads_no_torch_and_answers_on_a_pipe() -> None:
    code = (
        "import sys; from pathlib import Path; from crucible.config.cli import main\n"
        f"sys.argv = ['train.py', *sys.argv[1:]]; main(Path({str(ROOT)!r}))\n"
        "assert not {'torch', 'hydra', 'transformers'} & set(sys.modules), 'something heavy was loaded'"
    )

    def ask(*argv: str) -> str:
        done = subprocess.run([sys.executable, "-c", code, *argv], capture_output=True, text=True, timeout=60)
        assert (done.returncode, done.stderr) == (0, "")
        return done.stdout

    assert ask("methods") == table(FOUND) + "\n"
    assert ask("methods", "search=entropy", "ratio", "clipping").startswith("entropy  erc ")
    assert ask("methods=entropy/erc") == detail(one("entropy=erc")) + "\n"
    assert ask("methods", "axis=entropy").count("\n") == sum(m.axis == "entropy" for m in FOUND) + 2


@pytest.mark.usefixtures("read_before")
def test_on_a_terminal_it_is_a_table(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "90")
    monkeypatch.setenv("TERM", "dumb")
    methods_command.command(ROOT, ["methods", "axis=entropy"])
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["axis", "name", "arXiv", "what", "it", "is"]
    assert max(map(len, lines)) <= 90
    assert sum("entropy  " in line[:9] for line in lines) == 1  # the axis is named once


def test_a_reader_that_goes_away_is_no_error() -> None:
    """python train.py methods | head"""
    line = f"{sys.executable} {ROOT / 'train.py'} methods | head -n 1"
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    done = subprocess.run(line, shell=True, capture_output=True, text=True, timeout=60, env=environment)
    assert done.stdout.startswith("algo ")
    assert done.stderr == ""


@pytest.mark.usefixtures("read_before")
def test_the_page_is_written_where_asked(tmp_path: Path) -> None:
    methods_command.command(tmp_path, ["methods", "write=page.md"])
    assert (tmp_path / "page.md").read_text() == markdown(FOUND)
    with pytest.raises(UserError, match="there is no folder"):
        methods_command.command(tmp_path, ["methods", "write=no/page.md"])


@pytest.mark.usefixtures("read_before")
@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["methods=ce_gpo"], 'no such method (did you mean "ce_gppo"?)'),
        (["methods", "serach=x"], 'no such option (did you mean "search"?)'),
        (["methods", "axis=entrpy"], 'no such axis (did you mean "entropy"?)'),
        (["methods", "ce_gppo"], "write methods=ce_gppo for one method"),
        (["methods", "search="], "give a value"),
        (["methods", "search=zebra"], "no method has these words"),
        (["methods=grpo", "seed=1"], "nothing else can stand beside it"),
    ],
)
def test_mistakes_are_one_line(argv: list[str], message: str) -> None:
    with pytest.raises(UserError) as caught:
        methods_command.command(ROOT, argv)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
