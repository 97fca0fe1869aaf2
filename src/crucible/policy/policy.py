"""The policy: a causal language model and its tokenizer, behind the four things training needs."""

from __future__ import annotations

import copy
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from crucible.errors import UserError
from crucible.policy.attention import use_own_attention
from crucible.policy.fused_layers import use_fused_layers
from crucible.policy.onednn import use_onednn
from crucible.policy.shards import compute_device
from crucible.policy.shared_prompts import fits
from crucible.policy.states import Batch, States, padded, with_shared_prompts
from crucible.policy.token_stats import LOGITS_AT_ONCE, TokenStats, selected_stats
from crucible.policy.tokenizer import unknown_characters
from crucible.types import Prompt

NO_LIMIT = 1_000_000  # tokenizers without a limit of their own report an astronomically large one


class Policy:
    """A Hugging Face causal LM with its tokenizer. Batches are left-padded prompts, right-padded completions.

    `chat`: render `Prompt.text` as one user message when the tokenizer has a chat template
    (`Prompt.messages` is always rendered). `template_options` go to the template as they are, e.g.
    {"enable_thinking": False}. `shared_prompts`: compute a prompt that rows have in common once, and no padding, where
    the model can (`shared_prompts.fits`); the numbers differ by rounding. `fused_layers`: norms, MLPs, rotations
    and short attention with gradients of their own (`fused_norms`, `fused_mlp`, `fused_layers`, `short_attention`).
    `onednn`: products of linear layers in float32 on a CPU by oneDNN where it is faster than torch's BLAS (`onednn`).
    `seen_ids` holds the ids of the prompts the weights were warmed up on.
    """

    def __init__(
        self,
        model: Any,
        tokenizer: Any,
        *,
        chat: bool = True,
        template_options: dict[str, Any] | None = None,
        logits_at_once: int = LOGITS_AT_ONCE,
        shared_prompts: bool = True,
        fused_layers: bool = True,
        onednn: bool = True,
    ) -> None:
        if tokenizer.eos_token_id is None:
            raise UserError("the tokenizer has no end-of-sequence token: completions could never end")
        if tokenizer.pad_token_id is None:
            raise UserError("the tokenizer has no padding token: set tokenizer.pad_token, e.g. to its eos_token")
        use_own_attention(model)
        self.model = model
        self.tokenizer = tokenizer
        self.chat = chat
        self.template_options = dict(template_options or {})
        self.logits_at_once = logits_at_once
        self.seen_ids: set[str] = set()
        self.compute_with(shared_prompts=shared_prompts, fused_layers=fused_layers, onednn=onednn)

    def compute_with(self, *, shared_prompts: bool, fused_layers: bool, onednn: bool) -> None:
        """Switches the ways to the same numbers that the class describes."""
        self.shared_prompts = shared_prompts
        use_fused_layers(self.model, fused_layers)
        use_onednn(self.model, onednn)

    @property
    def eos_id(self) -> int:
        return self.tokenizer.eos_token_id

    @property
    def eos_ids(self) -> tuple[int, ...]:
        """Every token that ends a completion: the tokenizer's and those of the generation config."""
        listed = getattr(getattr(self.model, "generation_config", None), "eos_token_id", None)
        more = listed if isinstance(listed, list | tuple) else [] if listed is None else [listed]
        return tuple(dict.fromkeys([self.eos_id, *more]))

    @property
    def pad_id(self) -> int:
        return self.tokenizer.pad_token_id

    @property
    def device(self) -> torch.device:
        return compute_device(self.model)

    @property
    def vocabulary(self) -> int:
        """Entries of the output layer (may exceed the tokenizer's)."""
        return self.model.get_output_embeddings().weight.shape[0]

    @property
    def width(self) -> int:
        """Size of the last hidden state."""
        return self.model.get_output_embeddings().weight.shape[1]

    @property
    def context_length(self) -> int:
        """Longest prompt plus completion, in tokens."""
        positions = getattr(self.model.config, "max_position_embeddings", None) or NO_LIMIT
        return min(positions, self.tokenizer.model_max_length, NO_LIMIT)

    def token_ids(self, prompts: Sequence[Prompt]) -> list[list[int]]:
        """The tokens of each prompt, as the tokenizer's own rules (begin token, chat template) give them."""
        rendered = [self._rendered(prompt) for prompt in prompts]
        found: list[list[int]] = [[]] * len(rendered)
        for special in (True, False):
            rows = [i for i, (_, adds) in enumerate(rendered) if adds is special]
            if rows:
                texts = [rendered[i][0] for i in rows]
                coded = self.tokenizer(texts, add_special_tokens=special, return_attention_mask=False, verbose=False)
                for i, ids in zip(rows, coded["input_ids"], strict=True):
                    found[i] = ids
        for prompt, (text, _), ids in zip(prompts, rendered, found, strict=True):
            self._refuse_unreadable(prompt, text, ids)
        return found

    def _rendered(self, prompt: Prompt) -> tuple[str, bool]:
        """What the tokenizer is given, and whether it adds its special tokens: a template writes them itself."""
        template = getattr(self.tokenizer, "chat_template", None)
        if prompt.messages and not template:
            raise UserError(f"prompt {prompt.id} is a chat, but this model's tokenizer has no chat template")
        if prompt.messages or (template and self.chat):
            messages = [dict(m) for m in prompt.messages] or [{"role": "user", "content": prompt.text}]
            text = self.tokenizer.apply_chat_template(
                messages, add_generation_prompt=True, tokenize=False, **self.template_options
            )
            return text, False
        return prompt.text, True

    def _refuse_unreadable(self, prompt: Prompt, text: str, ids: list[int]) -> None:
        if not ids:
            raise UserError(f"prompt {prompt.id} is empty")
        if self.tokenizer.unk_token_id in ids:
            unknown = unknown_characters(self.tokenizer, text)
            if unknown:
                raise UserError(
                    f"prompt {prompt.id}: the model's tokenizer does not know {unknown[0]!r} (in {text[:60]!r})"
                )

    def check_prompts(self, prompts: Sequence[Prompt], max_tokens: int) -> None:
        """Refuses prompts that leave no room for `max_tokens` completion tokens in the context."""
        self._check(prompts, self.token_ids(prompts), max_tokens)

    def _check(self, prompts: Sequence[Prompt], ids: list[list[int]], max_tokens: int) -> None:
        for prompt, row in zip(prompts, ids, strict=True):
            if len(row) + max_tokens > self.context_length:
                room = self.context_length - max_tokens
                raise UserError(
                    f"prompt {prompt.id} has {len(row)} tokens; with {max_tokens} completion tokens that exceeds "
                    f"the model's context of {self.context_length}: "
                    + (f"at most {room} fit" if room > 0 else "give fewer completion tokens")
                )

    def encode(self, prompts: Sequence[Prompt], *, max_tokens: int | None = None) -> tuple[Tensor, Tensor]:
        """(ids, mask), both (P, Tp) int64, left-padded, on the model's device.

        With `max_tokens`, prompts that leave no room for so many completion tokens are refused.
        """
        ids = self.token_ids(prompts)
        if max_tokens is not None:
            self._check(prompts, ids, max_tokens)
        width = max(map(len, ids))
        padded = torch.tensor([[self.pad_id] * (width - len(row)) + row for row in ids])
        mask = torch.tensor([[0] * (width - len(row)) + [1] * len(row) for row in ids])
        return padded.to(self.device), mask.to(self.device)

    def decode(self, ids: Tensor, mask: Tensor) -> list[str]:
        """The text of each row's tokens where `mask` > 0, special tokens left out, nothing tidied."""
        rows = [
            [token for token, counts in zip(row, keep, strict=True) if counts]
            for row, keep in zip(ids.tolist(), (mask > 0).tolist(), strict=True)
        ]
        return self.tokenizer.batch_decode(rows, skip_special_tokens=True, clean_up_tokenization_spaces=False)

    def token_stats(
        self,
        prompt_ids: Tensor,
        prompt_mask: Tensor,
        completion_ids: Tensor,
        mask: Tensor,
        *,
        temperature: float = 1.0,
        entropy_gradient: bool = False,
        uniform: bool = False,
        collision: bool = False,
        greedy: bool = False,
        normaliser: bool = False,
        against: Policy | None = None,
        hidden: bool = False,
        value_head: Callable[[Tensor], Tensor] | None = None,
        prompt_head: Callable[[Tensor], Tensor] | None = None,
    ) -> TokenStats:
        """Log-probability (with gradient) and exact entropy of each completion token where `mask` > 0.

        `uniform`, `collision`, `greedy`, `normaliser`, `hidden`, `value_head` and `prompt_head` ((M, D) states -> (M,))
        ask for more, and `against`, a policy of the same vocabulary, for the divergence from it: see `TokenStats`.
        Shapes as in `types.Rollouts`. Rows and columns without a counted token are not computed at all,
        and the LM head runs on counted tokens only. Every completion token is visible to later ones,
        counted or not. With no counted token the result is zeros without a gradient. With `shares`, rows with the
        same prompt compute it once, and padding is not computed either.
        """
        if temperature <= 0:
            raise ValueError(f"temperature must be positive to define log-probabilities, got {temperature}")
        used = mask > 0
        logps = torch.zeros(mask.shape, device=mask.device)
        rows = used.any(1).nonzero().squeeze(1)
        wanted = {"uniform": uniform, "collision": collision, "greedy": greedy, "normaliser": normaliser}
        more = [name for name, asked in {**wanted, "divergence": against is not None}.items() if asked]
        if len(rows) == 0:
            return TokenStats(
                logps,
                logps.clone(),
                **{name: logps.clone() for name in more},
                hidden=logps.new_zeros(len(mask), self.width) if hidden else None,
                values=logps.clone() if value_head else None,
                prompt=logps.new_zeros(len(mask)) if prompt_head else None,
            )
        batch = (prompt_ids[rows], prompt_mask[rows], completion_ids[rows], used[rows])
        found = self._states(batch)
        other = None
        if against is not None:
            with torch.no_grad():
                theirs = against._states(batch)
            other = (theirs.read, against.model.get_output_embeddings())
        chosen, entropy, *further = selected_stats(
            found.read,
            completion_ids[used],
            self.model.get_output_embeddings(),
            temperature=temperature,
            entropy_gradient=entropy_gradient,
            more=more,
            other=other,
            logits_at_once=self.logits_at_once,
            vocabulary=self.vocabulary,
        )

        def placed(values: Tensor) -> Tensor:
            return torch.zeros_like(logps).masked_scatter(used, values)

        return TokenStats(
            placed(chosen),
            placed(entropy),
            hidden=_row_means(found.read, used) if hidden else None,
            values=placed(value_head(found.read).float()) if value_head else None,
            prompt=logps.new_zeros(len(mask)).index_put((rows,), _read_prompts(prompt_head, *found.prompt()))
            if prompt_head
            else None,
            **{name: placed(values) for name, values in zip(more, further, strict=True)},
        )

    def shares(self, length: int) -> bool:
        """Whether rows of at most `length` tokens compute a prompt they have in common once."""
        return self.shared_prompts and fits(self.model, length)

    def _states(self, batch: Batch) -> States:
        shared = self.shares(batch[0].shape[1] + batch[2].shape[1])
        return (with_shared_prompts if shared else padded)(self.model, batch)

    def save(self, path: str | Path) -> None:
        """Writes a plain Hugging Face folder (adapters merged); a folder of an earlier save is replaced whole."""
        path = Path(path)
        if path.exists() and any(path.iterdir()) and not (path / "config.json").exists():
            raise UserError(f"{path} exists and is not a model folder: refusing to replace it")
        model = self.model
        if hasattr(model, "merge_and_unload"):  # a peft model; merging is done on a copy
            model = copy.deepcopy(model).merge_and_unload()
        partial = path.with_name(path.name + ".partial")
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        with _without_bars():
            model.save_pretrained(partial)
        self.tokenizer.save_pretrained(partial)
        if path.exists():
            shutil.rmtree(path)
        partial.rename(path)


def load(path: str | Path, *, chat: bool = True) -> Policy:
    """The policy in a Hugging Face folder, in float32."""
    from crucible.policy.pretrained import load_pretrained

    if not (Path(path) / "config.json").is_file():
        raise UserError(f"no model at {path}: a folder with config.json, weights and tokenizer is expected")
    model, tokenizer = load_pretrained(str(Path(path).absolute()), where="model folder")
    return Policy(model, tokenizer, chat=chat)


@torch.no_grad()
def _row_means(states: Tensor, used: Tensor) -> Tensor:
    """(M, D) states of the tokens where `used` (N, T) is True -> (N, D) their mean in each row, 0 without any."""
    row = used.nonzero()[:, 0]
    sums = torch.zeros(len(used), states.shape[1], device=states.device).index_add(0, row, states.float())
    return sums / used.sum(1, keepdim=True).clamp(min=1)


def _read_prompts(head: Callable[[Tensor], Tensor], states: Tensor, seen: Tensor) -> Tensor:
    """(N,) what `head` reads from the mean of the states (N, Tp, D) of the prompt's tokens, `seen` (N, Tp)."""
    weights = seen / seen.sum(1, keepdim=True)
    return head(torch.einsum("nt,ntd->nd", weights.to(states.dtype), states)).float()


@contextmanager
def _without_bars() -> Iterator[None]:
    """Keeps transformers' progress bars for shards and tensors out of the output for the time being."""
    from transformers.utils import logging

    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()
