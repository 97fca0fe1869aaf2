"""The command that a finished run ends with opens what is in policy/."""

from __future__ import annotations

import json

import pytest

from crucible.analysis.closing import closing_words


@pytest.mark.parametrize(
    ("architecture", "named"),
    [
        ("Qwen3ForCausalLM", "AutoModelForCausalLM"),
        ("Qwen3ForSequenceClassification", "AutoModelForSequenceClassification"),
    ],
)
def test_the_class_is_that_of_the_model(tmp_path, monkeypatch, architecture, named):
    monkeypatch.setattr("crucible.analysis.closing.before_after_table", lambda run: "")
    (tmp_path / "policy").mkdir()
    (tmp_path / "policy" / "config.json").write_text(json.dumps({"architectures": [architecture]}))
    assert f"from transformers import {named} as M" in closing_words(tmp_path)


def test_nothing_is_named_that_is_not_there(tmp_path, monkeypatch):
    """A run that was stopped has no policy yet, one with figures=false has none."""
    monkeypatch.setattr("crucible.analysis.closing.before_after_table", lambda run: "")
    assert "overview.png" not in closing_words(tmp_path)
    assert "load the policy" not in closing_words(tmp_path)
    (tmp_path / "figures").mkdir()
    (tmp_path / "figures" / "overview.png").touch()
    assert f"figures         {tmp_path}/figures/overview.png" in closing_words(tmp_path)
