"""vLLM as a server: one that is started here, or one at a URL."""

from __future__ import annotations

import functools
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

from crucible.ahead import looks_ahead
from crucible.errors import UserError, nearest
from crucible.policy.policy import Policy
from crucible.pulse import beat
from crucible.rollout.vllm.base import Row, VLLMRollouts, memory, refuse_without_vllm, row_seed, whole_prompts
from crucible.rollout.vllm.child import Child
from crucible.rollout.vllm.client import Client, Gone, Hangs, Refused, address_of
from crucible.rollout.vllm.stream import offered
from crucible.rollout.vllm.weights import named_weights, write_folder
from crucible.rollout.vllm.worker import EXTENSION
from crucible.types import Sampling

LOOK_S = 0.2  # between looks whether a server has come up
SERVED = "policy"  # the name of the model in a server that is started here


def refuse(url: str | None) -> None:
    if url is None:
        refuse_without_vllm("vllm_server")
    else:
        address_of(url)


@looks_ahead(refuse)
class VLLMServerEngine(VLLMRollouts):
    """`RolloutEngine` over HTTP. Weights go through a socket into the server's workers, without a disk.

    Without `url` a server is started as a child, and ends with this process. With it, one is used that somebody has
    started as docs/engines.md says.

    A server that dies is started again (one at a URL: waited for), gets the weights, and the batch is sampled anew
    with the same seeds, up to `restarts` times a batch. One that gives no sign for `timeout` seconds hangs.
    Errors: UserError for a server that hangs, does not come up in `start_timeout` seconds, keeps dying, or was started
    with options under which its numbers would be others.
    """

    for_all_ranks = True  # of several processes the main one alone has it

    def __init__(
        self,
        policy: Policy,
        *,
        report: Callable[[str], None],
        run_dir: Any,
        url: str | None = None,
        model_name: str | None = None,
        timeout: Annotated[float, "> 0"] = 300.0,
        start_timeout: Annotated[float, "> 0"] = 600.0,
        restarts: Annotated[int, ">= 0"] = 2,
        max_rows: Annotated[int, ">= 1"] = 256,
        prefix_caching: bool = True,
        eager: bool = True,
        kv_cache_gb: Annotated[float | None, "> 0"] = None,
        gpu_memory_utilization: Annotated[float, "> 0"] = 0.9,
        cuda_devices: str | None = None,
        arguments: Sequence[str] = (),
        max_mismatch: Annotated[float, "> 0"] = 0.05,
    ) -> None:
        super().__init__(policy, name="vllm_server", max_mismatch=max_mismatch)
        refuse(url)
        self.report, self.timeout, self.start_timeout, self.restarts = report, timeout, start_timeout, restarts
        self.child: Child | None = None
        if url is not None:
            self.client, self.model_name = Client(url, timeout), model_name
            self._come_up()
            return
        self._folder = tempfile.TemporaryDirectory(prefix="crucible-vllm-")
        write_folder(policy, Path(self._folder.name))
        self.model_name = SERVED
        options = {
            "served-model-name": SERVED,
            "load-format": "dummy",  # the weights come from the policy
            "dtype": str(policy.model.dtype).removeprefix("torch."),
            "max-model-len": policy.context_length,
            "max-num-seqs": max_rows,
            "logprobs-mode": "processed_logprobs",  # at the sampling temperature
            "generation-config": "vllm",  # neutral defaults, whatever the model's authors recommend
            "worker-extension-cls": EXTENSION,
            "enable-prefix-caching": prefix_caching,
            **{name.replace("_", "-"): v for name, v in memory(kv_cache_gb, gpu_memory_utilization).items()},
            **{name.replace("_", "-"): v for name, v in whole_prompts(policy.context_length).items()},
        }
        words = [f"--{name}={v}" for name, v in options.items() if not isinstance(v, bool)]
        words += [f"--{name}" if v else f"--no-{name}" for name, v in options.items() if isinstance(v, bool)]
        words += ["--enforce-eager"] if eager else []
        self._start = functools.partial(
            Child,
            [self._folder.name, *words, "--disable-uvicorn-access-log", *arguments],
            Path(run_dir.path) / "vllm_server.log",
            cuda_devices=cuda_devices,
        )
        self._start_child()

    # -- its life -------------------------------------------------------------------------------

    @property
    def who(self) -> str:
        return f"the server at {self.client.url}" + (f" (process {self.child.pid})" if self.child else "")

    @property
    def log(self) -> str:
        return f"; its log is {self.child.log}" if self.child else ""

    def _start_child(self) -> None:
        self.child = self._start()
        self.client = Client(f"http://127.0.0.1:{self.child.port}", self.timeout)
        self.report(f"starting a vLLM server at {self.client.url}; it writes to {self.child.log}")
        self._come_up()

    def _come_up(self) -> None:
        """Waits until it answers; one of somebody else is then looked at. Errors: UserError."""
        beat("waiting for the vLLM server")
        given_up = time.monotonic() + self.start_timeout
        while not self.client.healthy():
            if self.child is not None and not self.child.alive():
                words = self.child.last_words()
                raise UserError(f"rollout=vllm_server: the server ended while starting: {words}{self.log}")
            if time.monotonic() > given_up:
                self.stop()
                raise UserError(
                    f"rollout=vllm_server: {self.who} did not answer within {self.start_timeout:g} s "
                    f"(rollout.start_timeout){self.log}"
                )
            time.sleep(LOOK_S)
            beat()
        self.stale, self.compared = True, False
        if self.child is None:
            try:
                self._refuse_other_numbers()
            except (Gone, Hangs) as error:
                raise UserError(f"rollout=vllm_server: {self.who} went away at once: {error}") from None

    def _refuse_other_numbers(self) -> None:
        """Is a server that somebody else has started the one that is needed?"""
        url, needed = self.client.url, self.policy.context_length
        cards = {card["id"]: card for card in self.client.answer("GET", "/v1/models")["data"]}
        if self.model_name is None:
            self.model_name = next(iter(cards))
        if self.model_name not in cards:
            raise UserError(
                f"rollout.model_name={self.model_name}: {self.who} has no such model"
                f"{nearest(self.model_name, cards)}; it has {', '.join(cards)}"
            )
        length = cards[self.model_name].get("max_model_len") or 0
        if length < needed:
            raise UserError(
                f"rollout.url={url}: its context is {length} tokens and the policy's {needed}; start it with "
                f"--max-model-len {needed}, or give the policy a shorter one"
            )
        try:
            about = self.client.call_workers("crucible_about")[0]
        except Refused as error:
            raise UserError(
                f"rollout.url={url} takes no weights: start it with VLLM_SERVER_DEV_MODE=1 and "
                f"--worker-extension-cls {EXTENSION}, see docs/engines.md ({error})"
            ) from None
        if about["logprobs_mode"] != "processed_logprobs":
            raise UserError(
                f"rollout.url={url} gives log-probs at temperature 1, whatever that of sampling: start it with "
                "--logprobs-mode processed_logprobs"
            )

    def stop(self, *, politely: bool = True) -> None:
        """The server that was started here; one of somebody else is left alone."""
        if self.child is not None:
            self.child.stop(politely=politely)

    # -- one call -------------------------------------------------------------------------------

    def sample(self, prompts: Sequence[list[int]], samples: int, sampling: Sampling) -> list[Row]:
        for again in range(self.restarts + 1):
            try:
                return super().sample(prompts, samples, sampling)
            except Hangs:
                self.stop(politely=False)
                raise UserError(
                    f"rollout=vllm_server: {self.who} hangs: it gave no answer for {self.timeout:g} s "
                    f"(rollout.timeout){self.log}"
                ) from None
            except Gone as error:
                problem = " ".join(str(error).split())
                self.stop(politely=False)  # what is left of it
                if again < self.restarts:
                    self.report(f"{self.who} is gone ({problem}); it is awaited again, and the batch sampled anew")
                    if self.child is None:
                        self._come_up()
                    else:
                        self._start_child()
        raise UserError(
            f"rollout=vllm_server: {self.who} was lost in all {self.restarts + 1} attempts at a "
            f"batch (rollout.restarts={self.restarts}): {problem}{self.log}"
        )

    def hand_over(self) -> None:
        with offered(self.client.own_address(), lambda: named_weights(self.policy)) as offer:
            where = {"host": offer.host, "port": str(offer.port), "token": offer.token}
            try:
                counts = [found["tensors"] for found in self.client.call_workers("crucible_fetch_weights", where)]
            except Refused as error:
                if offer.problem is not None:
                    raise offer.problem from None
                raise UserError(f"rollout=vllm_server: {self.who} does not take the weights: {error}") from None
        if not counts or counts != offer.tensors:
            raise RuntimeError(f"{self.who} took {counts} tensors of {offer.tensors}")
        if not self.client.answer("POST", "/reset_prefix_cache")["success"]:
            raise RuntimeError(f"{self.who} would go on with keys and values of old weights")

    def complete(self, prompts: Sequence[list[int]], samples: int, sampling: Sampling) -> list[Row]:
        requests = [
            {
                "model": self.model_name, "prompt": ids, "n": samples, "seed": row_seed(sampling, i * samples),
                "return_token_ids": True, "return_tokens_as_token_ids": True, **self.asked(sampling),
            }
            for i, ids in enumerate(prompts)
        ]  # fmt: skip
        try:
            found = self.client.answers("/v1/completions", requests)
        except Refused as error:
            raise UserError(f"rollout=vllm_server: {self.who} refuses a prompt: {error}") from None
        return [row_of(one) for answer in found for one in sorted(answer["choices"], key=lambda one: one["index"])]


def row_of(choice: Mapping[str, Any]) -> Row:
    reason = choice["finish_reason"]
    if reason not in ("stop", "length"):
        raise Gone(f"a completion ended with {reason!r}")
    return Row(choice["token_ids"], choice["logprobs"]["token_logprobs"], reason == "stop")
