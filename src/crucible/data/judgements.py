"""`data=judgements`: does a response fulfil a principle? The task of a generative reward model (arXiv 2509.21319)."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Any

from crucible.data import dials
from crucible.data.chain import Chain
from crucible.data.epochs import epochs
from crucible.data.split import split_of
from crucible.errors import UserError
from crucible.feedback.judging import WORDS, Form, question, read, write
from crucible.types import Demonstration, Prompt, Scores

if TYPE_CHECKING:
    from crucible.reward_benchmarks.items import Item

ERROR_RATES = (0.03, 0.08, 0.15)  # those of the recipe of algo=rm_principle


class Judgements:
    """Each triple (prompt, response, principle, Yes or No) is a prompt; right is a completion whose verdict is so.

    `path` holds triples as `python -m crucible.feedback` writes them and HelpSteer3's `principle` has them. None: they
    are made by the same pipeline from `responses` simulated answers to the sums of `data=chain` with `terms` numbers,
    and evaluation sums give the held-out judgements. The same question about the same response is a judgement once;
    with two labels it is left out. No judged prompt is on both sides: those of `eval_path` are left out of training,
    else a hash of the prompt decides. `form`: see `crucible.feedback.judging.question`. reference: label (Yes or No),
    principle. Evaluations of the embedded world also ask the pairs of `principle_pairs` about the first
    `eval_prompts` of its sums.

    A demonstration (for a warm-up from scratch) works out the sum, then gives the label in a share `right_share`.
    Errors: UserError for triples that cannot be read, named with file and line, and for sides that are empty.
    """

    name = "judgements"
    reference_keys = ("label", "principle")

    def __init__(
        self,
        *,
        report: Callable[[str], None],
        path: str | None = None,
        config: str | None = None,
        split: str = "train",
        eval_path: str | None = None,
        eval_config: str | None = None,
        eval_split: str = "validation",
        form: Form = "short",
        eval_share: Annotated[float, "> 0, < 1"] = 0.1,
        eval_prompts: Annotated[int, ">= 1"] | None = 128,
        responses: Annotated[int, ">= 2"] = 4000,
        demonstration_share: Annotated[float, "0 to 1"] = 0.3,
        responses_per_prompt: Annotated[int, ">= 1"] = 2,
        error_rates: Sequence[float] | None = None,
        tau: Annotated[float, ">= -1, < 1"] = 0.8,
        world_seed: int = 0,
        terms: Annotated[int, "3 to 64"] = 3,
        right_share: Annotated[float, "0 to 1"] = 0.5,
    ) -> None:
        if path is None and eval_path is not None:
            raise UserError("data=judgements: eval_path is for triples of your own: give data.path too")
        self.form, self._world = form, None if path is not None else Chain(terms=terms)
        self.right_share = dials.share(self.name, "right_share", right_share)
        share = dials.share(self.name, "eval_share", eval_share, open_ends=True)
        self._asked: dict[str, Prompt] = {}  # of the embedded world: the sum that a judgement is about
        if path is not None:
            train = self._prompts(_read(path, config, split))
            if eval_path is not None:
                held = self._prompts(_read(eval_path, eval_config, eval_split))
                known = {side for side, _ in held.values()}
                train = {name: own for name, own in train.items() if own[0] not in known}
            else:
                held = {name: own for name, own in train.items() if split_of(own[0], share) == "eval"}
                train = {name: own for name, own in train.items() if name not in held}
        else:
            self._dials: dict[str, Any] = {
                "responses": responses, "demonstration_share": demonstration_share, "tau": tau, "terms": terms,
                "responses_per_prompt": responses_per_prompt, "error_rates": list(error_rates or ERROR_RATES),
                "seed": world_seed, "form": form, "right_share": right_share,
            }  # fmt: skip
            train, held = (
                self._prompts(
                    _simulated(self._world, **{k: v for k, v in self._dials.items() if k in _WORLD}, part=part)
                )
                for part in (0, 1)
            )
        self._pair_prompts = eval_prompts
        self._train = tuple(prompt for _, prompt in train.values())
        ordered = sorted((prompt for _, prompt in held.values()), key=lambda prompt: prompt.id)
        self._eval = tuple(ordered[:eval_prompts])
        if not self._train or not self._eval:
            side = "training" if not self._train else "evaluation"
            raise UserError(
                f"data=judgements: no judgement is left for {side}; give more triples, or another eval_share"
            )
        yes = sum(p.reference["label"] == WORDS[True] for p in self._train) / len(self._train)
        report(f"judgements: {len(self._train):,} to train on, {yes:.1%} of them Yes; {len(self._eval):,} held out")

    def _prompts(self, triples: Sequence[Any]) -> dict[str, tuple[str, Prompt]]:
        """(id of what is judged, the question) of each judgement, without those that have both labels."""
        found, both = dict[str, tuple[str, Prompt]](), set[str]()
        for t in triples:
            reference = {"label": WORDS[t.fulfilled], "principle": t.principle}
            prompt = replace(question(t.prompt, t.response, t.principle, self.form, reference), source=self.name)
            if found.setdefault(prompt.id, (t.prompt.id, prompt))[1].reference != reference:
                both.add(prompt.id)
            if self._world is not None:
                self._asked[prompt.id] = t.prompt
        return {name: own for name, own in found.items() if name not in both}

    def train_pool(self) -> Sequence[Prompt]:
        return self._train

    def train_prompts(self, rng: random.Random) -> Iterator[Prompt]:
        return epochs(self._train, rng)

    def eval_prompts(self) -> Sequence[Prompt]:
        return self._eval

    def correct(self, prompt: Prompt, completion: str) -> bool:
        found = read(completion)
        return found is not None and WORDS[found[1]] == prompt.reference["label"]

    def demonstrations(self) -> Sequence[Demonstration]:
        """Each label without reasoning, for algo=sft."""
        return [Demonstration(p, write("", p.reference["label"] == WORDS[True])) for p in self._train]

    # what an evaluation asks besides: the pairs that a reward model that answers at once is asked too

    def further_prompts(self) -> Sequence[Prompt]:
        """Both responses of each of `principle_pairs.pairs`, of the first response first; none of triples of a file."""
        asked = [self._asks(item, k) for item in self._pairs for k in (0, 1)]
        return list({prompt.id: prompt for prompt in asked}.values())

    def further_measures(self, scores: Scores) -> Mapping[str, float]:
        """`principle_pairs.measures` of a reward that reads r at the verdict (`log_odds`); nothing of another."""
        if "log_odds" not in scores.components:
            return {}
        import torch

        from crucible.reward_benchmarks import principle_pairs

        r = dict(zip([p.id for p in self.further_prompts()], scores.components["log_odds"], strict=True))
        each = [r[self._asks(item, k).id] for item in self._pairs for k in (0, 1)]
        return principle_pairs.measures(self._pairs, torch.stack(each).view(-1, 2))

    @cached_property
    def _pairs(self) -> Sequence[Item]:
        from crucible.reward_benchmarks import principle_pairs

        return () if self._world is None else principle_pairs.pairs(self._world, self._pair_prompts)

    def _asks(self, item: Item, k: int) -> Prompt:
        """Of the pair's response k, the first of which fulfils its principle."""
        reference = {"label": WORDS[k == 0], "principle": item.principle}
        asked = question(item.prompt, item.responses[k], item.principle, self.form, reference)
        return replace(asked, source=self.name)

    # a warm-up from scratch

    def warmup_prompts(self, rng: random.Random) -> Iterator[Prompt]:
        return self.train_prompts(rng)

    def demonstrate(self, prompt: Prompt, rng: random.Random) -> str:
        """The sum worked out, then a verdict. Errors: UserError for triples of a file."""
        if self._world is None:
            raise UserError(
                "data=judgements: only the embedded world can write demonstrations; use model=hf with a trained model, "
                "or model.warmup=null"
            )
        label = prompt.reference["label"] == WORDS[True]
        return write(self._world.working(self._asked[prompt.id]), label == (rng.random() < self.right_share))

    def signature(self) -> dict[str, Any]:
        """What a warm-up depends on."""
        return {} if self._world is None else self._dials


_WORLD = ("responses", "demonstration_share", "tau", "responses_per_prompt", "error_rates", "seed")


def _read(path: str, config: str | None, split: str) -> list[Any]:
    """Triples of a file, folder or data set; of a file its one split."""
    from crucible.errors import expanded
    from crucible.feedback.corpus.formats import read_triples

    try:
        if expanded(path).is_file():
            return read_triples(path)
        return read_triples(path, config, (split,))
    except UserError as error:
        raise UserError(f"data=judgements: {str(error).replace('source=', 'data.path=', 1)}") from None


def _simulated(
    world: Any,
    *,
    responses: int,
    demonstration_share: float,
    responses_per_prompt: int,
    error_rates: Sequence[float],
    tau: float,
    seed: int,
    part: int,
) -> Sequence[Any]:
    """Triples of the feedback pipeline on training sums (part 0), or an eighth as many responses on held-out sums."""
    from itertools import cycle, islice

    from crucible.feedback import pipeline
    from crucible.feedback.annotators import default_annotators
    from crucible.feedback.consensus import Consensus
    from crucible.feedback.embed import WordLlamaEmbedder
    from crucible.feedback.extract import RuleExtractor
    from crucible.feedback.responses import collect

    count = responses if part == 0 else max(responses_per_prompt, responses // 8)
    drawn = world.train_prompts(random.Random(f"judgements {seed}")) if part == 0 else cycle(world.eval_prompts())
    prompts = list(islice(drawn, -(-count // responses_per_prompt))) * responses_per_prompt
    found = collect(
        world, iter(prompts), count, generate=None, sampled_from=iter(()), max_tokens=1,
        demonstration_share=demonstration_share, sample_share=0.0, seed=2 * seed + part,
    )  # fmt: skip
    extractor = RuleExtractor(
        task=world, seed=seed + part, own_words_rate=0.05, reword_rate=0.3, fabrication_rate=0.022
    )
    outcome = pipeline.run(
        world, found, annotators=default_annotators(error_rates), extractor=extractor,
        consensus=Consensus(embedder=WordLlamaEmbedder(), tau=tau), seed=seed + part,
    )  # fmt: skip
    return outcome.triples
