"""vLLM in the training process, on the trainer's own device: asleep while the policy trains."""

from __future__ import annotations

import gc
import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import torch

from crucible.ahead import looks_ahead
from crucible.errors import UserError
from crucible.modules.random_state import random_state, restore_random_state
from crucible.policy.policy import Policy
from crucible.pulse import beat
from crucible.ranks import ALONE, Ranks
from crucible.rollout.vllm.base import Row, VLLMRollouts, memory, refuse_without_vllm, row_seed, whole_prompts
from crucible.rollout.vllm.weights import named_weights, write_folder
from crucible.rollout.vllm.worker import EXTENSION
from crucible.types import Sampling

ITS_OWN = ("LD_PRELOAD", "LOCAL_WORLD_SIZE", "RANK")  # of the environment: not for the children of a run


def refuse() -> None:
    refuse_without_vllm("vllm")


@looks_ahead(refuse)
class VLLMEngine(VLLMRollouts):
    """`RolloutEngine` with an `LLM` in this process. Weights go from parameter to parameter, in memory.

    On a GPU with `sleep` the memory of its weights and of its key-value cache is free while the policy trains, and
    between the calls inside one `behind()` it stays awake. On the CPU vLLM has no sleep mode.
    Each of several processes has an LLM of its own for its share of the rows.
    """

    def __init__(
        self,
        policy: Policy,
        *,
        report: Callable[[str], None],
        ranks: Ranks = ALONE,
        max_rows: Annotated[int, ">= 1"] = 256,
        prefix_caching: bool = True,
        eager: bool = True,
        kv_cache_gb: Annotated[float | None, "> 0"] = None,
        gpu_memory_utilization: Annotated[float, "> 0"] = 0.4,
        sleep: bool = True,
        max_mismatch: Annotated[float, "> 0"] = 0.05,
    ) -> None:
        super().__init__(policy, name="vllm", max_mismatch=max_mismatch)
        refuse()
        self.sleeps = sleep and torch.cuda.is_available()
        self._holders, self._asleep = 0, False
        self._folder = tempfile.TemporaryDirectory(prefix="crucible-vllm-")
        write_folder(policy, Path(self._folder.name))
        report("loading vLLM in this process")
        beat("loading vLLM")
        self.llm = self._load(
            ranks,
            model=self._folder.name,
            load_format="dummy",  # the weights come from the policy
            skip_tokenizer_init=True,  # tokens go in and come out
            dtype=str(policy.model.dtype).removeprefix("torch."),
            max_model_len=policy.context_length,
            max_num_seqs=max_rows,
            enable_prefix_caching=prefix_caching,
            enforce_eager=eager,
            logprobs_mode="processed_logprobs",  # at the sampling temperature
            generation_config="vllm",  # neutral defaults, whatever the model's authors recommend
            enable_sleep_mode=self.sleeps,
            worker_extension_cls=EXTENSION,
            seed=0,
            **memory(kv_cache_gb, gpu_memory_utilization),
            **whole_prompts(policy.context_length),
            **({"distributed_executor_backend": "external_launcher"} if ranks.world > 1 else {}),
        )
        if self.sleeps:
            self._fall_asleep()

    def _load(self, ranks: Ranks, **options: Any) -> Any:
        os.environ["VLLM_ENABLE_V1_MULTIPROCESSING"] = "0"
        for name, value in (("VLLM_LOGGING_LEVEL", "ERROR"), ("VLLM_NO_USAGE_STATS", "1")):
            os.environ.setdefault(name, value)
        with undisturbed():
            if ranks.world > 1:
                os.environ["RANK"] = str(ranks.rank)
            try:
                from vllm import LLM

                llm = LLM(**options)
            except Exception as error:
                said = " ".join(str(error).split())[:300]
                raise UserError(f"rollout=vllm: vLLM does not load: {type(error).__name__}: {said}") from error
        survive_others(llm)
        return llm

    # -- one call -------------------------------------------------------------------------------

    def sample(self, prompts: Sequence[list[int]], samples: int, sampling: Sampling) -> list[Row]:
        with undisturbed(), self.awake():
            return super().sample(prompts, samples, sampling)

    @contextmanager
    def behind(self) -> Iterator[int]:
        with self.awake():
            yield self.policy_version

    @contextmanager
    def awake(self) -> Iterator[None]:
        """At the end of the outermost of these it falls asleep."""
        self._holders += 1
        try:
            yield
        finally:
            self._holders -= 1
            if self._holders == 0 and self.sleeps and not self._asleep:
                self._fall_asleep()

    def _fall_asleep(self) -> None:
        """Level 2: nothing is kept, neither on the GPU nor beside it; the policy has the weights."""
        self.llm.sleep(level=2)
        self._asleep = self.stale = True

    def hand_over(self) -> None:
        """From parameter to parameter; after a sleep this is also what wakes it up."""
        if self._asleep:
            self.llm.wake_up(tags=["weights"])  # the memory of the cache is not needed before the weights are in
        self.llm.collective_rpc("crucible_load_weights", kwargs={"weights": named_weights(self.policy)})
        if self._asleep:
            self.llm.wake_up(tags=["kv_cache"])
            self._asleep = False
        if not self.llm.reset_prefix_cache():
            raise RuntimeError("vLLM would go on with keys and values of old weights: its prefix cache is not empty")

    def complete(self, prompts: Sequence[list[int]], samples: int, sampling: Sampling) -> list[Row]:
        from vllm import SamplingParams

        asked = [
            SamplingParams(
                n=samples, seed=row_seed(sampling, i * samples), detokenize=False, **self.asked(sampling)
            )
            for i in range(len(prompts))
        ]  # fmt: skip
        self.llm.enqueue([{"prompt_token_ids": ids} for ids in prompts], asked, use_tqdm=False)
        engine = self.llm.llm_engine
        found: dict[int, Any] = {}
        while engine.has_unfinished_requests():
            found |= {int(output.request_id): output for output in engine.step() if output.finished}
            beat()
        return [row_of(one) for _, output in sorted(found.items()) for one in output.outputs]


def row_of(completion: Any) -> Row:
    ids = list(completion.token_ids)
    logps = [step[token].logprob for token, step in zip(ids, completion.logprobs, strict=True)]
    if completion.finish_reason not in ("stop", "length"):
        raise RuntimeError(f"vLLM ended a completion with {completion.finish_reason!r}")
    return Row(ids, logps, completion.finish_reason == "stop")


def survive_others(llm: Any) -> None:
    """When an LLM is collected, vLLM takes down the process groups of its whole process: those of the ranks of a run,
    and those of another LLM. Not this one; its memory is freed as all memory is, which vLLM also prevents."""
    llm.llm_engine.engine_core._finalizer.detach()
    gc.unfreeze()


@contextmanager
def undisturbed() -> Iterator[None]:
    """What vLLM sets for itself in this process comes back: torch's threads (on the CPU it also takes away the function
    that sets them), the global random states, deterministic algorithms, and what our children would inherit."""
    threads, set_threads, random = torch.get_num_threads(), torch.set_num_threads, random_state()
    environment = {name: os.environ.get(name) for name in ITS_OWN}
    deterministic = torch.are_deterministic_algorithms_enabled()
    warns = torch.is_deterministic_algorithms_warn_only_enabled()
    torch.use_deterministic_algorithms(False)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(deterministic, warn_only=warns)
        torch.set_num_threads = set_threads
        torch.set_num_threads(threads)
        restore_random_state(random)
        for name, value in environment.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
