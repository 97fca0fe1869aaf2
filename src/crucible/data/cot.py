"""`data=cot`: a pool of chains of thought about sums; some are chosen to learn from (CoTP, arXiv 2509.21124)."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any

from crucible.cotp.chains import CoT
from crucible.cotp.importance import Importance
from crucible.cotp.patterns.annotate import Failed
from crucible.cotp.patterns.rules import RuleAnnotator
from crucible.cotp.selection import Patterns, Pool, Selection
from crucible.data import dials
from crucible.data.chain import Chain
from crucible.data.cot_moves import NOTATIONS
from crucible.data.cot_pool import MIXTURE, chain_of, check_mixture, core_of, pool_of
from crucible.types import Demonstration, Prompt


class ChainsOfThought(Chain):
    """The sums of `data=chain`, and a generated pool of chains of thought about them (`crucible.data.cot_pool`).

    `demonstrations` are the chains that `select` takes. The core set is made as the paper's is: for each of
    `core_questions` questions strong models write `chains_per_question` chains; of the right ones the chain whose
    different patterns are most important in all is chosen (the paper chooses by hand, by criteria that were not found).
    Each of the core chains asks for `per_core` pool chains. `mixture` holds the share of each kind of chain in the
    pool, `reworded` how often the annotator words a pattern differently. `pool_seed` decides pool and core set; None:
    the run's seed. The other dials, the evaluation and what counts as right are those of `data=chain`.

    A model from scratch is warmed up on sums of `warmup_terms_min`..`terms` numbers that are worked step by step in
    either notation, and without what makes the core set: no splits, no checks. The share `direct_share` of them is
    answered at once; with 1.0 the base has never seen reasoning.
    """

    name = "cot"

    def __init__(
        self,
        *,
        seed: int,
        cache_dir: str | Path,
        report: Callable[[str], None],
        select: Callable[[Pool], Selection],
        pool_items: int = 4000,
        core_questions: int = 20,
        chains_per_question: int = 3,
        per_core: int = 50,
        mixture: Mapping[str, float] = MIXTURE,
        reworded: float = 0.25,
        pool_seed: int | None = None,
        terms: int = 3,
        operand_max: int = 9,
        operations: str = "+-",
        total_max: int = 99,
        eval_prompts: int = 128,
        eval_share: float = 0.1,
        warmup_terms_min: int = 2,
        direct_share: float = 0.0,
    ) -> None:
        sums: dict[str, Any] = {
            "terms": terms, "operand_max": operand_max, "operations": operations, "total_max": total_max,
            "eval_share": eval_share, "warmup_terms_min": warmup_terms_min, "direct_share": direct_share,
        }  # fmt: skip
        super().__init__(eval_prompts=eval_prompts, **sums)
        self._sums = sums
        self.pool_items = dials.whole(self.name, "pool_items", pool_items, 1, 10**6)
        self.core_questions = dials.whole(self.name, "core_questions", core_questions, 1, 10**4)
        self.chains_per_question = dials.whole(self.name, "chains_per_question", chains_per_question, 1, 100)
        self.per_core = dials.whole(self.name, "per_core", per_core, 1, 10**6)
        check_mixture(mixture)
        self.mixture, self.select, self.cache_dir, self.report = dict(mixture), select, Path(cache_dir), report
        self.pool_seed = seed if pool_seed is None else pool_seed
        self._annotator = RuleAnnotator(reworded=reworded)
        self.facts: dict[str, float] = {}

    def signature(self) -> dict[str, Any]:
        """What the demonstrations of a warm-up depend on: not the pool."""
        return dict(self._sums)

    def demonstrate(self, prompt: Prompt, rng: random.Random) -> str:
        if rng.random() < self.direct_share:
            return f"={prompt.reference['answer']}"
        return chain_of(prompt, "plain", rng, rng.choice(list(NOTATIONS))).completion

    @cached_property
    def pool(self) -> Pool:
        """The pool with its core set."""
        rng = random.Random(f"pool of chains {self.pool_seed}")
        drawn = list(islice(self._different(rng), self.core_questions + self.pool_items))
        asked, questions = drawn[: self.core_questions], drawn[self.core_questions :]
        corpus = core_of(asked, self.chains_per_question, rng)
        return Pool(
            items=pool_of(questions, self.mixture, rng),
            core=chosen_core(corpus, self.patterns(corpus)),
            corpus=corpus,
            per_core=self.per_core,
            prompts={prompt.id: prompt for prompt in drawn},
            patterns=self.patterns,
            task=self,
            cache_dir=self.cache_dir,
            report=self.report,
        )

    def _different(self, rng: random.Random) -> Iterator[Prompt]:
        """Training sums, no two alike; where the sums run out, once more."""
        seen: set[str] = set()
        for drawn, prompt in enumerate(self.train_prompts(rng)):
            if prompt.id not in seen or drawn > 20 * len(seen) + 1000:
                seen.add(prompt.id)
                yield prompt

    def patterns(self, chains: Sequence[CoT]) -> Patterns:
        return [[] if isinstance(found, Failed) else found for found in self._annotator(chains)]

    @cached_property
    def chosen(self) -> Sequence[int]:
        """Places of the selected chains in the pool."""
        from crucible.cotp.selectors.cotp import distance_to_core
        from crucible.cotp.selectors.simple import is_planted

        selection = self.select(self.pool)
        items = [self.pool.items[i] for i in selection.items]
        planted = sum(is_planted(chain) for chain in self.pool.items)
        found = sum(is_planted(chain) for chain in items)
        self.facts = {
            "selected": float(len(items)),
            "recall": found / planted if planted else float("nan"),
            "precision": found / len(items),
            "right": sum(chain.correct is True for chain in items) / len(items),
            "distance_to_core": distance_to_core(self.pool, selection.items),
            **{name: float(value) for name, value in selection.facts.items()},
        }
        self.report(
            f"selected {len(items):,} of {len(self.pool.items):,} chains: {found:,} of {planted:,} planted ones, "
            f"{self.facts['right']:.1%} end right"
        )
        return selection.items

    def demonstrations(self) -> Sequence[Demonstration]:
        chains = (self.pool.items[i] for i in self.chosen)
        return [Demonstration(self.pool.prompts[chain.question], chain.completion) for chain in chains]


def chosen_core(corpus: Sequence[CoT], patterns: Patterns) -> list[CoT]:
    """Of the right chains of each question the one whose different patterns add up to the most importance; the first of
    equals."""
    weights = Importance().of([chain.question for chain in corpus], patterns)
    best: dict[str, tuple[float, CoT]] = {}
    for chain, labels in zip(corpus, patterns, strict=True):
        if chain.correct and labels:
            score = sum(weights[chain.question][label] for label in sorted(set(labels)))
            if chain.question not in best or score > best[chain.question][0]:
                best[chain.question] = (score, chain)
    return [chain for _, chain in best.values()]
