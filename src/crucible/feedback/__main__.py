"""The data pipeline of RLBFF (arXiv 2509.21319): feedback texts, principles, evidence, consensus, triples.

python -m crucible.feedback out=DIR count=400                                    # the embedded world
python -m crucible.feedback out=DIR source=mine.jsonl extractor=endpoint \\
    endpoint=http://localhost:8000/v1 endpoint_model=NAME key_variable=NAME
python -m crucible.feedback out=DIR source=nvidia/HelpSteer3 config=feedback split=train,validation \\
    extractor=endpoint endpoint=... endpoint_model=... embedder=OWNER/NAME tau=0.8
python -m crucible.feedback out=DIR source=nvidia/HelpSteer3 config=principle     # triples that are there already

The same command goes on where it was stopped. docs/feedback.md has the rest.
"""

from __future__ import annotations

import functools
import sys
from typing import Any

from crucible.analysis import arguments
from crucible.errors import UserError
from crucible.feedback.corpus.command import feedback, own_words


def main(arguments_given: list[str]) -> int:
    return arguments.run(_plainly, arguments_given, usage=__doc__ or "")


@functools.wraps(feedback)
def _plainly(**options: Any) -> str:
    try:
        return feedback(**options)
    except UserError as error:
        raise own_words(error) from None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
