"""Where the time of a whole RL step goes on all threads, and what its matrix products and attention alone would take.

    python benchmarks/step_profile.py [--workload ace] [--threads 2]

One step of a workload of rl_step.py, sampling and updates, after two that are left out. `products`: matrix products, of
layers and of attention while decoding and of short rows; `attention`: torch's fused kernels and the softmax; `rest`:
all other operations, and the time in none. A step cannot be faster than the first two without fewer or faster products.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from typing import Any

import rl_step
from torch.profiler import ProfilerActivity, profile

from crucible.modules.online_rl import OnlineRL

GROUPS = {
    "products": ("aten::mm", "aten::addmm", "aten::bmm", "aten::baddbmm", "mkldnn::_linear_pointwise"),
    "attention": ("aten::_scaled_dot_product", "aten::_softmax"),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--workload", default="ace")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--micro-batch-tokens", type=int, default=4096)
    options = parser.parse_args()
    if len(options.workload) > 1:  # a process each
        for letter in options.workload:
            subprocess.run([sys.executable, __file__, "--workload", letter, "--threads", str(options.threads),
                            "--micro-batch-tokens", str(options.micro_batch_tokens)], check=True)  # fmt: skip
        return
    options.processes, options.steps = 1, 2
    watch = Watch()
    rl_step.ours(rl_step.WORKLOADS[options.workload], options)
    print(f"{options.workload}  {options.threads} threads  {watch.found}", flush=True)


class Watch:
    """Profiles the step before the last of a run."""

    def __init__(self) -> None:
        self.found = ""
        begin, end = OnlineRL.on_train_epoch_start, OnlineRL.end_step
        watch = self

        def on_train_epoch_start(self: Any) -> None:
            if self.steps_done == rl_step.SKIPPED:
                watch.started = time.perf_counter()
                watch.profile = profile(activities=[ProfilerActivity.CPU])
                watch.profile.__enter__()
            begin(self)

        def end_step(self: Any) -> None:
            if self.steps_done == rl_step.SKIPPED:
                watch.profile.__exit__(None, None, None)
                watch.found = watch.told(time.perf_counter() - watch.started)
            end(self)

        OnlineRL.on_train_epoch_start, OnlineRL.end_step = on_train_epoch_start, end_step  # type: ignore[method-assign]

    def told(self, seconds: float) -> str:
        spent = {name: 0.0 for name in GROUPS}
        for event in self.profile.key_averages():
            for name, operations in GROUPS.items():
                if event.key.startswith(operations):
                    spent[name] += event.self_cpu_time_total / 1e6
        parts = {**spent, "rest": seconds - sum(spent.values())}
        told = "  ".join(f"{name} {own:.2f} s ({own / seconds:.0%})" for name, own in parts.items())
        return f"{told}   of {seconds:.2f} s under the profiler"


if __name__ == "__main__":
    main()
