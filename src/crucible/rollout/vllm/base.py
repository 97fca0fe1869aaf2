"""What both vLLM engines share: when the weights are handed over, what is asked for, and rows out of token lists."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any, NamedTuple

import torch

from crucible.errors import UserError
from crucible.modules.seeds import derived_seed
from crucible.policy.policy import Policy
from crucible.types import Prompt, Rollouts, Sampling

COLDEST = 0.01  # vLLM samples at this temperature where a lower one above 0 is asked for
PROBE_TOKENS = 8
GB = 2**30
TOKENS_AT_ONCE = 4096  # of a step on a CPU
CPU_CACHE_GB = 2.0  # where nothing is said: vLLM would take nine tenths of the machine's memory


class Row(NamedTuple):
    """One completion: its tokens, the log-prob of each at the sampling temperature, whether an end token ended it."""

    ids: list[int]
    logps: list[float]
    stopped: bool


class VLLMRollouts:
    """A `RolloutEngine` whose rows come from `complete`, with the weights that `hand_over` gave last.

    The weights are handed over when something is to be sampled after a `sync`, a start or a resume: until then vLLM
    has the old ones. Each time vLLM has been started, the log-probs of a few greedy tokens are compared with the
    policy's own, before anything else is sampled. Errors: UserError where one differs by more than `max_mismatch`.
    """

    apart = True  # another program than the trainer's computes the log-probs: the difference is measured

    def __init__(self, policy: Policy, *, name: str, max_mismatch: float) -> None:
        self.policy, self.name, self.max_mismatch = policy, name, max_mismatch
        self.policy_version = 0
        self.stale, self.compared = True, False

    # -- what an engine does by itself ----------------------------------------------------------

    def hand_over(self) -> None:
        """Give vLLM the policy's weights, and let it forget what it computed with others."""
        raise NotImplementedError

    def complete(self, prompts: Sequence[list[int]], samples: int, sampling: Sampling) -> list[Row]:
        """`samples` completions of each prompt, those of one prompt adjacent."""
        raise NotImplementedError

    @contextmanager
    def behind(self) -> Iterator[int]:
        """Nothing lags: the version of the last `sync`."""
        yield self.policy_version

    # -- what they share ------------------------------------------------------------------------

    def sync(self, policy_version: int) -> None:
        """The weights have changed: they are handed over before the next completion."""
        self.policy_version, self.stale = policy_version, True

    def state_dict(self) -> dict[str, Any]:
        return {"policy_version": self.policy_version}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """The weights of the checkpoint may be loaded after this."""
        self.policy_version, self.stale = int(state["policy_version"]), True

    def generate(self, prompts: Sequence[Prompt], samples_per_prompt: int, sampling: Sampling) -> Rollouts:
        """As `EmbeddedEngine.generate`. Row i depends on the weights, its prompt, `sampling.seed` and i, up to
        rounding, which differs between batches."""
        if not prompts or samples_per_prompt < 1 or sampling.max_tokens < 1 or sampling.temperature < 0:
            raise UserError(
                f"nothing to sample: {len(prompts)} prompts, {samples_per_prompt} samples of each, "
                f"{sampling.max_tokens} tokens, temperature {sampling.temperature}"
            )
        if 0 < sampling.temperature < COLDEST:
            raise UserError(
                f"temperature {sampling.temperature}: vLLM samples at {COLDEST} at least; give 0 for greedy decoding"
            )
        ids, mask = self.policy.encode(prompts, max_tokens=sampling.max_tokens)
        tokens = [row[seen > 0].tolist() for row, seen in zip(ids, mask, strict=True)]
        found = self.sample(tokens, samples_per_prompt, sampling)
        if len(found) != len(prompts) * samples_per_prompt:
            raise RuntimeError(f"vLLM gave {len(found)} completions of {len(prompts)} prompts x {samples_per_prompt}")
        group = torch.arange(len(prompts), device=ids.device).repeat_interleave(samples_per_prompt)
        width = max(len(row.ids) for row in found)
        pad = self.policy.pad_id
        completions = torch.tensor([row.ids + [pad] * (width - len(row.ids)) for row in found], device=ids.device)
        lengths = torch.tensor([len(row.ids) for row in found], device=ids.device)
        counted = (torch.arange(width, device=ids.device) < lengths[:, None]).float()
        return Rollouts(
            prompt_ids=ids[group],
            prompt_mask=mask[group],
            completion_ids=completions,
            mask=counted,
            sampling_logps=torch.tensor(
                [row.logps + [0.0] * (width - len(row.ids)) for row in found], device=ids.device
            ),
            group=group,
            policy_version=torch.full_like(group, self.policy_version),
            prompts=[prompts[i] for i in group.tolist()],
            texts=self.policy.decode(completions, counted),
            finish_reason=["stop" if row.stopped else "length" for row in found],
            temperature=sampling.temperature,
        )

    def sample(self, prompts: Sequence[list[int]], samples: int, sampling: Sampling) -> list[Row]:
        """`complete` with the current weights."""
        self.update(prompts[0])
        return self.complete(prompts, samples, sampling)

    def update(self, probe: list[int]) -> None:
        """Hand over new weights, if there are any; compare vLLM with the policy, if it has just been started."""
        if self.stale:
            self.hand_over()
            self.stale = False
        if not self.compared:
            self.compare(probe)
            self.compared = True

    def compare(self, probe: list[int]) -> None:
        """Is vLLM's model the policy's? A prompt of few tokens tells, and any other model fails."""
        room = min(PROBE_TOKENS, self.policy.context_length - len(probe))
        row = self.complete([probe], 1, Sampling(max_tokens=room, temperature=0.0))[0]
        device, model = self.policy.device, self.policy.model
        training = model.training
        model.eval()
        with torch.no_grad():
            prompt, completion = (torch.tensor([ids], device=device) for ids in (probe, row.ids))
            own = self.policy.token_stats(
                prompt, torch.ones_like(prompt), completion, torch.ones_like(completion, dtype=torch.float32)
            ).logps
        model.train(training)
        worst = (own - torch.tensor([row.logps], device=device)).abs().max().item()
        if not worst <= self.max_mismatch:
            raise UserError(
                f"rollout={self.name}: vLLM's log-probs of {model.config.model_type} differ from the policy's own by "
                f"{worst:.3g} nats, more than rollout.max_mismatch={self.max_mismatch:g}; use rollout=embedded, or "
                "raise the limit if its numbers are known to be this far off"
            )

    def asked(self, sampling: Sampling) -> dict[str, Any]:
        """What both ways of asking have in common. Only the policy's own end tokens end a completion."""
        return {
            "temperature": sampling.temperature,
            "max_tokens": sampling.max_tokens,
            "top_p": 1.0,
            "top_k": 0,
            "min_p": 0.0,
            "repetition_penalty": 1.0,
            "ignore_eos": True,
            "stop_token_ids": [token for token in self.policy.eos_ids if 0 <= token < self.policy.vocabulary],
            "logprobs": 0,  # that of the token alone
        }


def row_seed(sampling: Sampling, row: int) -> int:
    """The seed of row `row` of this call; vLLM gives the samples of one prompt seeds that count up from that of the
    first, so each row of the whole batch has its own."""
    return (derived_seed(sampling.seed, "vllm") >> 1) + sampling.first_row + row


def memory(kv_cache_gb: float | None, gpu_memory_utilization: float) -> dict[str, Any]:
    """vLLM's options for the memory of its key-value cache (and, as a share of a GPU, of all it has)."""
    if kv_cache_gb is None and not torch.cuda.is_available():
        kv_cache_gb = CPU_CACHE_GB
    if kv_cache_gb is not None:
        return {"kv_cache_memory_bytes": int(kv_cache_gb * GB)}
    return {"gpu_memory_utilization": gpu_memory_utilization}


def whole_prompts(context_length: int) -> dict[str, Any]:
    """On a CPU vLLM's options for reading a prompt in one piece: where it read a part of one, it would turn a row's
    random generator back, which a CPU's cannot do ("CPU Generator does not use offset")."""
    if torch.cuda.is_available():
        return {}
    return {"enable_chunked_prefill": False, "max_num_batched_tokens": max(context_length, TOKENS_AT_ONCE)}


def refuse_without_vllm(name: str) -> None:
    if find_spec("vllm") is None:
        raise UserError(
            f"rollout={name} needs vLLM, which is not installed: make setup-vllm (CPU) or "
            "pip install -e '.[vllm]' (GPU)"
        )
