"""Seconds of one RL step: TRL's GRPOTrainer and Crucible, same model, prompts, group size, tokens, threads and dtype.

    python benchmarks/rl_step.py [--workload a] [--steps 5] [--micro-batch 64]

a  2.4 M parameters, 32 prompts x 8 samples, 64 prompt and 64 completion tokens, one update a step (on-policy)
b  the same with rows that end early: about one in 15 ends at each token
c  prompts four times longer than completions (128 and 32 tokens)
d  a vocabulary of 150,000 with a small body; 16 prompts x 4 samples, 32 and 32 tokens
e  a with four updates a step

Both sides run as programs of their own, in turn, and are timed from the end of one step to the end of the next, the
first two left out; memory is the peak of the whole process. Loss: DAPO's token mean with one clip of 0.2, no KL. The
learning rate is so small that neither policy changes: one that does learns within a few steps to write longer rows.
TRL multiplies with torch's BLAS, as its users get it; --onednn-in-trl tells how much of the ratio that is.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import platform
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import torch

from crucible.policy.policy import Policy
from crucible.types import Completion, Context, Prompt, Scores

ROOT = Path(__file__).resolve().parents[1]
SKIPPED = 2  # steps before the timing: allocations, thread pools, caches
LEARNING_RATE = 1e-9


@dataclass(frozen=True)
class Workload:
    vocabulary: int = 512
    hidden: int = 192
    layers: int = 6
    prompts: int = 32
    samples: int = 8
    prompt_tokens: int = 64
    completion_tokens: int = 64
    updates: int = 1
    ends: bool = False


WORKLOADS = {
    "a": Workload(),
    "b": Workload(ends=True),
    "c": Workload(prompt_tokens=128, completion_tokens=32),
    "d": Workload(vocabulary=150_000, hidden=64, layers=2, prompts=16, samples=4, prompt_tokens=32,
                  completion_tokens=32),
    "e": Workload(updates=4),
}  # fmt: skip


def main() -> None:
    options = arguments()
    if options.side:
        side = {"crucible": ours, "trl": theirs}[options.side]
        print(json.dumps(side(WORKLOADS[options.workload], options)))
        return
    cores = f"{os.cpu_count()} cores, {options.threads} threads"
    print(f"{platform.machine()}, {cores}, float32, median of {options.steps} steps")
    for name in options.workload:
        found = {side: program(side, name, options) for side in ("trl", "crucible")}
        for side, one in found.items():
            parts = f"   sampling {one['rollout']:.2f}, update {one['update']:.2f}" if "update" in one else ""
            print(f"{name}  {side:<9}{one['seconds']:7.2f} s a step   peak {one['peak_gb']:5.2f} GB"
                  f"   mean length {one['length']:.1f}{parts}")  # fmt: skip
        ratio, memory = (found["trl"][key] / found["crucible"][key] for key in ("seconds", "peak_gb"))
        print(f"{name}  crucible is {ratio:.2f} x as fast, in {1 / memory:.2f} of the memory", flush=True)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--workload", default="abcde", help="letters, e.g. ad")
    parser.add_argument("--steps", type=int, default=5, help="timed steps")
    parser.add_argument("--micro-batch", type=int, default=64, help="rows of TRL's micro-batch")
    parser.add_argument("--micro-batch-tokens", type=int, default=4096, help="tokens of Crucible's")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--onednn-in-trl", action="store_true", help="give TRL's model the products of model.onednn")
    parser.add_argument("--processes", type=int, default=1, help="of Crucible's side, which share the threads")
    parser.add_argument("--side", choices=("crucible", "trl"), help=argparse.SUPPRESS)
    return parser.parse_args()


def program(side: str, workload: str, options: argparse.Namespace) -> dict[str, float]:
    command = [sys.executable, __file__, "--side", side, "--workload", workload, "--steps", str(options.steps),
               "--micro-batch", str(options.micro_batch), "--threads", str(options.threads),
               "--micro-batch-tokens", str(options.micro_batch_tokens),
               "--processes", str(options.processes), *["--onednn-in-trl"] * options.onednn_in_trl]  # fmt: skip
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def model(w: Workload) -> Any:
    from transformers import Qwen3Config, Qwen3ForCausalLM

    torch.manual_seed(0)
    config = Qwen3Config(
        vocab_size=w.vocabulary, hidden_size=w.hidden, num_hidden_layers=w.layers, num_attention_heads=w.hidden // 32,
        num_key_value_heads=w.hidden // 64, head_dim=32, intermediate_size=3 * w.hidden, tie_word_embeddings=True,
        max_position_embeddings=1024, bos_token_id=0, eos_token_id=1, pad_token_id=2,
    )  # fmt: skip
    return Qwen3ForCausalLM(config)


def tokenizer(w: Workload) -> Any:
    """One word, one token; token 1 ends a completion. A special token is found inside words too, so none is a word."""
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    special = ["<begin>", "<end>", "<pad>", "<unknown>"]
    named = special + [f"w{i}" for i in range(len(special), w.vocabulary)]
    words = Tokenizer(models.WordLevel({word: i for i, word in enumerate(named)}, unk_token=special[3]))
    words.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return PreTrainedTokenizerFast(
        tokenizer_object=words, bos_token=special[0], eos_token=special[1], pad_token=special[2]
    )


def prompts(w: Workload, n: int) -> list[str]:
    drawn = torch.randint(4, w.vocabulary, (n, w.prompt_tokens), generator=torch.Generator().manual_seed(1))
    return [" ".join(f"w{i}" for i in row) for row in drawn.tolist()]


def shape_ends(m: Any, w: Workload) -> None:
    """About one token in 15 is the end with `ends`, none without: by a fixed bias on its logit, the same for both."""
    bias = torch.zeros(w.vocabulary)
    bias[1] = torch.log(torch.tensor((w.vocabulary - 1) / 14.0)) if w.ends else -1e9
    m.get_output_embeddings().bias = torch.nn.Parameter(bias, requires_grad=False)


def ours(w: Workload, options: argparse.Namespace) -> dict[str, float]:
    from crucible.config.compose import compose
    from crucible.run import run

    here, total = Path(__file__).stem, SKIPPED + options.steps
    with tempfile.TemporaryDirectory() as folder:
        overrides = [
            "algo=grpo", f"steps={total}", f"batch.prompts_per_step={w.prompts}", f"runs_dir={folder}",
            f"batch.samples_per_prompt={w.samples}", f"batch.updates_per_rollout={w.updates}", "figures=false",
            f"sampling.max_tokens={w.completion_tokens}", f"evaluation.every={total}", f"checkpoint_every={total}",
            "evaluation.samples_per_prompt=1", f"trainer.threads={options.threads // options.processes}",
            f"trainer.devices={options.processes}", "trainer.accelerator=cpu",
            f"batch.micro_batch_tokens={options.micro_batch_tokens}", f"optim.lr={LEARNING_RATE}",
        ]  # fmt: skip
        config = {k: v for k, v in compose(overrides, ROOT).config.items() if k != "_target_"}
        for axis, part in {"data": "Words", "model": "policy", "reward": "EvenWords", "logger": "Clock"}.items():
            config[axis] = {"_target_": f"{here}.{part}"}
        config["data"]["workload"] = config["model"]["workload"] = options.workload
        with contextlib.redirect_stdout(sys.stderr):
            run(**config)
    clock = sys.modules[here].Clock
    parts = {part: statistics.median(seconds[SKIPPED:]) for part, seconds in clock.parts.items()}
    return measured(clock.ends, clock.lengths) | parts


class Words:
    """Prompts of random words; there is no right answer."""

    name = "words"

    def __init__(self, *, workload: str):
        self.texts = prompts(WORKLOADS[workload], 257)

    def train_prompts(self, rng: random.Random) -> Iterator[Prompt]:
        while True:
            i = rng.randrange(256)
            yield Prompt(id=str(i), text=self.texts[i])

    def eval_prompts(self) -> list[Prompt]:
        return [Prompt(id="256", text=self.texts[256])]

    def correct(self, prompt: Prompt, completion: str) -> bool:
        return False


def policy(*, workload: str) -> Policy:
    w = WORKLOADS[workload]
    made = model(w)
    shape_ends(made, w)
    return Policy(made, tokenizer(w), chat=False)


def even_words(text: str) -> float:
    words = [word for word in text.split() if word.startswith("w")]
    return sum(int(word[1:]) % 2 == 0 for word in words) / max(len(words), 1)


class EvenWords:
    needs: tuple[str, ...] = ()

    def __call__(self, prompts: Sequence[Prompt], completions: Sequence[Completion], context: Context) -> Scores:
        return Scores(torch.tensor([even_words(c.text) for c in completions]))


class Clock:
    """A logger that notes when each step ended, and how long its two parts took."""

    ends: ClassVar[list[float]] = []
    parts: ClassVar[dict[str, list[float]]] = {"rollout": [], "update": []}
    lengths: ClassVar[list[float]] = []

    def log(self, row: Mapping[str, Any], step: int | None = None) -> None:
        if row["kind"] == "update" and "time/update_s" in row:
            self.ends.append(time.perf_counter())
            self.lengths.append(row["completion/length"])
            for part, seconds in self.parts.items():
                seconds.append(row[f"time/{part}_s"])

    def finish(self, state: str) -> None:
        pass


def theirs(w: Workload, options: argparse.Namespace) -> dict[str, float]:
    import datasets
    from transformers import TrainerCallback
    from trl import GRPOConfig, GRPOTrainer

    torch.set_num_threads(options.threads)
    rows = w.prompts * w.samples
    micro = min(options.micro_batch, rows // w.updates)
    ends: list[float] = []

    class Ends(TrainerCallback):
        def on_step_end(self, args: Any, state: Any, control: Any, **rest: Any) -> None:
            if state.global_step % w.updates == 0:
                ends.append(time.perf_counter())

    made = model(w)
    shape_ends(made, w)
    if options.onednn_in_trl:
        from crucible.policy.onednn import use_onednn

        use_onednn(made)
    made.generation_config.eos_token_id, made.generation_config.pad_token_id = 1, 2
    with tempfile.TemporaryDirectory() as folder:
        config = GRPOConfig(
            output_dir=folder, loss_type="dapo", beta=0.0, epsilon=0.2, num_generations=w.samples, temperature=1.0,
            per_device_train_batch_size=micro, gradient_accumulation_steps=rows // w.updates // micro,
            steps_per_generation=rows // micro, max_completion_length=w.completion_tokens,
            max_steps=(SKIPPED + options.steps) * w.updates, learning_rate=LEARNING_RATE, lr_scheduler_type="constant",
            use_cpu=True, bf16=False, gradient_checkpointing=False, save_strategy="no", report_to=[], logging_steps=1,
            disable_tqdm=True, mask_truncated_completions=False, top_k=0,
        )  # fmt: skip
        trainer = GRPOTrainer(
            model=made, args=config, processing_class=tokenizer(w), callbacks=[Ends()],
            train_dataset=datasets.Dataset.from_dict({"prompt": prompts(w, 256)}),
            reward_funcs=lambda completions, **rest: [even_words(text) for text in completions],
        )  # fmt: skip
        with contextlib.redirect_stdout(sys.stderr):
            trainer.train()
    lengths = [row["completions/mean_length"] for row in trainer.state.log_history if "completions/mean_length" in row]
    return measured(ends, lengths)


def measured(ends: list[float], lengths: list[float]) -> dict[str, float]:
    seconds = [b - a for a, b in zip(ends[SKIPPED - 1 :], ends[SKIPPED:], strict=False)]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    return {"seconds": statistics.median(seconds), "peak_gb": peak, "length": statistics.mean(lengths)}


if __name__ == "__main__":
    main()
