"""`python evaluate_rm.py`: a reward model, or a control, on one benchmark."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from crucible.errors import UserError, expanded
from crucible.reward_benchmarks import judgebench, principles, rewardbench2, rm_bench
from crucible.reward_benchmarks.choice import Choice, Options, Written, choose, known_principles
from crucible.reward_benchmarks.evaluate import TooLong
from crucible.reward_benchmarks.evaluate import evaluate as fill
from crucible.reward_benchmarks.items import Benchmark
from crucible.reward_benchmarks.judgebench import Games
from crucible.reward_benchmarks.store import Record, Store
from crucible.reward_benchmarks.summary import Summary, as_json, text

Name = Literal["rm_bench", "judgebench", "rewardbench2", "principles"]
PAIRS = ("judgebench", "principles")  # benchmarks of pairs: what asked=pair can play


def evaluate(
    *,
    benchmark: Name,
    judge: str,
    out: Path,
    data: str = "",
    split: Literal["gpt-4o", "claude-3-5-sonnet"] = "gpt-4o",
    principle: tuple[str, ...] = (),
    combine: Literal["mean", "min"] = "mean",
    too_long: TooLong = "refuse",
    asked: Literal["response", "pair", "verdict"] = "response",
    verdict_tokens: Annotated[int, ">= 1"] = 1024,
    verdict_temperature: Annotated[float, ">= 0"] = 0.0,
    rule: judgebench.Rule = "official",
    prompts: Annotated[int, ">= 1"] = 128,
    terms: Annotated[int, "2 to 64"] = 4,
    seed: int = 0,
    device: Literal["auto", "cpu", "cuda"] = "auto",
    batch_tokens: Annotated[int, ">= 1"] = 16384,
    endpoint: str = "",
    endpoint_model: str = "",
    key_variable: str | None = None,
    endpoint_temperature: Annotated[float, ">= 0"] = 0.0,
    endpoint_max_tokens: Annotated[int, ">= 1"] = 1024,
    endpoint_retries: Annotated[int, ">= 0"] = 4,
    endpoint_characters: Annotated[int, ">= 100"] = 100_000,
    concurrency: Annotated[int, ">= 1"] = 16,
) -> str:
    """The table of one judge on one benchmark. The same command goes on where it was stopped."""
    if asked == "pair" and benchmark not in PAIRS:
        raise UserError(f"asked=pair is for benchmarks of pairs ({', '.join(PAIRS)}), not for {benchmark}")
    if judge == "endpoint" and not (endpoint and endpoint_model):
        raise UserError("judge=endpoint needs endpoint=http://.../v1 and endpoint_model=NAME")

    def writer() -> Any:
        from crucible.verification.client import Client
        from crucible.verification.writer import Writer

        client = Client(endpoint, endpoint_model, key_variable, endpoint_max_tokens, endpoint_retries, concurrency)
        return Writer(client(endpoint_temperature), out / "replies")

    options = Options(
        principles=known_principles(principle), combine=combine, pairs=asked == "pair",
        own_principles=benchmark == "principles", device=device, batch_tokens=batch_tokens, seed=seed,
        model=endpoint_model, max_characters=endpoint_characters, writer=writer,
        written=Written(verdict_tokens, verdict_temperature) if asked == "verdict" else None,
    )  # fmt: skip
    chosen = choose(judge, options)
    loaded = _load(benchmark, data, split=split, prompts=prompts, terms=terms, seed=seed)
    settings = {"benchmark": benchmark, "items": loaded.content(), "judge": chosen.identity}
    if chosen.kind == "endpoint":
        settings["endpoint"] = {"temperature": endpoint_temperature, "max_tokens": endpoint_max_tokens}
    store = Store(out)
    store.look(settings)
    try:
        fill(loaded, chosen.make, store, too_long=too_long, report=_say)
        summary, left = summarise(loaded, store.records, too_long=too_long, rule=rule)
        notes = [*summary.notes, *_told(chosen, loaded, store.records, too_long)]
        whole = Summary(summary.columns, summary.rows, notes, summary.unit, summary.more)
        head = {"benchmark": benchmark, "judge": chosen.name, "principles": list(chosen.principles)}
        store.summarise({**head, "too_long": too_long, "left_out": left, **as_json(whole)})
    finally:
        store.close()
    return f"{benchmark}, judge {chosen.name}\n{text(whole)}\n{out / 'summary.json'}"


def _load(name: Name, data: str, *, split: str, prompts: int, terms: int, seed: int) -> Benchmark:
    if name == "principles" and data in ("", "chain"):
        from crucible.data.chain import Chain

        return principles.build(Chain(terms=terms, eval_prompts=prompts), prompts=prompts, seed=seed)
    if not data:
        raise UserError(f"missing data=...: the file or folder of {name}")
    path = expanded(data)
    if not path.exists():
        raise UserError(f"data={data}: no such file or folder")
    loaders: dict[str, Callable[[Path], Benchmark]] = {
        "rm_bench": rm_bench.load, "rewardbench2": rewardbench2.load, "principles": principles.load,
    }  # fmt: skip
    found = judgebench.load(path, split) if name == "judgebench" else loaders[name](path)
    if not found.items:
        raise UserError(f"data={data}: no row in it")
    return found


def summarise(
    benchmark: Benchmark, records: Mapping[str, Record], *, too_long: TooLong, rule: judgebench.Rule = "official"
) -> tuple[Summary, list[str]]:
    """The table, and the ids of the items that were left out of it. Errors: UserError where that is all of them."""
    left = [i.id for i in benchmark.items if not records[i.id].fits] if too_long == "leave_out" else []
    items = [i for i in benchmark.items if i.id not in set(left)]
    if not items:
        raise UserError(f"all {len(left)} items are too long for this judge: nothing is left to report")
    kept = Benchmark(benchmark.name, items, benchmark.sizes, benchmark.notes)
    if records[items[0].id].games:
        games: dict[str, Games] = {i.id: (records[i.id].games[0], records[i.id].games[1]) for i in items}
        if kept.name == "judgebench":
            return judgebench.summarise_games(kept, games, rule), left
        decide = {"official": judgebench.official, "both_orders": judgebench.both_orders}[rule]
        found = principles.summarise(kept, {name: decide(own) for name, own in games.items()})
        position = judgebench.position(list(games.values()))
        told = ", ".join(f"{name} {100 * share.value:.1f}" for name, share in position.items())
        return Summary(found.columns, found.rows, [*found.notes, f"rule={rule}; right in % by order: {told}"],
                       found.unit, {"position": {n: s.value for n, s in position.items()}}), left  # fmt: skip
    scores = {i.id: [math.nan if s is None else s for s in records[i.id].scores] for i in items}
    if kept.name == "principles":
        return principles.summarise(kept, {name: s[0] > s[1] for name, s in scores.items()}), left
    table = {"rm_bench": rm_bench.summarise, "judgebench": judgebench.summarise_scores,
             "rewardbench2": rewardbench2.summarise}[kept.name]  # fmt: skip
    return table(kept, scores), left


def _told(chosen: Choice, benchmark: Benchmark, records: Mapping[str, Record], too_long: TooLong) -> list[str]:
    """What a reader of the table has to know of this judge."""
    notes = []
    if chosen.principles:
        notes.append(f"asked of every item: {'; '.join(chosen.principles)}")
    if benchmark.name == "principles" and (chosen.principles or not chosen.reads_principles):
        notes.append("this judge is not shown the items' principles: it orders a pair in one way and re-orders no swap")
    own = [records[i.id] for i in benchmark.items]
    if long := sum(not r.fits for r in own):
        fate = "they are left out" if too_long == "leave_out" else "it loses"
        notes.append(f"{long} of {len(own)} items have a response too long for this judge: {fate}; nothing was cut")
    if unread := sum(score is None for r in own if r.fits for score in r.scores):
        notes.append(f"{unread} responses without a readable score: they win nothing")
    if unread := sum(game is None for r in own if r.fits for game in r.games):
        notes.append(f"{unread} of {2 * len(own)} games without a readable verdict: they count as ties")
    if ties := sum(_tied(i.right, records[i.id].scores) for i in benchmark.items):
        notes.append(f"{ties} of {len(own)} items have a right and a wrong response with equal scores: a tie is no win")
    if alike := sum(bool({*i.responses[: i.right]} & {*i.responses[i.right :]}) for i in benchmark.items):
        notes.append(
            f"{alike} of {len(own)} items hold one text as a right and as a wrong response: no judge wins there"
        )
    return notes


def _say(line: str) -> None:
    print(line, file=sys.stderr)


def _tied(right: int, scores: Sequence[float | None]) -> bool:
    return bool({s for s in scores[:right] if s is not None} & {*scores[right:]})


def own_words(error: UserError) -> UserError:
    """The endpoint client's messages with this command's names for its options."""
    from crucible.verification.client import WORDS

    words = str(error)
    for theirs, ours in WORDS:
        words = words.replace(theirs, ours)
    return UserError(words)
