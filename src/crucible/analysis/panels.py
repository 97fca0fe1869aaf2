"""One function a panel: draws its metrics on `axes`; False, and nothing drawn, where a run has none."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from crucible.analysis import style
from crucible.analysis.curves import Curve, running_mean, window_of
from crucible.analysis.measured import Measured
from crucible.analysis.rows import names_in, series

STEP = "rollout step"


def reward(axes: Any, run: Measured) -> bool:
    """Mean reward, and its components where it has several."""
    names = [n for n in run.metrics if n.startswith("reward/")]
    components = [n for n in names if n not in ("reward/mean", "reward/std", "reward/invalid")]
    lines = [("reward/mean", "total"), *((n, n.removeprefix("reward/")) for n in components)]
    return _lines(axes, run, lines[:7] if len(components) > 1 else lines[:1], title="Reward", y="mean reward")


def accuracy(axes: Any, run: Measured) -> bool:
    """Held-out avg@k and pass@k with their intervals, and the true success of the training rollouts."""
    names = [n for n in names_in(run.rows) if re.fullmatch(r"eval/.+/(avg|pass)@\d+", n)]
    chosen = _avg_and_widest_pass(names)
    drawn = [(n, *series(run.rows, n)) for n in chosen]
    several = len({n.split("/")[1] for n in names}) > 1
    for i, (name, steps, values) in enumerate(drawn):
        _, data, metric = name.split("/", 2)
        look = style.line_with_marker(i)
        axes.plot(steps, values, **look, label=f"{data} {metric}" if several else f"held-out {metric}")
        low, high = (series(run.rows, f"{name}_{end}") for end in ("low", "high"))
        if low[0] == high[0] == steps:
            axes.fill_between(steps, low[1], high[1], color=look["color"], alpha=0.15, linewidth=0)
    training = run.curve("true/success")
    if training is not None:
        _draw(axes, training, len(drawn), "training rollouts", band=False)
    if not drawn and training is None:
        return False
    axes.set_ylim(-0.02, 1.02)
    return _finish(axes, "Accuracy", "share right", band="95 % interval" if drawn else "")


def rewarded_and_true(axes: Any, run: Measured) -> bool:
    """True success and fulfilment, by program, against the reward: reward hacking bends the curve down."""
    rewarded = run.curve("reward/mean")
    truths = [n for n in run.metrics if n.startswith("true/")][:5]
    if rewarded is None or not truths:
        return False
    drawn = False
    for i, name in enumerate(truths):
        true = run.curve(name)
        if true is None:
            continue
        steps, a, b = np.intersect1d(rewarded.steps, true.steps, return_indices=True)
        if len(steps) < 2:
            continue
        window = window_of(len(steps))
        x, y = running_mean(rewarded.mean[a], window), running_mean(true.mean[b], window)
        look = style.line(i)
        axes.plot(rewarded.mean[a], true.mean[b], ".", color=look["color"], alpha=0.25, markersize=3)
        axes.plot(x, y, **look, label=name.removeprefix("true/"))
        axes.plot(x[:1], y[:1], "o", color=look["color"], markerfacecolor="white", markersize=6)
        axes.plot(x[-1:], y[-1:], "o", color=look["color"], markersize=6)
        drawn = True
    if not drawn:
        return False
    axes.set_ylim(-0.02, 1.02)
    _finish(axes, "Rewarded and true", "true share, by program")
    axes.set_xlabel("mean reward (hollow: first step, filled: last)")
    return True


def entropy(axes: Any, run: Measured) -> bool:
    """Entropy of the policy: exact over the vocabulary, and estimated from the sampled tokens."""
    lines = [("policy/entropy", "exact"), ("policy/entropy_sampled", "estimated from samples")]
    return _lines(axes, run, lines, title="Entropy", y="nats per token", zero=True)


def preserved(axes: Any, run: Measured) -> bool:
    """Share of tokens outside the clip range whose gradient is kept, by side (CE-GPPO, arXiv 2509.20712)."""
    lines = [("policy/preserved_left", "left of the clip range"), ("policy/preserved_right", "right of it")]
    return _lines(axes, run, lines, title="Preserved gradients", y="share of tokens", zero=True)


def clip(axes: Any, run: Measured) -> bool:
    """Share of tokens that the objective clips."""
    lines = [("policy/clip_fraction", "clipped"), ("policy/dual_clip_fraction", "dual-clipped")]
    return _lines(axes, run, lines, title="Clipping", y="share of tokens", zero=True)


def kl(axes: Any, run: Measured) -> bool:
    """Distance of the policy from the one that sampled, and from the reference where there is one."""
    lines = [("policy/kl_old", "to the sampling policy"), ("policy/kl_reference", "to the reference")]
    return _lines(axes, run, lines, title="KL divergence", y="nats per token")


def length(axes: Any, run: Measured) -> bool:
    """Mean length of completions."""
    lines = [("completion/length", "mean")]
    return _lines(axes, run, lines, title="Completion length", y="tokens", zero=True)


def shares(axes: Any, run: Measured) -> bool:
    """What was lost: cut-off completions, groups that give no gradient, rows without a reward."""
    lines = [
        ("completion/truncated", "completions cut off"),
        ("groups/without_signal", "groups without signal"),
        ("reward/invalid", "rows without a reward"),
    ]
    return _lines(axes, run, lines, title="Lost rows", y="share", zero=True)


def loss(axes: Any, run: Measured) -> bool:
    """Every loss the run reports."""
    names = [n for n in run.metrics if n.endswith("/loss")]
    return _lines(axes, run, [(n, n.removesuffix("/loss")) for n in names[:5]], title="Loss", y="loss")


def gradient(axes: Any, run: Measured) -> bool:
    """Gradient norm before clipping."""
    lines = [("policy/grad_norm", "norm before clipping")]
    return _lines(axes, run, lines, title="Gradient", y="L2 norm", zero=True)


def time(axes: Any, run: Measured) -> bool:
    """Seconds of each phase of a step, stacked."""
    names = [n for n in run.metrics if re.fullmatch(r"time/\w+_s", n)]
    curves = {n: c for n in names if (c := run.curve(n)) is not None}
    if not curves:
        return False
    steps = np.unique(np.concatenate([c.steps for c in curves.values()]))
    window = window_of(len(steps))
    below = np.zeros(len(steps))
    for i, (name, curve) in enumerate(curves.items()):
        spent = np.zeros(len(steps))
        spent[np.searchsorted(steps, curve.steps)] = curve.mean
        above = below + running_mean(spent, window)
        axes.fill_between(
            steps, below, above, step=None, facecolor=style.COLOURS[i % 7], alpha=0.75,
            hatch=style.HATCHES[i % 7], edgecolor="white", linewidth=0.5,
            label=name.removeprefix("time/").removesuffix("_s"),
        )  # fmt: skip
        below = above
    axes.set_ylim(0, 1.25 * float(below.max()) or 1.0)  # room for the legend above the areas
    return _finish(axes, "Time per step", "seconds", smoothed=window, legend="upper left", columns=4)


def _avg_and_widest_pass(names: Sequence[str]) -> list[str]:
    """Of each data set avg@k and the pass@k of the largest k: the two ends of what sampling can reach."""
    chosen = []
    for data in dict.fromkeys(n.rsplit("/", 1)[0] for n in names):
        for kind in ("avg", "pass"):
            found = [n for n in names if re.fullmatch(rf"{re.escape(data)}/{kind}@\d+", n)]
            chosen += [max(found, key=lambda n: int(n.rsplit("@", 1)[1]))] if found else []
    return chosen[:6]


def _lines(
    axes: Any, run: Measured, lines: Sequence[tuple[str, str]], *, title: str, y: str, zero: bool = False
) -> bool:
    curves = [(label, curve) for name, label in lines if (curve := run.curve(name)) is not None]
    for i, (label, curve) in enumerate(curves):
        _draw(axes, curve, i, label, band=len(curves) == 1)
    if not curves:
        return False
    if zero and axes.get_ylim()[0] <= axes.get_ylim()[1] * 0.6:
        axes.set_ylim(bottom=min(0.0, min(c.low.min() for _, c in curves)))
    ranged = any(c.ranges for _, c in curves) and len(curves) == 1
    window = window_of(max(len(c) for _, c in curves))
    if len(curves) > 2:  # room for the legend above the lines
        bottom, top = axes.get_ylim()
        axes.set_ylim(bottom, bottom + (1.2 if len(curves) <= 4 else 1.4) * (top - bottom))
    where, columns = ("upper center", 2) if len(curves) > 2 else ("best", 1)
    band = "range in a step" if ranged else ""
    return _finish(axes, title, y, smoothed=window, band=band, legend=where, columns=columns)


def _draw(axes: Any, curve: Curve, i: int, label: str, *, band: bool) -> None:
    look, window = style.line(i), window_of(len(curve))
    if band and curve.ranges:
        axes.fill_between(curve.steps, curve.low, curve.high, color=look["color"], alpha=0.15, linewidth=0)
    elif window > 1 and i == 0:  # the raw values of one line; more would be a thicket
        axes.plot(curve.steps, curve.mean, color=look["color"], alpha=0.25, linewidth=0.7)
    marker = style.MARKERS[i % 7] if len(curve) == 1 else None
    axes.plot(curve.steps, running_mean(curve.mean, window), **look, label=label, marker=marker)


def _finish(
    axes: Any,
    title: str,
    y: str,
    *,
    smoothed: int = 1,
    band: str = "",
    legend: str = "best",
    columns: int = 1,
) -> bool:
    notes = [f"mean of {smoothed} steps"] if smoothed > 1 else []
    notes += [f"band: {band}"] if band else []
    axes.set_title(title)
    axes.set_title("; ".join(notes), loc="right", fontsize=7, fontweight="normal", color="0.35")
    axes.set_xlabel(STEP)
    axes.set_ylabel(y)
    handles, _ = axes.get_legend_handles_labels()
    if len(handles) > 1 or (handles and title == "Accuracy"):
        axes.legend(loc=legend, ncols=columns)
    return True
