"""Tokens per second of sampling: Crucible's embedded engine and what a user would take instead.

    python benchmarks/rollout.py [--rows 8 64 512] [--vllm .venv-vllm/bin/python]
    python benchmarks/rollout.py --model FOLDER --rows 8 64 --prompt-tokens 32        # any Hugging Face folder

transformers' generate, transformers' continuous batching (generate_batch) and vLLM on the CPU, each in a process of its
own, one after the other: same weights, prompts, number of tokens, threads and dtype (float32), at temperature 1.
`fixed`: nothing ends a completion. `tail`: one word in 15 does, and tokens up to it are counted. Rows are the sequences
asked for at once, 8 samples of each prompt. Every side must give the same greedy tokens. vLLM wants an environment of
its own (`make setup-vllm VENV=.venv-vllm`), whose Python --vllm names; without it that side is left out.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

SAMPLES = 8
NEVER = -1  # no token has this number
Batch = Callable[[Sequence[list[int]], int, int], list[int]]
"""(prompts, samples of each, seed) -> the length of every completion."""


def main() -> None:
    options = arguments()
    if options.side:
        one_side(options)
        return
    with tempfile.TemporaryDirectory() as folder:
        if options.model is None:
            options.model = small_model(Path(folder))
        sides = [side for side in options.sides if side != "vllm" or options.vllm]
        cores = f"{os.cpu_count()} cores, {options.threads} threads, load {os.getloadavg()[0]:.1f}"
        print(f"{platform.machine()}, {cores}, float32, best of {options.turns}, "
              f"{options.prompt_tokens} prompt tokens, {options.tokens} tokens at most")  # fmt: skip
        for kind in options.kinds:
            for rows in options.rows:
                compare(sides, kind, rows, options)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", help="a Hugging Face folder; without it a Qwen3 of 2.8 M parameters is made")
    parser.add_argument("--rows", type=int, nargs="+", default=[8, 64, 512], help="sequences at once")
    parser.add_argument("--kinds", nargs="+", choices=("fixed", "tail"), default=["fixed", "tail"])
    parser.add_argument("--prompt-tokens", type=int, default=32)
    parser.add_argument("--tokens", type=int, default=64, help="of a completion, at most")
    parser.add_argument("--turns", type=int, default=2, help="timed turns of each side, after one that is not")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--sides", nargs="+", choices=SIDES, default=list(SIDES))
    parser.add_argument("--timeout", type=float, default=180, help="seconds after which a side is given up")
    parser.add_argument("--vllm", help="a Python that has vLLM")
    parser.add_argument("--side", help=argparse.SUPPRESS)
    return parser.parse_args()


def compare(sides: Sequence[str], kind: str, rows: int, options: argparse.Namespace) -> None:
    found: dict[str, dict[str, Any]] = {}
    for side in sides:
        python = options.vllm if side == "vllm" else sys.executable
        command = [python, __file__, "--side", side, "--model", options.model, "--rows", str(rows), "--kinds", kind,
                   "--prompt-tokens", str(options.prompt_tokens), "--tokens", str(options.tokens),
                   "--turns", str(options.turns), "--threads", str(options.threads)]  # fmt: skip
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=options.timeout)
        except subprocess.TimeoutExpired:
            print(f"{kind:<6}{rows:>4} rows  {side:<11} had not finished after {options.timeout:g} s")
            continue
        if done.returncode:
            print(f"{kind:<6}{rows:>4} rows  {side:<11} failed: {done.stderr.strip().splitlines()[-1][:200]}")
            continue
        found[side] = json.loads(done.stdout.splitlines()[-1])
        if found[side]["greedy"] != found[sides[0]]["greedy"]:
            raise SystemExit(f"{side} has other greedy tokens than {sides[0]}: nothing is timed")
    for side, one in found.items():
        ratio = found["crucible"]["rate"] / one["rate"]
        against = "" if side == "crucible" else f"   crucible is {ratio:5.2f} x as fast"
        print(f"{kind:<6}{rows:>4} rows  {side:<11}{one['rate']:9.0f} tokens/s   "
              f"mean length {one['length']:5.1f}{against}", flush=True)  # fmt: skip


def one_side(options: argparse.Namespace) -> None:
    import torch

    torch.set_num_threads(options.threads)
    rows, tail = options.rows[0], options.kinds[0] == "tail"
    vocabulary = json.loads((Path(options.model) / "config.json").read_text())["vocab_size"]
    ends = list(range(5, vocabulary, 15)) if tail else []
    draw = torch.randint(4, vocabulary, (max(1, rows // SAMPLES), options.prompt_tokens),
                         generator=torch.Generator().manual_seed(1))  # fmt: skip
    prompts = draw.tolist()
    batch, greedy = SIDES[options.side](options.model, ends, options.tokens)
    batch(prompts, min(rows, SAMPLES), 0)  # warm
    rates, lengths = [], []
    for turn in range(options.turns):
        started = time.perf_counter()
        found = batch(prompts, min(rows, SAMPLES), turn + 1)
        rates.append(sum(found) / (time.perf_counter() - started))
        lengths += found
    print(json.dumps({"rate": max(rates), "length": statistics.mean(lengths), "greedy": greedy(prompts[:4])}))


def small_model(folder: Path) -> str:
    sys.path.insert(0, str(Path(__file__).resolve().parent))
    import rl_step

    rl_step.model(rl_step.Workload()).save_pretrained(folder)
    rl_step.tokenizer(rl_step.Workload()).save_pretrained(folder)
    return str(folder)


def crucible(folder: str, ends: list[int], tokens: int) -> tuple[Batch, Any]:
    import torch

    from crucible.policy.policy import Policy
    from crucible.rollout.embedded import EmbeddedEngine
    from crucible.types import Prompt, Sampling

    model, tokenizer = loaded(folder)

    class Given(Policy):
        """Reads token ids, and ends at `ends` alone."""

        @property
        def eos_ids(self) -> tuple[int, ...]:
            return tuple(ends) or (NEVER,)

        def token_ids(self, prompts: Any) -> list[list[int]]:
            return [json.loads(prompt.text) for prompt in prompts]

    policy = Given(model, tokenizer, chat=False)

    def generated(prompts: Sequence[list[int]], samples: int, seed: int, temperature: float = 1.0) -> Any:
        engine = EmbeddedEngine(policy, max_rows=len(prompts) * samples)
        texts = [Prompt(str(i), json.dumps(ids)) for i, ids in enumerate(prompts)]
        return engine.generate(texts, samples, Sampling(max_tokens=tokens, seed=seed, temperature=temperature))

    def batch(prompts: Sequence[list[int]], samples: int, seed: int) -> list[int]:
        found: list[int] = generated(prompts, samples, seed).mask.sum(1).long().tolist()
        return found

    def greedy(prompts: Sequence[list[int]]) -> list[list[int]]:
        out = generated(prompts, 1, 0, 0.0)
        return [ids[mask.bool()].tolist() for ids, mask in zip(out.completion_ids, out.mask, strict=True)]

    torch.manual_seed(0)
    return batch, greedy


def generate(folder: str, ends: list[int], tokens: int) -> tuple[Batch, Any]:
    import torch

    model, _ = loaded(folder)

    def generated(prompts: Sequence[list[int]], samples: int, sampled: bool) -> list[list[int]]:
        ids = torch.tensor(prompts)
        out = model.generate(
            input_ids=ids, attention_mask=torch.ones_like(ids), do_sample=sampled, temperature=1.0, top_k=0, top_p=1.0,
            max_new_tokens=tokens, num_return_sequences=samples, eos_token_id=ends or None, pad_token_id=2,
        )[:, ids.shape[1] :]  # fmt: skip
        return [until_end(row, ends) for row in out.tolist()]

    def batch(prompts: Sequence[list[int]], samples: int, seed: int) -> list[int]:
        torch.manual_seed(seed)
        return [len(row) for row in generated(prompts, samples, True)]

    return batch, lambda prompts: generated(prompts, 1, False)


def continuous(folder: str, ends: list[int], tokens: int) -> tuple[Batch, Any]:
    import torch
    from transformers import ContinuousBatchingConfig, GenerationConfig

    model, _ = loaded(folder, attention="paged|sdpa")
    page = 32

    def generated(prompts: Sequence[list[int]], samples: int, sampled: bool) -> list[list[int]]:
        config = GenerationConfig(
            do_sample=sampled, temperature=1.0, top_k=0, top_p=1.0, max_new_tokens=tokens, pad_token_id=2,
            eos_token_id=ends or NEVER,
        )  # fmt: skip
        rows = [list(ids) for ids in prompts for _ in range(samples)]
        # its own guess of the cache is nine tenths of a GPU's memory, and here of the machine's
        cache = ContinuousBatchingConfig(
            page_size=page, num_blocks=len(rows) * -(-(len(rows[0]) + tokens) // page) + 8,
            max_batch_tokens=max(2048, len(rows)), auto_switch_to_flash=False,
        )  # fmt: skip
        out = model.generate_batch(
            rows, generation_config=config, continuous_batching_config=cache, progress_bar=False, warmup=False
        )
        order = sorted(out, key=lambda name: int(name.rpartition("_")[2]))
        return [until_end(out[name].generated_tokens, ends) for name in order]

    def batch(prompts: Sequence[list[int]], samples: int, seed: int) -> list[int]:
        torch.manual_seed(seed)
        return [len(row) for row in generated(prompts, samples, True)]

    return batch, lambda prompts: generated(prompts, 1, False)


def vllm(folder: str, ends: list[int], tokens: int) -> tuple[Batch, Any]:
    os.environ.setdefault("VLLM_ENABLE_V1_MULTIPROCESSING", "0")
    os.environ.setdefault("VLLM_CPU_KVCACHE_SPACE", "2")
    from vllm import LLM, SamplingParams

    length = 1024
    engine = LLM(folder, dtype="float32", enforce_eager=True, max_model_len=length, max_num_seqs=512, seed=0,
                 enable_prefix_caching=True, skip_tokenizer_init=True)  # fmt: skip

    def generated(prompts: Sequence[list[int]], samples: int, temperature: float) -> list[list[int]]:
        # no seed: many requests with seeds of their own are an error of the CPU build ("Generator does not use offset")
        asked = SamplingParams(
            n=samples, temperature=temperature, top_p=1.0, top_k=0, max_tokens=tokens, ignore_eos=True,
            stop_token_ids=ends, detokenize=False,
        )  # fmt: skip
        out = engine.generate([{"prompt_token_ids": ids} for ids in prompts], asked, use_tqdm=False)
        return [until_end(list(one.token_ids), ends) for request in out for one in request.outputs]

    def batch(prompts: Sequence[list[int]], samples: int, seed: int) -> list[int]:
        return [len(row) for row in generated(prompts, samples, 1.0)]

    return batch, lambda prompts: generated(prompts, 1, 0.0)


SIDES = {"crucible": crucible, "generate": generate, "continuous": continuous, "vllm": vllm}


def loaded(folder: str, attention: str = "sdpa") -> tuple[Any, Any]:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation=attention)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    return model.eval(), tokenizer


def until_end(tokens: list[int], ends: list[int]) -> list[int]:
    """The tokens up to the first that ends, which counts."""
    return next((tokens[: i + 1] for i, token in enumerate(tokens) if token in ends), tokens)


if __name__ == "__main__":
    main()
