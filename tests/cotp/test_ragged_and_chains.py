from __future__ import annotations

import json

import numpy as np
import pytest

from crucible.cotp import chains
from crucible.cotp.chains import CoT
from crucible.cotp.ragged import ENDS, VALUES, Ragged, RaggedWriter, open_ragged
from crucible.errors import UserError


def test_sequences_of_different_length():
    many = Ragged.of([[1, 2], [], [3]])
    assert (len(many), many.lengths.tolist(), many[0].tolist(), many[1].tolist()) == (3, [2, 0, 1], [1, 2], [])
    assert many.span(1, 3)[1].tolist() == [3]
    assert many.rows([2, 0])[1].tolist() == [1, 2]


def test_what_is_written_is_read_and_gone_on_with(tmp_path):
    with RaggedWriter(tmp_path / "e") as writer:
        writer.append([np.array([0.5, 1.5]), np.array([2.0])])
    with (tmp_path / "e" / VALUES).open("ab") as file:  # killed while it wrote the third
        file.write(b"\0\0\0\0\0\0")
    with (tmp_path / "e" / ENDS).open("ab") as file:
        file.write(b"\1\2")
    with RaggedWriter(tmp_path / "e") as writer:
        assert writer.done == 2
        writer.append([np.array([3.0, 4.0])])
    found = open_ragged(tmp_path / "e")
    assert [found[i].tolist() for i in range(3)] == [[0.5, 1.5], [2.0], [3.0, 4.0]]


def test_a_damaged_or_missing_folder_is_named(tmp_path):
    with pytest.raises(UserError, match="no entropies in"):
        open_ragged(tmp_path)
    with RaggedWriter(tmp_path / "e") as writer:
        writer.append([np.array([1.0, 2.0])])
    (tmp_path / "e" / VALUES).write_bytes(b"")
    for opened in (open_ragged, RaggedWriter):
        with pytest.raises(UserError, match=r"is damaged: values.f32 is shorter than ends.i64 says; delete the folder"):
            opened(tmp_path / "e")


def test_chains_survive_a_file(tmp_path):
    both = [
        CoT("a", "q", "1+1=", "=2", "2", True, "guess", chosen=False),
        CoT("b", "q", "1+1=", "1+1=2;=2"),
    ]
    chains.write(tmp_path / "chains.jsonl", both)
    assert chains.read(tmp_path / "chains.jsonl") == both


def test_ids_and_questions_follow_from_the_texts(tmp_path):
    file = tmp_path / "c.jsonl"
    rows = [{"prompt": "1+1=", "completion": c} for c in ("=2", "=3")]
    file.write_text("\n".join(map(json.dumps, rows)))
    a, b = chains.read(file)
    assert a.question == b.question
    assert a.id != b.id
    assert chains.digest([a, b]) != chains.digest([b, a])


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", "c.jsonl:1 is not JSON"),
        ("[1]", "c.jsonl:1 is no JSON object"),
        ('{"prompt": "p", "text": "x"}', "c.jsonl:1 has no completion; it has prompt, text"),
        ('{"prompt": "p", "completion": 3}', "c.jsonl:1: completion must be a text"),
        ('{"prompt": "p", "completion": "x", "correct": 1}', "c.jsonl:1: correct must be true or false"),
        ('{"prompt": "p", "completion": " "}', "c.jsonl:1 is an empty chain: its completion has no text"),
        ("", "has no chains: one JSON object a line is expected"),
        ('{"chain": "a", "prompt": "p", "completion": "x"}\n' * 2, "two chains have the id 'a'"),
    ],
)
def test_bad_files_are_named_by_line(tmp_path, line, message):
    (tmp_path / "c.jsonl").write_text(line)
    with pytest.raises(UserError, match=message):
        chains.read(tmp_path / "c.jsonl")
