"""Signatures are read from source, without importing what they are in."""

from __future__ import annotations

import inspect
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from crucible.config.signatures import read
from crucible.errors import UserError

pytestmark = pytest.mark.usefixtures("lab")


def test_a_function() -> None:
    found = read("lab.heavy.ppo")
    assert list(found.parameters) == ["logps", "mask", "clip_low", "clip_high", "dual"]
    assert found.parameters["clip_low"].default == "0.2"
    assert found.parameters["clip_low"].keyword_only
    assert found.parameters["logps"].required
    assert not found.parameters["logps"].keyword_only
    assert found.summary == "PPO."
    assert "lab.heavy" not in sys.modules


def test_decorators() -> None:
    assert read("lab.heavy.gspo").needs["advantage"] == ["center"]
    assert read("lab.heavy.exact").attributes["needs"] == ("answer",)
    assert list(read("lab.heavy.exact").parameters) == ["prompt", "completion", "right"]


def test_dataclass_fields() -> None:
    found = read("lab.heavy.Options").parameters
    assert list(found) == ["max_tokens", "temperature", "tags"]
    assert found["max_tokens"].required
    assert found["max_tokens"].keyword_only
    assert not found["tags"].required


def test_aliases_exports_bases_and_methods() -> None:
    assert list(read("lab.heavy.alias").parameters) == list(read("lab.exports.renamed").parameters)
    assert list(read("lab.exports.Nll").parameters) == ["coefficient"]
    assert list(read("lab.heavy.Child").parameters) == ["inherited"]
    assert list(read("lab.heavy.Child.made").parameters) == ["width"]
    assert list(read("lab.heavy.Child.still").parameters) == ["height"]
    assert "demonstrate" in read("lab.heavy.Sums").methods


def test_the_keys_of_an_unpacked_typed_dict_are_options() -> None:
    found = read("crucible.data.jsonl.Jsonl").parameters
    assert [k for k, p in found.items() if p.required] == ["path"]
    assert {"eval_share", "chat", "on_bad_row"} <= set(found)
    assert all(p.keyword_only for p in found.values())
    assert not read("lab.heavy.greedy").parameters  # a bare **options names nothing


def test_what_is_not_there_or_not_readable() -> None:
    with pytest.raises(UserError, match="defines no table"):
        read("lab.heavy.table")
    with pytest.raises(UserError, match=r"defines no Child\.mad"):
        read("lab.heavy.Child.mad")
    with pytest.raises(UserError, match="no module of that name"):
        read("_struct.pack")


def test_constraints_must_be_literals(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "computed_needs.py").write_text("@needs(min_steps=1 + N)\ndef f(): ...\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ValueError, match="must be a literal"):
        read("computed_needs.f")


def test_other_packages_are_read_without_being_imported() -> None:
    code = (
        "import sys; from crucible.config.signatures import read;"
        "p = read('lightning.pytorch.Trainer').parameters;"
        "assert 'max_epochs' in p and 'precision' in p, list(p);"
        "assert 'torch' not in sys.modules and 'lightning' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_reading_agrees_with_python() -> None:
    """The same names, order and defaults as inspect.signature, for functions of the standard library."""
    for name in ("wrap", "shorten", "indent", "TextWrapper"):
        expected = inspect.signature(getattr(textwrap, name)).parameters
        named = {k: p for k, p in expected.items() if p.kind is not p.VAR_KEYWORD}
        found = read(f"textwrap.{name}").parameters
        assert list(found) == list(named)
        assert [k for k, p in found.items() if p.required] == [k for k, p in named.items() if p.default is p.empty]
