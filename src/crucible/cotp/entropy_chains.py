"""Entropy chains: what a reference model is unsure about while it reads a chain of thought (arXiv 2509.21124).

    eta(c) = [h_1, ..., h_T],   h_t = - sum_v p_t(v) log p_t(v)

p_t is the reference model's distribution before token t, at temperature 1, after the prompt and the tokens before.
Which model the paper took, and whether it shortened the chains, was not found.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from crucible.cotp.dtw.warp import Floats
from crucible.cotp.ragged import Ragged, RaggedWriter
from crucible.errors import UserError
from crucible.types import Prompt

if TYPE_CHECKING:
    from crucible.policy.policy import Policy

WINDOW = 512  # chains that are sorted by length before they are batched
Pair = tuple[Prompt, str]  # a prompt and what follows it


@dataclass(frozen=True, kw_only=True)
class Reading:
    """How an entropy chain is shortened (ours; None and 1 leave it as it is).

    smooth: each entropy becomes the mean of `smooth` tokens around it. points: longer chains become the means of so
    many stretches of equal length (piecewise aggregate approximation, Keogh 2001).
    """

    points: int | None = None
    smooth: int = 1

    def __post_init__(self) -> None:
        if self.points is not None and self.points < 1:
            raise UserError(f"points={self.points}: at least 1, or null")
        if self.smooth < 1:
            raise UserError(f"smooth={self.smooth}: at least 1")

    def of(self, chains: Ragged) -> Ragged:
        """The chains as they are compared, float64."""
        return Ragged.of([self.one(chains[i].astype(np.float64)) for i in range(len(chains))])

    def one(self, chain: Floats) -> Floats:
        if self.smooth > 1 and len(chain):
            total, at = np.concatenate([[0.0], np.cumsum(chain)]), np.arange(len(chain))
            first = np.maximum(at - (self.smooth - 1) // 2, 0)
            last = np.minimum(at + self.smooth // 2 + 1, len(chain))
            chain = (total[last] - total[first]) / (last - first)
        if self.points is None or len(chain) <= self.points:
            return chain
        total = np.concatenate([[0.0], np.cumsum(chain)])
        edges = np.linspace(0, len(chain), self.points + 1)
        return np.diff(np.interp(edges, np.arange(len(total)), total)) * (self.points / len(chain))


def entropies(policy: Policy, pairs: Iterable[Pair], *, batch_tokens: int = 16_384) -> Iterator[NDArray[np.float32]]:
    """The entropy chain of each text, in order: one entropy a token, the end-of-sequence token not counted.

    Runs in batches of at most `batch_tokens` padded tokens. Errors: UserError for a text without tokens, with
    characters the model does not know, or too long for it.
    """
    import torch

    texts = iter(pairs)
    policy.model.eval()
    while window := list(islice(texts, WINDOW)):
        tokens = [_tokens(policy, prompt, text) for prompt, text in window]
        prompts = policy.token_ids([prompt for prompt, _ in window])
        lengths = [len(a) + len(b) for a, b in zip(prompts, tokens, strict=True)]
        order = sorted(range(len(window)), key=lambda i: lengths[i])
        found: dict[int, NDArray[np.float32]] = {}
        while order:
            size = max(1, batch_tokens // lengths[order[0]])
            while size > 1 and lengths[order[min(size, len(order)) - 1]] * size > batch_tokens:
                size -= 1
            batch, order = order[:size], order[size:]
            width = max(len(tokens[i]) for i in batch)
            ids = torch.tensor([tokens[i] + [policy.pad_id] * (width - len(tokens[i])) for i in batch])
            mask = torch.tensor([[1.0] * len(tokens[i]) + [0.0] * (width - len(tokens[i])) for i in batch])
            encoded = policy.encode([window[i][0] for i in batch])
            with torch.no_grad():
                stats = policy.token_stats(*encoded, ids.to(policy.device), mask.to(policy.device))
            for i, row in zip(batch, stats.entropy.float().cpu().numpy(), strict=True):
                found[i] = row[: len(tokens[i])].copy()
        yield from (found[i] for i in range(len(window)))


def write_entropies(
    policy: Policy,
    pairs: Sequence[Pair] | Callable[[int], Iterator[Pair]],
    folder: Path,
    *,
    total: int,
    batch_tokens: int = 16_384,
    report: Callable[[str], None] = lambda line: None,
    stop: Callable[[], Any] = lambda: None,
) -> int:
    """Stream the entropy chains of `total` texts into `folder`; a folder begun before is gone on with.

    `pairs`: the texts, or a function that gives those from the n-th on. `stop` is asked after every window; when it
    says anything, what is there is kept. Returns how many are there.
    """
    from crucible.pulse import beat

    with RaggedWriter(folder) as writer:
        if writer.done:
            report(f"{folder}: {writer.done:,} of {total:,} chains were read before")
        rest = pairs(writer.done) if callable(pairs) else iter(pairs[writer.done :])
        chains = entropies(policy, rest, batch_tokens=batch_tokens)
        while part := list(islice(chains, WINDOW)):
            writer.append(part)
            beat("reading entropies")
            report(f"{folder}: {writer.done:,} of {total:,} chains read")
            if writer.done < total and stop():
                break
        return writer.done


def _tokens(policy: Policy, prompt: Prompt, text: str) -> list[int]:
    from crucible.policy.tokenizer import unknown_characters

    ids: list[int] = policy.tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"]
    if not ids:
        raise UserError(f"the chain of prompt {prompt.id} is empty: its completion has no tokens")
    if policy.tokenizer.unk_token_id in ids and (unknown := unknown_characters(policy.tokenizer, text)):
        raise UserError(
            f"the chain of prompt {prompt.id} has {unknown[0]!r}, which the reference model's tokenizer lacks"
        )
    room = policy.context_length - len(policy.token_ids([prompt])[0])
    if len(ids) > room:
        raise UserError(
            f"the chain of prompt {prompt.id} has {len(ids)} tokens, {room} fit into the reference model's context of "
            f"{policy.context_length} beside the prompt; take a model with a longer context, or leave the chain out"
        )
    return ids
