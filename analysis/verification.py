"""What verifiers keep, lose and let through: tables, figures and pages out of verdicts (arXiv 2509.20837).

python analysis/verification.py verdicts=verified/verdicts.jsonl                     # tables to the terminal
python analysis/verification.py verdicts=a.jsonl,b.jsonl out=outputs/verification    # and .md, .csv, .json, figures
python analysis/verification.py verdicts=verified/verdicts.jsonl problem=p17         # one problem to read
python analysis/verification.py counts=outputs/verification/counts.json              # tables again, from the counts

verdicts= files of verdicts, or folders that hold them. suites.jsonl beside them says which tests are wrong;
problems.jsonl and solutions.jsonl beside the first of them are for pages. taus= thresholds; judge= the judge's cut-off;
verifiers= further ones (either@0.8+0.5); suite= only these; difficulties= spans, as 1-2,3; pages= pages of so many
problems with most errors of verifier=.
"""

from __future__ import annotations

import sys

from crucible.analysis import arguments
from crucible.analysis.verification.program import verification

if __name__ == "__main__":
    sys.exit(arguments.run(verification, sys.argv[1:], usage=__doc__ or ""))
