"""The stages of CoTP on files, each a function whose parameters are its options.

    world      a generated pool and core set, to try the rest on
    annotate   chains.jsonl -> patterns.jsonl         by rules, or by a model behind an endpoint
    entropies  chains.jsonl -> entropies/             what a reference model is unsure about
    distances  pool, core -> candidates               a shard of the pool; bounded memory
    select     candidates -> selected.jsonl           the assignment; data for algo=sft data=jsonl
    curves     chains.jsonl, policies -> curves.jsonl  learning curves for data/select=limr

Each can be stopped; the same command goes on.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any, Literal

from crucible.cotp import chains as chain_files
from crucible.cotp.chains import CoT
from crucible.cotp.options import DistanceOptions
from crucible.cotp.patterns.annotate import Annotator
from crucible.cotp.patterns.annotate import annotate as annotate_file
from crucible.cotp.sets import CHAINS, ENTROPIES, PATTERNS
from crucible.cotp.shards import Shard, assigned
from crucible.cotp.shards import distances as find_distances
from crucible.errors import UserError
from crucible.rundir.atomic import explained, write_json
from crucible.rundir.jsonl import write_jsonl
from crucible.types import Prompt

ORIGIN = "made_from.json"


def tell(line: str) -> None:
    print(line, flush=True)


def world(
    *, out: Path, seed: int = 1, items: int = 4000, core_questions: int = 20, per_core: int = 50, terms: int = 3
) -> str:
    """A generated pool and core set (data=cot) as <out>/pool and <out>/core."""
    from crucible.cotp.selectors.simple import Everything
    from crucible.data.cot import ChainsOfThought

    task = ChainsOfThought(
        seed=seed, cache_dir=out, report=tell, select=Everything(), pool_items=items, core_questions=core_questions,
        per_core=per_core, terms=terms,
    )  # fmt: skip
    chosen = {chain.id for chain in task.pool.core}
    chain_files.write(out / "pool" / CHAINS, task.pool.items)
    chain_files.write(out / "core" / CHAINS, [replace(c, chosen=c.id in chosen) for c in task.pool.corpus])
    of = len(task.pool.corpus)
    return f"{len(task.pool.items):,} chains in {out / 'pool'}, {len(chosen)} chosen of {of} in {out / 'core'}"


def annotate(
    *,
    chains: Path,
    by: Literal["rules", "endpoint"] = "endpoint",
    url: str = "",
    model: str = "",
    key_variable: str | None = None,
    language: str = "English",
    words: int = 4,
    max_tokens: int = 2048,
    timeout: float = 120.0,
    concurrency: int = 16,
    on_failure: Literal["stop", "leave"] = "stop",
    reworded: float = 0.25,
    cache_dir: Path = Path(".cache"),
) -> str:
    """<chains>/chains.jsonl -> <chains>/patterns.jsonl. by=rules reads the generated pool, endpoint asks url, model."""
    annotator: Annotator
    if by == "rules":
        from crucible.cotp.patterns.rules import RuleAnnotator

        annotator = RuleAnnotator(reworded=reworded)
    else:
        if not url or not model:
            raise UserError(
                "annotate by=endpoint needs url=http://.../v1 and model=NAME; by=rules reads generated pools"
            )
        from crucible.cotp.patterns.endpoint import EndpointAnnotator
        from crucible.rewards.judge.endpoint import Endpoint

        try:
            endpoint = Endpoint(
                url=url,
                model=model,
                key_variable=key_variable,
                max_tokens=max_tokens,
                timeout=timeout,
                concurrency=concurrency,
            )
        except UserError as error:
            raise UserError(str(error).replace("reward.endpoint.", "")) from None
        annotator = EndpointAnnotator(endpoint, cache_dir / "cotp" / "annotator", language=language, words=words)
    source = _chains_file(chains)
    done = annotate_file(
        chain_files.stream(source), annotator, source.with_name(PATTERNS), on_failure=on_failure, report=tell
    )
    return f"{source.with_name(PATTERNS)}: {done:,} chains"


def entropies(
    *,
    chains: Path,
    model: str,
    chat: bool = True,
    dtype: Literal["float32", "bfloat16"] = "float32",
    batch_tokens: int = 16_384,
    context_length: int | None = None,
) -> str:
    """<chains>/chains.jsonl -> <chains>/entropies/, read by `model`: a folder, or a name on the hub."""
    from crucible.cotp.entropy_chains import Pair, write_entropies
    from crucible.policy.fingerprint import fingerprint
    from crucible.policy.hf import hf

    source = _chains_file(chains)
    folder = source.with_name(ENTROPIES)
    policy = hf(
        task=None, cache_dir="", report=tell, name_or_path=model, dtype=dtype, chat=chat, context_length=context_length
    )
    _bind(folder, {"model": model, "weights": fingerprint(policy), "chat": chat})
    total = sum(1 for _ in chain_files.stream(source))

    def pairs(start: int) -> Iterator[Pair]:
        for chain in islice(chain_files.stream(source), start, None):
            yield Prompt(id=chain.id, text=chain.prompt), chain.completion

    done = write_entropies(policy, pairs, folder, total=total, batch_tokens=batch_tokens, report=tell)
    return f"{folder}: {done:,} chains"


def distances(*, pool: Path, core: Path, out: Path, shard: str = "1/1", **options: Any) -> str:
    """The candidates of one shard of the pool, written to `out`. See `DistanceOptions` for the rest."""
    finished = run_distances(pool, core, out, shard, DistanceOptions(**options), report=tell)
    return f"{Shard.named(shard).file(out)}: {'finished' if finished else 'stopped'}"


def run_distances(
    pool: Path, core: Path, out: Path, shard: str, options: DistanceOptions, *,
    report: Callable[[str], None], stop: Callable[[], Any] = lambda: None,
) -> bool:  # fmt: skip
    return find_distances(
        options.chains(pool), options.chains(core), out, Shard.named(shard), options.search(), report=report, stop=stop
    )


def select(
    *,
    pool: Path,
    distances: Path,
    out: Path,
    per_core: int | None = None,
    assignment: Literal["hungarian", "greedy", "knn"] = "hungarian",
) -> str:
    """The assignment from finished shards -> `out`, a JSONL of the chosen chains, and <out>.json about it."""
    found, candidates, settings = assigned(distances, per_core, assignment)
    wanted = {int(item): at for at, item in enumerate(found.items)}
    rows: dict[int, dict[str, Any]] = {}
    for place, chain in enumerate(chain_files.stream(_chains_file(pool))):
        if place in wanted:
            at = wanted[place]
            rows[at] = {**chain.row(), "of_core": int(found.core[at]), "distance": float(found.distances[at])}
    if len(rows) < len(wanted):
        raise UserError(f"{pool} has fewer chains than the {settings['pool']:,} that were compared; it was changed")
    with explained("cannot write", out):
        out.parent.mkdir(parents=True, exist_ok=True)
    write_jsonl(out, (rows[at] for at in sorted(rows)))
    about = {
        "chosen": len(found.items), "asked": found.asked, "cost": found.cost,
        "mean_distance": float(found.distances.mean()),
        "assignment": assignment, "proven": found.proven, "candidates": candidates.k, "pool": candidates.seen,
        "computed_share": candidates.computed / max(1, candidates.seen * len(candidates.distances)),
        "settings": settings,
    }  # fmt: skip
    write_json(out.with_name(out.name + ".json"), about)
    proof = "the optimum of the whole pool" if found.proven else "NOT proven to be the whole pool's: raise candidates"
    return (
        f"{out}: {len(found.items):,} of {found.asked:,} asked for, mean distance {about['mean_distance']:.4f}, "
        f"{assignment}: {proof if assignment == 'hungarian' else 'done'}\n"
        f"python train.py algo=sft data=jsonl data.path={out} data.completion_column=completion"
    )


def curves(
    *, chains: Path, policies: tuple[str, ...], out: Path, samples: int = 8, max_tokens: int = 256, seed: int = 0
) -> str:
    """Accuracies of a series of policies (folders, oldest first) on the chains' questions, for data/select=limr."""
    from crucible.data.answers import final_answer, number, same
    from crucible.policy.policy import load
    from crucible.rollout.embedded import EmbeddedEngine
    from crucible.types import Sampling

    asked: dict[str, CoT] = {}
    for chain in chain_files.stream(_chains_file(chains)):
        asked.setdefault(chain.question, chain)
    lacking = [chain.id for chain in asked.values() if chain.answer is None]
    if lacking:
        raise UserError(f"chain {lacking[0]} has no answer; learning curves need one of each question")
    prompts = [Prompt(id=name, text=chain.prompt) for name, chain in asked.items()]
    found: dict[str, list[float]] = {name: [] for name in asked}
    for folder in policies:
        engine = EmbeddedEngine(load(folder))
        rollouts = engine.generate(prompts, samples, Sampling(max_tokens=max_tokens, temperature=1.0, seed=seed))
        right: dict[str, int] = dict.fromkeys(asked, 0)
        for prompt, text in zip(rollouts.prompts, rollouts.texts, strict=True):
            gold = str(asked[prompt.id].answer)
            answer = final_answer(text, numeric=number(gold) is not None)
            right[prompt.id] += answer is not None and same(answer, gold)
        for name, times in right.items():
            found[name].append(times / samples)
        tell(f"{folder}: {sum(right.values()) / len(right) / samples:.1%} right")
    write_jsonl(out, ({"question": name, "accuracies": accuracies} for name, accuracies in found.items()))
    return f"{out}: curves of {len(found):,} questions over {len(policies)} policies"


def _chains_file(folder: Path) -> Path:
    file = folder if folder.suffix == ".jsonl" else folder / CHAINS
    if not file.is_file():
        raise UserError(f"no chains at {file}")
    return file


def _bind(folder: Path, origin: dict[str, Any]) -> None:
    """Note what made a folder; refuse to go on with one that something else began."""
    note = folder / ORIGIN
    with explained("cannot write", folder):
        folder.mkdir(parents=True, exist_ok=True)
    if not note.is_file():
        write_json(note, origin)
        return
    before = json.loads(note.read_text(encoding="utf-8"))
    for name, value in origin.items():
        if before.get(name) != value:
            raise UserError(f"{folder} was begun with {name}={before.get(name)}, not {value}; delete it to begin again")
