"""A reward model on a benchmark of reward models.

python evaluate_rm.py benchmark=rm_bench judge=FOLDER data=RM-Bench/data out=DIR
python evaluate_rm.py benchmark=judgebench judge=FOLDER data=FILE out=DIR principle='accuracy of information'
python evaluate_rm.py benchmark=principles judge=FOLDER out=DIR
python evaluate_rm.py benchmark=judgebench judge=endpoint asked=pair endpoint=http://localhost:8000/v1 \\
    endpoint_model=NAME data=FILE out=DIR

benchmark= rm_bench, judgebench, rewardbench2 or principles. judge= the folder of a reward model (of algo=rm_principle,
or a sequence classifier with one output; of algo=rm_genrm with asked=verdict), length, random, constant, or endpoint.
The same command goes on where it was stopped. docs/reward_benchmarks.md has the rest.
"""

from __future__ import annotations

import functools
import sys
from typing import Any

from crucible.analysis import arguments
from crucible.errors import UserError
from crucible.reward_benchmarks.command import evaluate, own_words


@functools.wraps(evaluate)
def plainly(**options: Any) -> str:
    try:
        return evaluate(**options)
    except UserError as error:
        raise own_words(error) from None


if __name__ == "__main__":
    sys.exit(arguments.run(plainly, sys.argv[1:], usage=__doc__ or ""))
