"""Which judge `judge=` means, told without loading a model, so that a wrong one is refused at once."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from crucible.errors import UserError, expanded, nearest
from crucible.reward_benchmarks.controls import Constant, Length, Random
from crucible.reward_benchmarks.items import Pairwise, Pointwise

CONTROLS = ("length", "random", "constant")
ENDPOINT = "endpoint"
FIXED = "accuracy of information"  # the fixed principle of the ablation in 2509.21319
ENDS = 1 << 20  # bytes at either end of a large file that are looked at

Kind = Literal["control", "endpoint", "principle", "classifier", "written"]


@dataclass(frozen=True, slots=True)
class Written:
    """How long a judgement may be, and how it is sampled; temperature 0 is greedy."""

    max_tokens: int
    temperature: float


@dataclass(frozen=True, slots=True)
class Options:
    """What the command was given beside `judge=`."""

    principles: tuple[str, ...]
    combine: Literal["mean", "min"]
    pairs: bool
    own_principles: bool  # the benchmark's items have principles of their own
    device: str
    batch_tokens: int
    seed: int
    model: str
    max_characters: int
    writer: Callable[[], Any]  # the client and its kept replies, made when it is first needed
    written: Written | None = None  # of a folder whose model writes a judgement first


@dataclass(frozen=True, slots=True)
class Choice:
    """`identity` is what kept scores depend on; `principles` those asked of every item, () for the items' own."""

    kind: Kind
    name: str
    identity: dict[str, Any]
    principles: tuple[str, ...]
    make: Callable[[], Pointwise | Pairwise]

    @property
    def reads_principles(self) -> bool:
        return self.kind in ("principle", "endpoint", "written")


def choose(judge: str, options: Options) -> Choice:
    """Errors: UserError for no such judge, a folder without a reward model, and options that it cannot use."""
    if options.written is not None:
        if judge in (*CONTROLS, ENDPOINT):
            raise UserError(f"asked=verdict is for the folder of a model that writes a judgement; {judge} is none")
        return _written(_folder(judge), options, options.written)
    if judge in CONTROLS:
        _no_principles(judge, options)
        made: dict[str, Callable[[], Pointwise]] = {
            "length": Length, "random": lambda: Random(options.seed), "constant": Constant,
        }  # fmt: skip
        seed = {"seed": options.seed} if judge == "random" else {}
        return Choice("control", judge, {"control": judge, **seed}, (), made[judge])
    if judge == ENDPOINT:
        return _endpoint(options)
    if options.pairs:
        raise UserError(f"asked=pair is for judge={ENDPOINT}: {judge} scores one response at a time")
    folder = _folder(judge)
    if _kind(folder) == "classifier":
        _no_principles(judge, options)
        identity: dict[str, Any] = {"classifier": contents(folder)}
        return Choice("classifier", str(folder), identity, (), lambda: _classifier(folder, options))
    principles = options.principles or (() if options.own_principles else (FIXED,))
    how = {"combine": options.combine} if len(principles) > 1 else {}
    identity = {"principle judge": contents(folder), "principles": list(principles), **how}

    def make() -> Pointwise:
        from crucible.reward_benchmarks.principle_judge import PrincipleJudge

        return PrincipleJudge(
            folder, principles=principles, combine=options.combine, device=_device(options.device),
            batch_tokens=options.batch_tokens,
        )  # fmt: skip

    return Choice("principle", str(folder), identity, principles, make)


def _written(folder: Path, options: Options, how: Written) -> Choice:
    from crucible.modules.written_judge import refuse_other_kind

    if not (folder / "config.json").is_file():
        raise UserError(
            f"no model at {folder}: a folder with config.json is expected, as algo=rm_genrm writes it (policy/)"
        )
    refuse_other_kind(folder)
    principles = options.principles or (() if options.own_principles else (FIXED,))
    combine = {"combine": options.combine} if len(principles) > 1 else {}
    seed = {"seed": options.seed} if how.temperature > 0 else {}
    identity: dict[str, Any] = {
        "written judge": contents(folder), "principles": list(principles), "max_tokens": how.max_tokens,
        "temperature": how.temperature, **combine, **seed,
    }  # fmt: skip

    def make() -> Pointwise:
        from crucible.reward_benchmarks.generative import Generative

        return Generative(
            folder, principles=principles, combine=options.combine, device=_device(options.device),
            batch_tokens=options.batch_tokens, max_tokens=how.max_tokens, temperature=how.temperature,
            seed=options.seed,
        )  # fmt: skip

    return Choice("written", str(folder), identity, principles, make)


def _classifier(folder: Path, options: Options) -> Pointwise:
    from crucible.reward_benchmarks.classifier import Classifier

    return Classifier(folder, device=_device(options.device), batch_tokens=options.batch_tokens)


def _device(name: str) -> str:
    if name != "auto":
        return name
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


def _endpoint(options: Options) -> Choice:
    if len(options.principles) > 1:
        raise UserError(f"judge={ENDPOINT} is asked one principle; principle= gives {len(options.principles)}")
    principle = options.principles[0] if options.principles else ""
    identity = {"endpoint": options.model, "asked": "pair" if options.pairs else "response", "principle": principle}

    def make() -> Pointwise | Pairwise:
        from crucible.reward_benchmarks.endpoint import EndpointPairs, EndpointScores

        asking = EndpointPairs if options.pairs else EndpointScores
        return asking(options.writer(), principle=principle, max_characters=options.max_characters)

    return Choice("endpoint", f"{options.model} at an endpoint", identity, options.principles, make)


def _no_principles(judge: str, options: Options) -> None:
    if options.principles:
        raise UserError(f"principle= is for a judge that reads one; {judge} does not")
    if options.pairs:
        raise UserError(f"asked=pair is for judge={ENDPOINT}: {judge} scores one response at a time")


def _folder(judge: str) -> Path:
    """The folder of the model itself: `judge`, or policy/ in a run's directory."""
    folder = expanded(judge)
    if not folder.is_dir():
        names = (*CONTROLS, ENDPOINT)
        near = "" if "/" in judge else nearest(judge, names)
        raise UserError(f"judge={judge}: no such folder{near}; give a reward model's folder, or {', '.join(names)}")
    if not (folder / "config.json").is_file() and (folder / "policy" / "config.json").is_file():
        folder = folder / "policy"
    return folder


def _kind(folder: Path) -> Kind:
    """Told from its config.json. Errors: UserError for a folder that holds no reward model of either kind."""
    from crucible.modules.rm_scalar import CLASS, read_card
    from crucible.modules.rm_scorer import NOTES, read_notes

    config = folder / "config.json"
    if config.is_file() and CLASS not in config.read_text(encoding="utf-8", errors="replace"):
        if not (folder / NOTES).is_file():
            raise UserError(
                f"no reward model at {folder}: a folder with {NOTES} is expected, as algo=rm_principle writes it, or a "
                "sequence classifier with one label; a model that writes a judgement first (algo=rm_genrm) needs "
                "asked=verdict"
            )
        read_notes(folder)
        return "principle"
    read_card(folder)
    return "classifier"


def contents(folder: Path) -> str:
    """16 hex digits over the names, sizes and contents of its files; of large files, over both ends of a megabyte."""
    digest = hashlib.blake2b(digest_size=8)
    for path in sorted(p for p in folder.rglob("*") if p.is_file() and "feedback" not in p.relative_to(folder).parts):
        size = path.stat().st_size
        digest.update(f"{path.relative_to(folder)} {size}\n".encode())
        with path.open("rb") as file:
            digest.update(file.read(ENDS))
            if size > ENDS:
                file.seek(max(ENDS, size - ENDS))
                digest.update(file.read())
    return digest.hexdigest()


def known_principles(principles: Sequence[str]) -> tuple[str, ...]:
    """With their white space tidied. Errors: UserError for an empty one and for the same twice."""
    tidy = tuple(" ".join(p.split()) for p in principles)
    if not all(tidy) or len(set(tidy)) < len(tidy):
        raise UserError(f"principle={','.join(principles)}: name different principles")
    return tidy
