"""The hidden states behind the tokens of prompts with completions: padded rows, or one row with each prompt once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from crucible.policy import shared_prompts
from crucible.policy.onednn import linear_of, spare

Batch = tuple[Tensor, Tensor, Tensor, Tensor]
"""prompt ids and mask (N, Tp), left-padded; completion ids and which of them count, bool (N, T), one or more a row."""


@dataclass(frozen=True, slots=True)
class States:
    """Last hidden states: `read` (M, D), those that predict the M counted tokens, row by row.

    `prompt()` gives those of the prompts, (N, Tp', D), and which of them are real, (N, Tp').
    """

    read: Tensor
    prompt: Callable[[], tuple[Tensor, Tensor]]


def padded(model: Any, batch: Batch) -> States:
    """Of rows padded on either side; columns without a real token in any row are left out."""
    prompt_ids, prompt_mask, completion_ids, used = batch
    first = int(prompt_mask.any(0).nonzero()[0])
    last = int(used.any(0).nonzero()[-1]) + 1
    seen = prompt_mask[:, first:]
    # The last target is predicted but never read, so it is not an input.
    read = completion_ids[:, : last - 1]
    inputs = torch.cat([prompt_ids[:, first:], read], 1)
    visible = torch.cat([seen, torch.ones_like(read)], 1)
    states = model.get_decoder()(
        input_ids=inputs,
        attention_mask=visible,
        position_ids=(visible.cumsum(1) - 1).clamp(min=0),
        use_cache=False,
    ).last_hidden_state
    width = seen.shape[1]
    return States(states[:, width - 1 :][used[:, :last]], lambda: (states[:, :width], seen))


def with_shared_prompts(model: Any, batch: Batch) -> States:
    """The same with each different prompt computed once, and nothing for padding."""
    prompt_ids, prompt_mask, completion_ids, used = batch
    different, source = prompt_ids.masked_fill(prompt_mask == 0, -1).unique(dim=0, return_inverse=True)
    real = different >= 0
    steps = torch.arange(used.shape[1], device=used.device)
    last = (used * (steps + 1)).amax(1)  # tokens of each row up to the last that counts, which is not an input
    tokens = int(real.sum()) + int((last - 1).sum())
    head = model.get_output_embeddings()
    more = spare(tokens, head.weight, linear_of(head))
    layout = shared_prompts.Layout.of(real.sum(1), last - 1, source, more)
    states = shared_prompts.hidden_states(model, different[real], completion_ids[steps < last[:, None] - 1], layout)
    predictors = layout.predictors
    read = states.index_select(0, predictors[used[:, : predictors.shape[1]]])
    prompt = layout.prompt
    return States(read, lambda: (states[prompt.places(0)[source]], prompt.real[source].long()))
