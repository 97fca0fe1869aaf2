from __future__ import annotations

import pytest

from crucible.sandbox import last_code_block


@pytest.mark.parametrize(
    ("text", "language", "expected"),
    [
        ("a\n```python\nx = 1\n```\nb\n```py\ny = 2\n```\n", "python", "y = 2\n"),
        ("```\nx\n```", "python", "x\n"),
        ("```python\nx\n```\n```bash\nls\n```", "python", "x\n"),  # of another language
        ("```js\nx\n```", "python", None),
        ("```js\nx\n```", "javascript", "x\n"),
        ("no block", "python", None),
        ("```python\nx = 1\n", "python", "x = 1\n"),  # cut off
        ("````python\ns = '''\n```\n'''\n````", "python", "s = '''\n```\n'''\n"),  # a fence in the program
        ("~~~python\nx\n~~~", "python", "x\n"),
        ("```python title=a\nx\n```", "python", "x\n"),
        ("inline ```x``` only", "python", None),
        ("```python\n```", "python", ""),
        ("```Python\r\nx\r\n```", "python", "x\r\n"),
    ],
)
def test_the_last_block(text: str, language: str, expected: str | None) -> None:
    assert last_code_block(text, language) == expected
