"""The rollout engine inside the training process: sampling with the policy's own weights."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Annotated, Any

import torch
from torch import Tensor

from crucible.errors import UserError
from crucible.policy.policy import Policy
from crucible.rollout.cache import RowCache, fill_holes
from crucible.rollout.fused import FusedStep
from crucible.rollout.past import PastWeights
from crucible.rollout.sampling import draw, noise
from crucible.rollout.shared_cache import SharedCache
from crucible.types import Prompt, Rollouts, Sampling

Step = Callable[[Tensor, Tensor, Any, Tensor | None], Tensor]


class EmbeddedEngine:
    """Samples from `policy` with a key-value cache, in batches of at most `max_rows` rows.

    A prompt is computed once; its samples read one copy of its cache (`shared_prompts`, where decoding is fused),
    or get one each. Finished rows leave the batch
    (`compact`); small Llama-like models decode with `fused.FusedStep` (`fused`). The log-probability of
    each token is recorded at the sampling temperature (at temperature 1 when greedy). Any transformers
    model whose layers all use attention will do.

    Reproducible: the tokens of row i depend on the weights, its prompt, `sampling.seed` and i, and, up
    to rounding of the logits, on nothing else: not on the global random state, `max_rows`, `compact`,
    `fused`, `shared_prompts` or the other prompts. Two calls with one seed use the same noise: give each
    step its own seed.

    `lag` simulates asynchronous training: inside `behind()` the weights are those of so many rollout steps ago.
    """

    def __init__(
        self,
        policy: Policy,
        *,
        max_rows: Annotated[int, ">= 1"] = 512,
        compact: bool = True,
        fused: bool = True,
        shared_prompts: bool = True,
        lag: Annotated[int, ">= 0"] = 0,
    ) -> None:
        if max_rows < 1:
            raise UserError(f"rollout.max_rows is {max_rows}; it must be at least 1")
        if lag < 0:
            raise UserError(f"rollout.lag is {lag}; it must be 0 or more rollout steps")
        self.policy = policy
        self.max_rows = max_rows
        self.compact = compact
        self.fused = fused
        self.shared_prompts = shared_prompts
        self.policy_version = 0
        self.past = PastWeights(policy.model, lag) if lag else None
        config = policy.model.config.get_text_config()
        kinds = set(getattr(config, "layer_types", None) or ["full_attention"])
        if kinds - {"full_attention", "sliding_attention"}:
            raise UserError(
                f"rollout=embedded cannot run {config.model_type}: its layers are {', '.join(sorted(kinds))}, "
                "and only full and sliding attention are supported"
            )
        self._layers = config.num_hidden_layers
        self._window = getattr(config, "sliding_window", None)

    def sync(self, policy_version: int) -> None:
        """Once a rollout step. The weights are the policy's own, so only their version is noted."""
        self.policy_version = policy_version
        if self.past is not None:
            self.past.add(policy_version)

    @contextmanager
    def behind(self) -> Iterator[int]:
        """While it lasts, sampling uses the weights of `lag` syncs ago (the oldest there are, at the start)."""
        if self.past is None:
            yield self.policy_version
        else:
            with self.past.in_place() as version:
                yield version

    def state_dict(self) -> dict[str, Any]:
        """With a lag this holds lag + 1 copies of the weights."""
        return {"policy_version": self.policy_version, "past": self.past.state_dict() if self.past else []}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.policy_version = int(state["policy_version"])
        if self.past is not None:
            self.past.load_state_dict(state["past"])

    def generate(self, prompts: Sequence[Prompt], samples_per_prompt: int, sampling: Sampling) -> Rollouts:
        """`samples_per_prompt` completions of each prompt; rows of one prompt are adjacent.

        finish_reason is "stop" when an end-of-sequence token was drawn (it counts in the mask), "length"
        when `sampling.max_tokens` ran out first. UserError when a prompt leaves no room in the context.
        """
        if not prompts or samples_per_prompt < 1 or sampling.max_tokens < 1 or sampling.temperature < 0:
            raise UserError(
                f"nothing to sample: {len(prompts)} prompts, {samples_per_prompt} samples of each, "
                f"{sampling.max_tokens} tokens, temperature {sampling.temperature}"
            )
        policy = self.policy
        prompt_ids, prompt_mask = policy.encode(prompts, max_tokens=sampling.max_tokens)
        device, rows = prompt_ids.device, len(prompts) * samples_per_prompt
        ids = torch.full((rows, sampling.max_tokens), policy.pad_id, device=device)
        logps = torch.zeros(rows, sampling.max_tokens, device=device)
        lengths = torch.full((rows,), sampling.max_tokens + 1, device=device)
        first = sampling.first_row
        uniform = noise(first + rows, sampling.max_tokens, sampling.seed)[first:].to(device)
        capacity = prompt_ids.shape[1] + sampling.max_tokens
        with torch.no_grad(), _evaluating(policy):
            step = self._step(capacity)
            for chunk in self._chunks(prompt_mask.sum(1), samples_per_prompt):
                self._decode(chunk, step, prompt_ids, prompt_mask, uniform, sampling, (ids, logps, lengths))

        stopped = lengths <= sampling.max_tokens
        lengths = lengths.clamp(max=sampling.max_tokens)
        width = int(lengths.max())
        mask = (torch.arange(width, device=device) < lengths[:, None]).float()
        ids = ids[:, :width].masked_fill(mask == 0, policy.pad_id)
        group = torch.arange(len(prompts), device=device).repeat_interleave(samples_per_prompt)
        return Rollouts(
            prompt_ids=prompt_ids[group],
            prompt_mask=prompt_mask[group],
            completion_ids=ids,
            mask=mask,
            sampling_logps=logps[:, :width] * mask,
            group=group,
            policy_version=torch.full((rows,), self.policy_version, device=device),
            prompts=[prompts[i] for i in group.tolist()],
            texts=policy.decode(ids, mask),
            finish_reason=["stop" if s else "length" for s in stopped.tolist()],
            temperature=sampling.temperature,
        )

    def _chunks(self, prompt_lengths: Tensor, samples: int) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        """(prompts (p,), row numbers (r,), the place of each row's prompt among those p), in turn.

        Prompts of like length go together; a prompt is split only when its samples exceed `max_rows`.
        """
        order = prompt_lengths.argsort(descending=True, stable=True)
        at_once = max(1, self.max_rows // samples)
        for part in order.tensor_split(-(-len(order) // at_once)):
            rows = (part[:, None] * samples + torch.arange(samples, device=part.device)).flatten()
            source = torch.arange(len(part), device=part.device).repeat_interleave(samples)
            for piece, origin in zip(rows.split(self.max_rows), source.split(self.max_rows), strict=True):
                yield part, piece, origin

    def _decode(
        self,
        chunk: tuple[Tensor, Tensor, Tensor],
        step: Step,
        prompt_ids: Tensor,
        prompt_mask: Tensor,
        uniform: Tensor,
        sampling: Sampling,
        out: tuple[Tensor, Tensor, Tensor],
    ) -> None:
        """Fills the chunk's rows of `out` = (ids, logps, lengths), lengths only where a row stops itself."""
        part, row, source = chunk
        ids, logps, lengths = out
        decoder, head = self.policy.model.get_decoder(), self.policy.model.get_output_embeddings()
        ends = torch.tensor(self.policy.eos_ids, device=row.device)

        # `row` maps the rows of the running batch to rows of the result; both shrink together.
        seen = prompt_mask[part]
        first = int(seen.any(0).nonzero()[0])
        seen = seen[:, first:]
        start = seen.shape[1]
        cache = RowCache(self._layers, start)
        hidden = decoder(
            input_ids=prompt_ids[part, first:],
            attention_mask=seen,
            position_ids=(seen.cumsum(1) - 1).clamp(min=0),
            past_key_values=cache,
            use_cache=True,
        ).last_hidden_state[:, -1]
        logits = head(hidden)[source]
        positions = seen.sum(1)[source]
        past: RowCache | SharedCache
        if self.shared_prompts and isinstance(step, FusedStep):
            past, visible = SharedCache(cache, len(row) // len(part), sampling.max_tokens - 1, seen), None
        else:
            past = cache.expand(source, start + sampling.max_tokens - 1)
            visible = self._visible(seen[source], start + sampling.max_tokens - 1)

        # Without autograd's bookkeeping a small batch takes a tenth less. Not for the general modules, which may keep a
        # tensor that no gradient can go through later.
        with torch.inference_mode() if isinstance(step, FusedStep) else torch.no_grad():
            for t in range(sampling.max_tokens):
                token, logp = draw(logits, uniform[row, t], temperature=sampling.temperature)
                ids[row, t] = token
                logps[row, t] = logp
                done = torch.isin(token, ends)
                if done.any():
                    lengths[row[done]] = lengths[row[done]].clamp(max=t + 1)
                    if bool((lengths[row] <= t + 1).all()):
                        return
                    if self.compact:
                        order, holes, movers = fill_holes(~done)
                        past.shrink(len(order), holes, movers)
                        row, token, positions = row[order], token[order], positions[order]
                        visible = visible if visible is None else visible[order]
                if t + 1 == sampling.max_tokens:
                    return
                mask = None if visible is None else visible[..., : start + t + 1]
                logits = head(step(token, positions, past, mask))
                positions = positions + 1

    def _step(self, capacity: int) -> Step:
        """One decoding step: (tokens (R,), positions (R,), cache, mask) -> last hidden state (R, D)."""
        model = self.policy.model
        if self.fused and FusedStep.fits(model, capacity):
            return FusedStep(model, capacity)
        decoder = model.get_decoder()

        def general(token: Tensor, positions: Tensor, cache: RowCache, mask: Tensor | None) -> Tensor:
            return decoder(
                input_ids=token[:, None],
                attention_mask=mask,
                position_ids=positions[:, None],
                past_key_values=cache,
                use_cache=True,
            ).last_hidden_state[:, -1]

        return general

    def _visible(self, seen: Tensor, capacity: int) -> Tensor | None:
        """The attention mask of all decoding steps, to be cut to the tokens so far; None when all is visible.

        Ready-made (R, 1, 1, capacity) so that transformers need not build one a token, except where a
        sliding window may end inside the sequence: then (R, capacity) and transformers does it.
        """
        ahead = seen.new_ones(len(seen), capacity - seen.shape[1])
        visible = torch.cat([seen, ahead], 1).bool()
        if self._window is not None and self._window < capacity:
            return visible
        return None if bool(seen.all()) else visible[:, None, None, :]


@contextmanager
def _evaluating(policy: Policy) -> Iterator[None]:
    """Dropout off for the time being."""
    training = policy.model.training
    policy.model.eval()
    try:
        yield
    finally:
        policy.model.train(training)
