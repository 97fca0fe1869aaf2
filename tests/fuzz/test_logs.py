"""Run directories that something has scribbled in: rows that are whole come back, the rest is said in one line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from crucible.rundir import config_file, provenance, status
from crucible.rundir.checkpoints import fault, latest
from crucible.rundir.jsonl import line_of, read_jsonl
from crucible.rundir.metrics import read_metrics
from crucible.rundir.samples import read_samples
from crucible.rundir.secrets import redact, refuse_secrets
from tests.fuzz.limits import fuzzed, told
from tests.fuzz.texts import completions, damaged_lines, json_values

rows = st.dictionaries(
    st.sampled_from(["kind", "step", "from_step", "attempt", "phase", "update", "reward/mean"]),
    json_values | st.sampled_from(["attempt", "NaN", "Infinity"]),
    max_size=5,
)
plain = st.dictionaries(st.text(max_size=10), json_values | st.sampled_from(["caf\udce9", "${x}", "1e3"]), max_size=5)


@fuzzed()
@given(content=st.binary(max_size=300) | damaged_lines(rows))
def test_metrics(tmp_path: Path, content: bytes) -> None:
    for attempt in (1, 2):
        (tmp_path / f"metrics.{attempt:03d}.jsonl").write_bytes(content)
    assert all(isinstance(row, dict) for row in read_metrics(tmp_path))


@fuzzed()
@given(before=st.lists(plain, max_size=4), tail=st.binary(max_size=60))
def test_whole_rows_survive_what_follows_them(tmp_path: Path, before: list[dict[str, Any]], tail: bytes) -> None:
    path = tmp_path / "log.jsonl"
    content = b"".join(map(line_of, before))
    path.write_bytes(content)
    whole = read_jsonl(path)
    assert len(whole) == len(before)
    path.write_bytes(content + tail)
    assert str(read_jsonl(path)[: len(before)]) == str(whole)  # as texts: NaN is not itself


@fuzzed()
@given(content=st.binary(max_size=200) | st.text(max_size=100).map(lambda t: t.encode("utf-8", "surrogatepass")))
def test_the_small_files(tmp_path: Path, content: bytes) -> None:
    for name in (status.FILE, provenance.FILE, config_file.FILE):
        (tmp_path / name).write_bytes(content)
    provenance.read_provenance(tmp_path)
    for read in (lambda: status.read_status(tmp_path), lambda: config_file.read_config(tmp_path / config_file.FILE)):
        assert "\n" not in told(read)


@fuzzed()
@given(content=st.binary(max_size=200) | damaged_lines(rows))
def test_samples(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "samples").mkdir(exist_ok=True)
    (tmp_path / "samples" / "step-000001.jsonl").write_bytes(content)
    assert all(isinstance(row, dict) for row in read_samples(tmp_path, 1))


@fuzzed()
@given(content=st.binary(max_size=100), checksum=st.binary(max_size=100))
def test_no_noise_passes_for_a_checkpoint(tmp_path: Path, content: bytes, checksum: bytes) -> None:
    folder = tmp_path / "checkpoints"
    folder.mkdir(exist_ok=True)
    (folder / "step-000001.ckpt").write_bytes(content)
    (folder / "step-000001.ckpt.sha256").write_bytes(checksum)
    assert fault(folder / "step-000001.ckpt") is not None
    assert "none of the 1 checkpoints" in told(lambda: latest(folder, report=lambda line: None))


@fuzzed()
@given(config=plain.filter(lambda c: c and "hydra" not in c))
@example(config={"": "\x85"})  # a line end that YAML's reader folds
def test_a_config_comes_back(tmp_path: Path, config: dict[str, Any]) -> None:
    path = tmp_path / "config.yaml"
    if refusal := told(lambda: config_file.write_config(path, config, command="c")):
        assert "half a character" in refusal
        return
    assert str(config_file.read_config(path)) == str(config)


TOKENS = ["hf_" + "a1" * 17, "sk-" + "b2" * 20, "ghp_" + "c3" * 18, "AKIA" + "Q7" * 8, "glpat-" + "d4" * 10]


@fuzzed(share=2)
@given(before=completions, token=st.sampled_from(TOKENS), after=completions)
def test_no_token_is_left_in_a_text(before: str, token: str, after: str) -> None:
    text = f"{before} {token} {after}"
    found = redact(text)
    assert token not in found
    assert redact(found) == found


@fuzzed()
@given(config=plain)
def test_looking_for_secrets_never_raises_anything_else(config: dict[str, Any]) -> None:
    assert "\n" not in told(lambda: refuse_secrets(config))
