"""Statistics of evaluations and runs, one idea a file.

| question | file |
|---|---|
| pass@k, all@k, avg@k out of counts | pass_at_k |
| maj@k out of votes | votes |
| attempts until the first right answer | attempts |
| a mean over problems, with its interval | means |
| standard errors with clusters; variance within and between problems | standard_errors |
| a statistic over runs x tasks, with its interval | aggregates, stratified |
| how often does X beat Y; share of runs above a threshold | improvement, profiles |
| is a difference more than chance | difference, seeds, multiplicity |
| the level of one curve | batch_means |
| how much could have been seen at all | power |

P problems, n or K samples each; R runs (seeds), M tasks (data sets). Arrays are NumPy float64.
"""

from __future__ import annotations

from crucible.analysis.statistics.aggregates import iqm, mean, median, optimality_gap
from crucible.analysis.statistics.attempts import (
    attempts_interval,
    attempts_up_to,
    expected_attempts,
    geometric_pass_at_k,
    median_attempts,
)
from crucible.analysis.statistics.batch_means import batch_means_interval
from crucible.analysis.statistics.difference import Difference, mcnemar, paired_test, unpaired_test
from crucible.analysis.statistics.improvement import probability_of_improvement, probability_of_improvement_interval
from crucible.analysis.statistics.interval import Interval
from crucible.analysis.statistics.means import (
    avg_at_k_interval,
    bootstrap_interval,
    mean_interval,
    paired_difference,
    pass_at_k_interval,
    wilson_interval,
)
from crucible.analysis.statistics.multiplicity import holm
from crucible.analysis.statistics.pass_at_k import (
    all_at_k,
    all_at_k_by_problem,
    avg_at_k,
    avg_at_k_by_problem,
    pass_at_k,
    pass_at_k_by_problem,
)
from crucible.analysis.statistics.power import detectable_difference, detectable_difference_of_means, problems_needed
from crucible.analysis.statistics.profiles import Profile, performance_profile, performance_profile_band
from crucible.analysis.statistics.seeds import compare_seeds
from crucible.analysis.statistics.standard_errors import VarianceParts, standard_error, variance_parts
from crucible.analysis.statistics.stratified import bootstrap_distribution, stratified_bootstrap
from crucible.analysis.statistics.votes import count_votes, maj_at_k, maj_at_k_by_problem

__all__ = [
    "Difference",
    "Interval",
    "Profile",
    "VarianceParts",
    "all_at_k",
    "all_at_k_by_problem",
    "attempts_interval",
    "attempts_up_to",
    "avg_at_k",
    "avg_at_k_by_problem",
    "avg_at_k_interval",
    "batch_means_interval",
    "bootstrap_distribution",
    "bootstrap_interval",
    "compare_seeds",
    "count_votes",
    "detectable_difference",
    "detectable_difference_of_means",
    "expected_attempts",
    "geometric_pass_at_k",
    "holm",
    "iqm",
    "maj_at_k",
    "maj_at_k_by_problem",
    "mcnemar",
    "mean",
    "mean_interval",
    "median",
    "median_attempts",
    "optimality_gap",
    "paired_difference",
    "paired_test",
    "pass_at_k",
    "pass_at_k_by_problem",
    "pass_at_k_interval",
    "performance_profile",
    "performance_profile_band",
    "probability_of_improvement",
    "probability_of_improvement_interval",
    "problems_needed",
    "standard_error",
    "stratified_bootstrap",
    "unpaired_test",
    "variance_parts",
    "wilson_interval",
]
