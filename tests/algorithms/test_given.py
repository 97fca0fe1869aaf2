"""Calling parts by the names of their parameters."""

from __future__ import annotations

import functools

import pytest

from crucible.algorithms.given import NEEDS_CRITIC, ROLES, UPDATE, Given, all_names, call, names, overridden
from crucible.errors import UserError


def loss(logps, mask, *, scale: float = 1.0):
    return scale * logps + mask


class Remembers:
    def __call__(self, scores, group, *, decay: float = 0.5):
        return scores, group

    def select(self, success, mask):
        return success


def test_names_of_functions_partials_objects_and_methods():
    assert names(loss) == ("logps", "mask")
    assert names(functools.partial(loss, scale=2.0)) == ("logps", "mask")
    assert names(functools.partial(loss, mask=1)) == ("logps",)
    assert names(Remembers()) == ("scores", "group")
    assert names(Remembers().select) == ("success", "mask")
    assert all_names([loss, Remembers()]) == {"logps", "mask", "scores", "group"}


def test_a_part_gets_what_it_names_and_what_stands_in_for_it():
    given = Given({"logps": 3.0, "mask": 1.0, "unread": None})
    assert call(functools.partial(loss, scale=2.0), given) == 7.0
    assert call(loss, given, mask=5.0) == 8.0


def test_what_costs_something_is_made_once_and_only_on_demand():
    made = []
    given = Given(
        {"mask": 1.0}, {"logps": lambda: made.append("logps") or 2.0, "entropy": lambda: made.append("entropy")}
    )
    assert "entropy" in given
    assert set(given) == {"mask", "logps", "entropy"}
    assert len(given) == 3
    assert made == []
    assert call(loss, given) == call(loss, given) == 3.0
    assert made == ["logps"]


def test_an_unknown_name_is_refused_with_the_nearest():
    def typo(logps, refrence_logps):
        return logps

    with pytest.raises(UserError, match=r'typo asks for "refrence_logps".*did you mean "reference_logps"'):
        call(typo, Given({"logps": 1, "reference_logps": 2}))
    with pytest.raises(UserError, match=r'"zzz", which a run cannot give it here; there are: logps'):
        call(lambda zzz: zzz, Given({"logps": 1}))


def test_an_option_without_a_value_is_not_taken_for_a_name():
    def strict(logps, *, scale):
        return logps * scale

    assert names(strict) == ("logps",)
    with pytest.raises(TypeError, match="scale"):
        call(strict, Given({"logps": 1}))


def test_a_hook_counts_only_where_it_does_something():
    class Base:
        def shape(self, advantages):
            return advantages

    class Quiet(Base):
        pass

    class Loud(Base):
        def shape(self, advantages, entropy):
            return entropy

    assert overridden(Quiet(), "shape", Base) is None
    assert overridden(Loud(), "shape", Base)(1, 2) == 2
    assert overridden(Quiet(), "weigh", Base) is None


def test_every_role_has_a_documented_vocabulary():
    for vocabulary in ROLES.values():
        assert all(name.isidentifier() and text for name, text in vocabulary.items())
    assert set(UPDATE) >= set(NEEDS_CRITIC)
