"""`python -m crucible.feedback`: the stages in turn."""

from __future__ import annotations

import functools
import importlib.util
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal

from crucible.data.chain import Chain
from crucible.errors import UserError, nearest
from crucible.feedback.consensus import Consensus
from crucible.feedback.corpus import stages
from crucible.feedback.corpus.brought import brought, write_pairs
from crucible.feedback.corpus.extractors import AsGiven, ByEndpoint, ByRules, Extraction
from crucible.feedback.corpus.sources import Generated, Given, Source, checked
from crucible.feedback.corpus.store import COUNTS, FEEDBACK, Stages, count_lines
from crucible.feedback.corpus.table import table
from crucible.feedback.embed import Embedder, EncoderEmbedder, NGramEmbedder, WordLlamaEmbedder
from crucible.feedback.extract import RuleExtractor
from crucible.rundir.atomic import write_json
from crucible.rundir.jsonl import write_jsonl
from crucible.verification.client import WORDS, Client
from crucible.verification.writer import Writer

Share = Annotated[float, "0 to 1"]
Whole = Annotated[int, ">= 1"]
EMBEDDERS = ("wordllama", "ngram")


def feedback(
    *,
    out: Path,
    source: str = "generated",
    format: Literal["auto", "lines", "feedback", "principle", "preference"] = "auto",
    config: str | None = None,
    split: tuple[str, ...] = (),
    count: Whole = 400,
    per_prompt: Whole = 2,
    terms: int = 4,
    error_rates: tuple[Share, ...] = (0.03, 0.08, 0.15),
    demonstration_share: Share = 0.3,
    seed: int = 0,
    extractor: Literal["rules", "endpoint", "given"] = "rules",
    own_words_rate: Share = 0.05,
    reword_rate: Share = 0.3,
    fabrication_rate: Share = 0.022,
    endpoint: str = "",
    endpoint_model: str = "",
    key_variable: str | None = None,
    endpoint_temperature: float = 0.0,
    endpoint_max_tokens: int = 2048,
    endpoint_retries: int = 4,
    concurrency: int = 16,
    evidence_threshold: Annotated[float, ">= 0, < 100"] = 60.0,
    embedder: str = "wordllama",
    batch_size: Whole = 64,
    tau: Annotated[float, ">= -1, < 1"] | None = None,
) -> str:
    """Feedback to triples; a source of triples or pairs is brought into the same files. What became of it, as text."""
    store = Stages(out)
    store.refuse_others()
    # whatever can be refused is refused before anything is written
    if source == "generated":
        if format != "auto" or config is not None or split:
            raise UserError("format=, config= and split= are for source=FILE, FOLDER or NAME")
        given: Source = Generated(
            count=count, per_prompt=per_prompt, terms=terms, error_rates=error_rates,
            demonstration_share=demonstration_share, seed=seed,
        )  # fmt: skip
    else:
        rows = Given(source, config, split or ("train",), None if format == "auto" else format)
        if rows.form in ("principle", "preference"):
            return brought(store, rows, seed)
        if rows.form == "feedback" and extractor == "rules":
            raise UserError(
                "extractor=rules reads the sentences of the embedded world alone; what people wrote needs "
                "extractor=endpoint"
            )
        given = rows
    threshold = tau if tau is not None else 0.6 if embedder == "ngram" else 0.8
    embed = _embedder(embedder, batch_size)
    new = not (out / FEEDBACK).exists()
    if new:
        checked(given, findings=extractor == "given")
    client = Client(endpoint, endpoint_model, key_variable, endpoint_max_tokens, endpoint_retries, concurrency)
    extraction: Extraction
    if extractor == "rules":
        world: Any = Chain(terms=terms)
        extraction = ByRules(RuleExtractor(
            task=world, seed=seed, own_words_rate=own_words_rate, reword_rate=reword_rate,
            fabrication_rate=fabrication_rate,
        ))  # fmt: skip
    elif extractor == "given":
        extraction = AsGiven()
    else:
        options = {"temperature": endpoint_temperature, "max_tokens": endpoint_max_tokens}
        extraction = ByEndpoint(
            endpoint_model, options, concurrency, lambda: Writer(client(endpoint_temperature), out / "replies")
        )
        if new or count_lines(store.log_of("findings")) < count_lines(out / FEEDBACK):
            extraction.connect()
    store.begin({"feedback": given.made_from, "findings": extraction.made_from})
    with store.working():
        store.settle({
            "checks": {"evidence_threshold": evidence_threshold},
            "consensus": {"embedder": embedder, "batch_size": batch_size, "tau": threshold},
        })  # fmt: skip
        if not (out / FEEDBACK).exists():
            write_jsonl(out / FEEDBACK, (item.row() for item in given.items()))
        total = count_lines(out / FEEDBACK)
        _say(f"feedback: {total:,} responses")
        store.run(
            "findings", lambda: enumerate(stages.items_in(store)), total, extraction.at_once, extraction.of, _say
        )  # fmt: skip
        store.run(
            "checks", lambda: zip(stages.items_in(store), store.rows("findings"), strict=True), total, stages.TOGETHER,
            lambda block: stages.checks(block, evidence_threshold), _say,
        )  # fmt: skip
        store.run(
            "consensus", lambda: stages.all_fates(store, "checks"), total, stages.TOGETHER,
            lambda block: stages.agreed(block, lambda: Consensus(embedder=embed(), tau=threshold)), _say,
        )  # fmt: skip
        found = stages.counts(store)
        write_jsonl(out / "triples.jsonl", stages.triple_rows(store))
        write_jsonl(out / "rejected.jsonl", stages.rejected_rows(store))
        same = Consensus(embedder=embed(), tau=threshold).similar
        pairs = write_pairs(store, [triple for triple, _ in stages.triples(store)], seed, same)
        write_json(out / COUNTS, found | {"pairs": pairs})
    made = f"{out / 'triples.jsonl'}: {found['triples']:,} triples; pairs.jsonl: {pairs:,} Bradley-Terry pairs of them"
    return f"{table(found)}\n{made} (tau = {threshold:g}, {embedder})"


def _embedder(name: str, batch_size: int) -> Callable[[], Embedder]:
    """Made when it is first needed, once; what can be seen before is refused at once."""
    if name == "wordllama":
        if importlib.util.find_spec("wordllama") is None:
            raise UserError(
                "embedder=wordllama needs its package: pip install wordllama==0.4.0.post1; or embedder=ngram"
            )
        return functools.cache(WordLlamaEmbedder)
    if name == "ngram":
        return functools.cache(NGramEmbedder)
    if "/" not in name and not Path(name).is_dir():
        raise UserError(
            f"embedder={name}: {', '.join(EMBEDDERS)}, or the folder or OWNER/NAME of an encoder"
            f"{nearest(name, EMBEDDERS)}"
        )
    if not Path(name).is_dir() and name.startswith(("/", ".", "~")):
        raise UserError(f"embedder={name}: no encoder there: there is no such folder")
    from transformers import AutoConfig

    try:
        AutoConfig.from_pretrained(name)
    except (OSError, ValueError) as error:
        raise UserError(f"embedder={name}: no encoder there: {str(error).splitlines()[0]}") from None
    return functools.cache(functools.partial(EncoderEmbedder, model=name, batch_size=batch_size))


def own_words(error: UserError) -> UserError:
    """The client's and the miniature's messages with this command's names for their options."""
    text = re.sub(r"\bfeedback\.(?=\w+=)|^data=chain: ", "", str(error))
    for theirs, ours in WORDS:
        text = text.replace(theirs, ours)
    return UserError(text)


def _say(line: str) -> None:
    print(line, file=sys.stderr)
