"""Reward shapings and parts that remember which rewards they saw."""

from __future__ import annotations

from dataclasses import replace

import torch

from crucible.algorithms.advantages.group_center import group_center
from crucible.algorithms.filters.keep_all import keep_all

SEEN: dict[str, torch.Tensor] = {}


def triple(scores, group, mask):
    SEEN["raw"] = scores.total
    return replace(scores, total=3.0 * scores.total)


def add_one(scores, group, mask):
    return replace(scores, total=scores.total + 1.0)


def advantage(scores, group, mask):
    SEEN["advantage"] = scores.total
    return group_center(scores, group, mask)


def sees(success, scores, group):
    SEEN["filter"] = scores.total
    return keep_all(success, scores, group)


def misspelt(scores, grop):
    return scores
