"""What a model may write: pieces that verifiers look for, in any order, whole and broken, and anything else."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import strategies as st

PIECES = [
    "\\boxed{", "}", "{", "\\boxed", "####", "#### 72", "answer is", "Answer:", "the answer is (B)", "=",
    "= 7", "/", "//", "<think>", "</think>", "<answer>", "</answer>", "<answer", "</", "```python\n", "```",
    "```sql\nSELECT 1", "\\frac{1}{2}", "\\frac{", "\\sqrt{2}", "\\text{", "$", "$$", "\\(", "\\)", "\\[",
    "\\]", "1,000", "1,00", "-", "--5", "+3", ".5", "5.", "0.1e-400", "1e9", "1e99", "9" * 70, "10^{10^{10}}",
    "2**9999999", "\\infty", "1/0", "0/0", "50%", "\\%", "x=1", "(A)", "A.", "7+8=15;", "15-6=9", ";",
    "(3+4)*2-8/4=", "((((", "))))", "19*3=57", "{1,2}", "[1,2)", "\\{1\\}", "\\cup", "\\pm", "nan", "inf",
    "-inf", "None", "True", "null", "\n", "\r\n", "\t", " ", "\0", "\u2028", "\u200b", "\ufeff", "٣", "²",
    "½", "−5", "İ", "ß", "ﬁ", "😀", "\ud800", "a\u0301", "e" * 300, "a" * 3000, "((" * 200, "{" * 500,
    "\\boxed{" * 50, "1+" * 300, "SELECT", "FROM t", "'", '"', "\\", "--", "/*", "*/", "<<", ">>", "P.S.",
    "* a\n* b", "Paragraph", "let us ", "wait,",
]  # fmt: skip

pieces = st.lists(st.sampled_from(PIECES) | st.text(max_size=8), max_size=14).map("".join)
completions = pieces | st.text(max_size=200)
answers = st.sampled_from(PIECES) | st.text(min_size=1, max_size=20) | st.integers().map(str)

json_values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)


def mangled(draw: Any, content: bytes) -> bytes:
    """`content` with a stretch replaced: cut, doubled or overwritten."""
    at = draw(st.integers(0, len(content)))
    end = draw(st.integers(at, min(len(content), at + 40)))
    return content[:at] + draw(st.binary(max_size=20)) + content[end:]


@st.composite
def damaged_lines(draw: Any, row: st.SearchStrategy[Any]) -> bytes:
    """JSON lines of such rows, damaged in up to three places."""
    content = "\n".join(json.dumps(r) for r in draw(st.lists(row, max_size=6))).encode("utf-8", "surrogatepass")
    for _ in range(draw(st.integers(0, 3))):
        content = mangled(draw, content)
    return content
