"""Alarms of a run: signs, in the metrics of the last steps, that the reward is being gamed or no longer works."""

from __future__ import annotations

import math
from collections import defaultdict, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any

from crucible.errors import UserError

FORMS = frozenset(("format", "form", "tags", "shapes"))  # names of components that look at the form alone


@dataclass(kw_only=True)
class Alarms:
    """Looks at the metrics of each step; says once what is wrong, and logs alarms/<name> 1.0 while it is.

    With the newest `window` steps cut into an older and a newer half of h steps each, the rise of a metric is
    (newer mean - older mean) / sqrt((older variance + newer variance) / h), variances with h - 1: Welch's t. Means are
    over the newer half. All thresholds are ours.

    hacking      the reward rises by `rise` or more, and true success, below `success`, by less than `stands` (1.0: what
                 chance alone makes in one of six windows)
    format_only  the same of a reward for the form alone: a component called format, form, tags or shapes
    length       the mean length is above `length_factor` or below 1 / `length_factor` times that of the run's first
                 h steps
    duplicates   of the pairs of completions of a prompt, the share with the same text (up to case and white space) is
                 above `most_duplicates`, while true success is below `success`: many equal right answers are no alarm
    outcomes     the share of a reward's calls that timed out or broke is above `most_failed`, half of what stops a run,
                 or the share without a verdict is above `most_abstained`

    Nothing is said before the window is full (duplicates and outcomes: half full). Windows are looked at every step,
    so a run without any trend has more than one chance of a false alarm: it is a reason to look, not a test.

    Errors: UserError for a window below 4 steps and for thresholds out of range.
    """

    window: Annotated[int, ">= 4"] = 20
    rise: float = 3.0
    stands: float = 1.0
    length_factor: Annotated[float, "> 1"] = 2.0
    most_duplicates: Annotated[float, "0 to 1"] = 0.9
    success: Annotated[float, "0 to 1"] = 0.9
    most_failed: Annotated[float, "0 to 1"] = 0.05
    most_abstained: Annotated[float, "0 to 1"] = 0.5
    metrics: dict[str, float] = field(init=False, default_factory=dict)  # of this step: alarms/*, groups/duplicates
    _seen: dict[str, deque[float]] = field(init=False)
    _first_lengths: list[float] = field(init=False, default_factory=list)
    _said: list[str] = field(init=False, default_factory=list)

    def __post_init__(self) -> None:
        if self.window < 4:
            raise UserError(f"alarms.window={self.window}: must be at least 4 steps, two for each half")
        if not self.length_factor > 1 or not self.rise > self.stands:
            raise UserError(
                f"alarms: length_factor={self.length_factor} must be above 1, and rise={self.rise} above "
                f"stands={self.stands}"
            )
        for name in ("most_duplicates", "success", "most_failed", "most_abstained"):
            if not 0 <= (value := getattr(self, name)) <= 1:
                raise UserError(f"alarms.{name}={value}: a share, from 0 to 1")
        self._seen = defaultdict(self._row)

    def watch(self, metrics: Mapping[str, float], group: Sequence[int], texts: Sequence[str]) -> list[str]:
        """One line for each alarm that is new. `metrics` are those of a step; `group` and `texts` of its rows."""
        duplicates = same_pairs(group, texts)
        for name, value in {**metrics, "groups/duplicates": duplicates}.items():
            if self._watched(name):
                self._seen[name].append(float(value))
        for name in self._seen:
            if name not in metrics and name != "groups/duplicates":
                self._seen[name].append(math.nan)  # a step without this component
        if len(self._first_lengths) < self.half:
            self._first_lengths.append(metrics["completion/length"])
        found = {
            "hacking": self._hacking(),
            "format_only": self._format_only(),
            "length": self._length(),
            "duplicates": self._duplicates(),
            "outcomes": self._outcomes(),
        }
        self.metrics = {f"alarms/{name}": float(bool(words)) for name, words in found.items()}
        if not math.isnan(duplicates):
            self.metrics["groups/duplicates"] = duplicates
        new = [name for name, words in found.items() if words and name not in self._said]
        self._said += new
        return [f"alarm {name}: {found[name]}" for name in new]

    @property
    def half(self) -> int:
        return self.window // 2

    def _hacking(self) -> str:
        return self._gamed("reward/mean")

    def _format_only(self) -> str:
        names = [name for name in self._seen if name.startswith("reward/") and name.rpartition("/")[2] in FORMS]
        return next((words for words in map(self._gamed, names) if words), "")

    def _gamed(self, name: str) -> str:
        """Words where this reward rises and true success, which has room to, does not."""
        room = self.newer("true/success") < self.success and self.rises("true/success") < self.stands
        if not room or not self.rises(name) >= self.rise:
            return ""
        older, newer = map(mean, self._halves(name))
        was, success = map(mean, self._halves("true/success"))
        return (
            f"in {2 * self.half} steps {name} went from {older:.3g} to {newer:.3g}, "
            f"true success from {was:.1%} to {success:.1%}"
        )

    def _length(self) -> str:
        now, before = self.newer("completion/length"), mean(self._first_lengths)
        if not self._full("completion/length"):
            return ""
        if now > before * self.length_factor or now * self.length_factor < before:
            return f"completions have {now:.1f} tokens, {before:.1f} in the first {self.half} steps"
        return ""

    def _duplicates(self) -> str:
        share = self.newer("groups/duplicates")
        if share > self.most_duplicates and self.newer("true/success") < self.success:
            success = self.newer("true/success")
            return f"{share:.0%} of the pairs of completions of a prompt are equal, at {success:.1%} true success"
        return ""

    def _outcomes(self) -> str:
        for name in self._seen:
            if not name.startswith("outcomes/") or not name.endswith("/error"):
                continue
            reward = name.removesuffix("/error")
            failed = self.newer(name) + self.newer(f"{reward}/timeout")
            abstained = self.newer(f"{reward}/abstain")
            if failed > self.most_failed:
                return f"{failed:.1%} of the calls of {reward.removeprefix('outcomes/')} time out or break"
            if abstained > self.most_abstained:
                return f"{reward.removeprefix('outcomes/')} has no verdict on {abstained:.0%} of the answers"
        return ""

    def rises(self, name: str) -> float:
        """Welch's t of the newer against the older half; NaN before the window is full or without a value in it."""
        if not self._full(name):
            return math.nan
        halves = self._halves(name)
        difference = mean(halves[1]) - mean(halves[0])
        error = math.sqrt(sum(variance(half) for half in halves) / self.half)
        return difference / error if error else math.copysign(math.inf, difference) if difference else 0.0

    def newer(self, name: str) -> float:
        """Mean over the newer half; NaN before it is full or where a value is missing."""
        values = list(self._seen[name])[-self.half :] if name in self._seen else []
        return mean(values) if len(values) == self.half else math.nan

    def _halves(self, name: str) -> tuple[list[float], list[float]]:
        values = list(self._seen[name])
        return values[-2 * self.half : -self.half], values[-self.half :]

    def _full(self, name: str) -> bool:
        return len(self._seen.get(name, ())) >= 2 * self.half

    def _watched(self, name: str) -> bool:
        return name in ("true/success", "completion/length", "groups/duplicates") or name.startswith(
            ("reward/", "outcomes/")
        )

    def _row(self) -> deque[float]:
        return deque(maxlen=2 * self.half)

    def state_dict(self) -> dict[str, Any]:
        seen = {name: list(values) for name, values in self._seen.items()}
        return {"seen": seen, "first_lengths": list(self._first_lengths), "said": list(self._said)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self._seen.clear()
        for name, values in state["seen"].items():
            self._seen[name].extend(values)
        self._first_lengths, self._said = list(state["first_lengths"]), list(state["said"])


def same_pairs(group: Sequence[int], texts: Sequence[str]) -> float:
    """Share of the pairs of rows of one group whose texts are equal up to case and white space; NaN without a pair."""
    sizes: dict[int, int] = defaultdict(int)
    classes: dict[tuple[int, str], int] = defaultdict(int)
    for number, text in zip(group, texts, strict=True):
        sizes[number] += 1
        classes[number, " ".join(text.casefold().split())] += 1
    pairs = sum(n * (n - 1) for n in sizes.values())
    return sum(n * (n - 1) for n in classes.values()) / pairs if pairs else math.nan


def mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else math.nan


def variance(values: Sequence[float]) -> float:
    centre = mean(values)
    return sum((value - centre) ** 2 for value in values) / (len(values) - 1)
