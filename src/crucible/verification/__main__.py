"""The data pipeline of Verification Limits (arXiv 2509.20837): problems, solutions, tests, verdicts, D(tau).

python -m crucible.verification out=DIR suite=minimal:4,structured:8:0.1 tau=0.8      # the embedded world
python -m crucible.verification out=DIR policy=runs/.../RUN suite=progressive:8        # a policy's own solutions
python -m crucible.verification out=DIR problems=p.jsonl solutions=s.jsonl suites=t.jsonl
python -m crucible.verification out=DIR problems=p.jsonl solutions=endpoint suites=endpoint suite=structured:8 \\
    endpoint=http://localhost:8000/v1 endpoint_model=NAME shard=3/8

suite= is strategy:tests:error_rate and may be repeated; D(tau) is made of the first. The same command goes on where it
was stopped. docs/verification.md has the rest.
"""

from __future__ import annotations

import functools
import sys
from typing import Any

from crucible.analysis import arguments
from crucible.errors import UserError
from crucible.verification.command import own_words, verification


def main(arguments_given: list[str]) -> int:
    return arguments.run(_plainly, arguments_given, usage=__doc__ or "")


@functools.wraps(verification)
def _plainly(**options: Any) -> str:
    try:
        return verification(**options)
    except UserError as error:
        raise own_words(error) from None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
