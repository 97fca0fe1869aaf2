"""The cases, by topic, in the order of the page."""

from __future__ import annotations

from tests.bad_input.case import Case
from tests.bad_input.topics import (
    analysis,
    chosen_data,
    command_line,
    data_files,
    environment,
    models,
    numbers,
    options,
    reward_models,
    rewards,
    runs,
    sweeps,
)

TOPICS = (
    command_line, options, numbers, data_files, models, rewards, reward_models, runs, environment, sweeps, chosen_data,
    analysis,
)  # fmt: skip
CASES: tuple[Case, ...] = tuple(case for topic in TOPICS for case in topic.CASES)
