"""Reads principles, quotes and judgements out of the simulated feedback, by rules.

In the paper a large language model does this (2509.21319: DeepSeek-V3-0324, zero-shot, "first quote
the supporting span, then judge"). Like one, this extractor names what it finds in a short phrase of its
own, words the same principle differently from text to text, and sometimes quotes what was never written.
"""

from __future__ import annotations

import random
import re
from collections.abc import Sequence

from rapidfuzz import fuzz, process

from crucible.errors import UserError
from crucible.feedback.records import Feedback, FeedbackTask, Finding, Judgement

HELPFULNESS = "helpfulness"
# What may stand beside the word in a principle that is still a verdict on the whole (the paper's own rule: not found).
_BESIDE = frozenset(
    ["the", "a", "an", "this", "its", "it", "overall", "general", "level", "degree", "of", "whether", "is", "was",
     "response", "answer"]
)  # fmt: skip

_SENTENCE = re.compile(r"[^.]+\.")
_OPENING = re.compile(r"the response is (not|slightly|partially|mostly|perfectly) helpful", re.IGNORECASE)
_LEVELS: dict[str, Judgement] = {
    "not": "no", "slightly": "no", "partially": "partially", "mostly": "yes", "perfectly": "yes",
}  # fmt: skip
# The first pattern that fits a sentence decides, so "not true" comes before "true".
_CUES: tuple[tuple[Judgement, re.Pattern[str]], ...] = (
    ("partially", re.compile(r"it is only partly true that (.+)|this holds to some degree: (.+)", re.IGNORECASE)),
    (
        "no",
        re.compile(
            r"it is not true that (.+)|i do not find that (.+)|it falls short on this: (.+)|this fails: (.+)",
            re.IGNORECASE,
        ),
    ),
    (
        "yes",
        re.compile(
            r"i find that (.+)|it is true that (.+)|on the good side: (.+)|this holds: (.+)", re.IGNORECASE
        ),
    ),
)
_SYNONYMS = {
    "right": "correct",
    "well formed": "well-formed",
    "shown": "displayed",
    "needed": "necessary",
    "used once": "used exactly once",
}
# Quotes of things nobody wrote.
_FABRICATIONS = (
    "\"Paragraph two summarises my criticism: weak sourcing throughout\"",
    "(see bullet 4, where grammar problems were flagged by reviewers)",
    "As Tom put it, 'quick summary, zero fluff, lovely jokes'",
)


class RuleExtractor:
    """Extracts from feedback on `task`; recognises its principles in any of their known wordings.

    A clause within `match` (RapidFuzz ratio, 0..100) of a known wording is named after its principle; any
    other clause is taken as it stands. The share `own_words_rate` keeps the annotator's words although
    known, `reword_rate` words the name differently, and `fabrication_rate` gives a made-up quote (default:
    the 2.2% that the paper's evidence check drops; its true rate of fabrication: not found).
    Chance depends on `seed` and the feedback alone, so extracting again gives the same.
    """

    def __init__(
        self,
        *,
        task: FeedbackTask,
        match: float = 90.0,
        own_words_rate: float = 0.05,
        reword_rate: float = 0.3,
        fabrication_rate: float = 0.022,
        seed: int = 0,
    ) -> None:
        for name, rate in (("own_words_rate", own_words_rate), ("reword_rate", reword_rate),
                           ("fabrication_rate", fabrication_rate)):  # fmt: skip
            if not 0 <= rate <= 1:
                raise UserError(f"feedback.{name}={rate}: must be between 0 and 1")
        self.match, self.seed = match, seed
        self.own_words_rate, self.reword_rate, self.fabrication_rate = own_words_rate, reword_rate, fabrication_rate
        self._names = {p: p for p in task.principles()}
        for principle in task.principles():
            self._names.update({wording: principle for wording in task.paraphrases(principle)})
        self._recognised: dict[str, str | None] = {}

    def extract(self, feedback: Feedback) -> list[Finding]:
        rng = random.Random(f"{self.seed}/{feedback.response}/{feedback.annotator}")
        findings: list[Finding] = []
        for sentence in _SENTENCE.findall(feedback.text):
            read = self._read(sentence.strip().removesuffix("."))
            if read is None:
                continue
            principle, judgement = read
            quote = sentence.strip()
            if rng.random() < self.fabrication_rate:
                quote = rng.choice(_FABRICATIONS)
            findings.append(
                Finding(feedback.response, feedback.annotator, self._word(principle, rng), quote, judgement)
            )
        return findings

    def _read(self, sentence: str) -> tuple[str, Judgement] | None:
        opening = _OPENING.fullmatch(sentence)
        if opening:
            return HELPFULNESS, _LEVELS[opening[1].lower()]
        for judgement, pattern in _CUES:
            found = pattern.fullmatch(sentence)
            if found:
                return next(clause for clause in found.groups() if clause), judgement
        return None

    def _word(self, clause: str, rng: random.Random) -> str:
        name = self._name(clause)
        if name is None or rng.random() < self.own_words_rate:
            return clause
        return reworded(name, rng) if rng.random() < self.reword_rate else name

    def _name(self, clause: str) -> str | None:
        if clause not in self._recognised:
            best = process.extractOne(clause, list(self._names), scorer=fuzz.ratio, score_cutoff=self.match)
            self._recognised[clause] = self._names[best[0]] if best else None
        return self._recognised[clause]


def is_made_up(quote: str) -> bool:
    """Is it one of the quotes that `RuleExtractor` invents?"""
    return quote in _FABRICATIONS


def is_helpfulness(principle: str) -> bool:
    """A verdict on the whole: "helpfulness", "overall helpfulness of the response", "the response is helpful"; not
    "helpful examples".
    """
    words = set(re.findall(r"\w+", principle.lower()))
    word = words & {"helpful", HELPFULNESS}
    return bool(word) and words - word <= _BESIDE


def wordings(principle: str) -> Sequence[str]:
    """The ways the extractor may word `principle`, itself first."""
    swapped = [principle.replace(a, b) for a, b in _SYNONYMS.items() if a in principle]
    return (principle, f"whether {principle}", *swapped)


def reworded(principle: str, rng: random.Random) -> str:
    return rng.choice(wordings(principle)[1:])
