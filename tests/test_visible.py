"""What a model wrote, shown without acting on the terminal."""

from __future__ import annotations

import json
import unicodedata

import pytest

from crucible.visible import acts, escaped, visible

HOSTILE = "\x1b]0;title\x07\x1b[2J\x1b[31mred\r\x00\x08\x7f\x9b1m\u202eevil\u2066\u200b\ufeff\u2028\U000e0041\ud800end"


def test_nothing_that_acts_is_left() -> None:
    shown = visible(HOSTILE)
    assert not [c for c in shown if unicodedata.category(c) in ("Cc", "Cf", "Cs", "Zl", "Zp")]
    assert shown.startswith("␛]0;title␇␛[2J␛[31mred␍␀␈␡<U+009B>1m<U+202E>evil<U+2066><U+200B><U+FEFF><U+2028><U+E0041>")
    assert shown.endswith("<U+D800>end")
    shown.encode()


@pytest.mark.parametrize(
    "text", ["", "7+8=15\n\t;", "naïve 漢字 العربية می‌خواهم ∑ −1", "\U0001f469\u200d\U0001f52c", "\u2581e\u0301"]
)
def test_what_people_write_stays(text) -> None:
    assert visible(text) == escaped(text) == text


def test_json_reads_the_same_and_has_nothing_that_acts() -> None:
    line = json.dumps({"completion": HOSTILE}, ensure_ascii=False)
    safe = escaped(line)
    assert not [c for c in safe if acts(c)]
    assert json.loads(safe) == json.loads(line)
    safe.encode()


@pytest.mark.parametrize("code", [*range(0x20), *range(0x7F, 0xA0)])
def test_every_control_character_but_tab_and_new_line(code) -> None:
    assert acts(chr(code)) is (chr(code) not in "\t\n")
