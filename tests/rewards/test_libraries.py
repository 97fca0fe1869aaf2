from __future__ import annotations

import pytest

from crucible.errors import UserError
from crucible.rewards.libraries import required


def test_a_missing_library_is_told_with_its_cure():
    required("json", "json")
    with pytest.raises(UserError, match=r"no_such_module is not installed; it comes with: pip install 'no-such\[x\]'"):
        required("no_such_module", "no-such[x]")
