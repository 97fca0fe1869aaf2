"""Numbers out of range, or no numbers."""

from __future__ import annotations

from tests.bad_input.case import Case

CASES = [
    Case(name="no steps", command="train.py steps=0", sees="steps=0 in conf/train: must be at least 1"),
    Case(name="negative steps", command="train.py steps=-3", sees="steps=-3 in conf/train: must be at least 1"),
    Case(
        name="NaN for a whole number",
        command="train.py steps=nan",
        sees="steps=nan in conf/train: is not a number (NaN); give a number",
    ),
    Case(
        name="infinity for a whole number",
        command="train.py steps=inf",
        sees="steps=inf in conf/train: must be a whole number, not inf",
    ),
    Case(
        name="checkpoints every 0 steps",
        command="train.py checkpoint_every=0",
        sees="checkpoint_every=0 in conf/train: must be at least 1",
    ),
    Case(
        name="checkpoints every -1 steps",
        command="train.py checkpoint_every=-1",
        sees="checkpoint_every=-1 in conf/train: must be at least 1",
    ),
    Case(
        name="no checkpoints kept",
        command="train.py keep_checkpoints=0",
        sees="keep_checkpoints=0 in conf/train: must be at least 1",
    ),
    Case(
        name="samples every 0 steps",
        command="train.py samples_every=0",
        sees="samples_every=0 in conf/train: must be at least 1",
    ),
    Case(
        name="no prompts",
        command="train.py batch.prompts_per_step=0",
        sees="batch.prompts_per_step=0 in conf/train: must be at least 1",
    ),
    Case(
        name="no updates",
        command="train.py batch.updates_per_rollout=0",
        sees="batch.updates_per_rollout=0 in conf/train: must be at least 1",
    ),
    Case(
        name="a negative group",
        command="train.py batch.samples_per_prompt=-8",
        sees="batch.samples_per_prompt=-8 in conf/train: must be at least 1",
    ),
    Case(
        name="micro-batches that hold no row",
        command="train.py batch.micro_batch_tokens=10",
        sees=(
            "batch.micro_batch_tokens=10 cannot hold one row: a prompt and sampling.max_tokens=32 completion "
            "tokens; give more than 32"
        ),
    ),
    Case(
        name="a learning rate that is not a number",
        command="train.py optim.lr=nan",
        sees="optim.lr=nan in conf/train: is not a number (NaN); give a number",
    ),
    Case(name="a learning rate of 0", command="train.py optim.lr=0", sees="optim.lr=0 in conf/train: must be above 0"),
    Case(
        name="a negative learning rate",
        command="train.py optim.lr=-1",
        sees="optim.lr=-1 in conf/train: must be above 0",
    ),
    Case(
        name="a momentum of 1",
        command="train.py optim.beta1=1",
        sees="optim.beta1=1 in conf/train: must be at least 0 and below 1",
    ),
    Case(
        name="an infinite temperature",
        command="train.py sampling.temperature=inf",
        sees="sampling.temperature=inf in conf/train: must be a finite number above 0",
    ),
    Case(
        name="a negative warm-up of the learning rate",
        command="train.py optim.warmup_updates=-1",
        sees="optim.warmup_updates=-1 in conf/train: must be at least 0",
    ),
    Case(
        name="negative weight decay",
        command="train.py optim.weight_decay=-1",
        sees="optim.weight_decay=-1 in conf/train: must be at least 0",
    ),
    Case(
        name="gradients clipped to nothing",
        command="train.py optim.max_grad_norm=0",
        sees="optim.max_grad_norm=0 in conf/train: must be above 0",
    ),
    Case(
        name="sampling at temperature 0",
        command="train.py sampling.temperature=0",
        sees="sampling.temperature=0 in conf/train: must be above 0",
    ),
    Case(
        name="a negative temperature",
        command="train.py sampling.temperature=-1",
        sees="sampling.temperature=-1 in conf/train: must be above 0",
    ),
    Case(
        name="a temperature that is not a number",
        command="train.py sampling.temperature=nan",
        sees="sampling.temperature=nan in conf/train: is not a number (NaN); give a number",
    ),
    Case(
        name="completions of no tokens",
        command="train.py sampling.max_tokens=0",
        sees="sampling.max_tokens=0 in conf/train: must be at least 1",
    ),
    Case(
        name="evaluation every 0 steps",
        command="train.py evaluation.every=0",
        sees="evaluation.every=0 in conf/train: must be at least 1",
    ),
    Case(
        name="evaluation without samples",
        command="train.py evaluation.samples_per_prompt=0",
        sees="evaluation.samples_per_prompt=0 in conf/train: must be at least 1",
    ),
    Case(
        name="evaluation at a negative temperature",
        command="train.py evaluation.temperature=-1",
        sees="evaluation.temperature=-1 in conf/train: must be at least 0",
    ),
    Case(
        name="pass@9 of 8 samples",
        command="train.py 'evaluation.pass_at=[9]'",
        sees="evaluation.pass_at=[9]: there is no pass@9; each k must be from 1 to evaluation.samples_per_prompt=8",
    ),
    Case(
        name="pass@0",
        command="train.py 'evaluation.pass_at=[0]'",
        sees="evaluation.pass_at=[0]: there is no pass@0; each k must be from 1 to evaluation.samples_per_prompt=8",
    ),
    Case(
        name="sums of nothing",
        command="train.py data.terms=0",
        sees="data.terms=0 in conf/data/chain: must be from 2 to 64",
    ),
    Case(
        name="sums that are too long",
        command="train.py data.terms=65",
        sees="data.terms=65 in conf/data/chain: must be from 2 to 64",
    ),
    Case(
        name="sums of 2.5 numbers",
        command="train.py data.terms=2.5",
        sees="data.terms=2.5 in conf/data/chain: must be a whole number, not 2.5",
    ),
    Case(
        name="an operation that does not exist",
        command="train.py data.operations=x",
        sees="data=chain: operations is 'x'; it must be some of \"+-\", each at most once",
    ),
    Case(
        name="no operations",
        command="train.py data.operations=''",
        sees="data=chain: operations is ''; it must be some of \"+-\", each at most once",
    ),
    Case(
        name="nothing held out",
        command="train.py data.eval_share=0",
        sees="data.eval_share=0 in conf/data/chain: must be above 0 and below 1",
    ),
    Case(
        name="everything held out",
        command="train.py data.eval_share=1",
        sees="data.eval_share=1 in conf/data/chain: must be above 0 and below 1",
    ),
    Case(
        name="a negative share held out",
        command="train.py data.eval_share=-0.5",
        sees="data.eval_share=-0.5 in conf/data/chain: must be above 0 and below 1",
    ),
    Case(
        name="no evaluation prompts",
        command="train.py data.eval_prompts=0",
        sees="data.eval_prompts=0 in conf/data/chain: must be from 1 to 100000",
    ),
    Case(
        name="too many evaluation prompts",
        command="train.py data.eval_prompts=1000000000",
        sees="data.eval_prompts=1000000000 in conf/data/chain: must be from 1 to 100000",
    ),
    Case(
        name="negative numbers in a sum",
        command="train.py data.operand_max=-1",
        sees="data.operand_max=-1 in conf/data/chain: must be from 1 to 1000000",
    ),
    Case(
        name="a share above 1",
        command="train.py data.wrong_share=2",
        sees="data.wrong_share=2 in conf/data/chain: must be from 0 to 1",
    ),
    Case(
        name="countdown with one number",
        command="train.py data=countdown data.numbers=1",
        sees="data.numbers=1 in conf/data/countdown: must be from 2 to 8",
    ),
    Case(
        name="countdown with an empty range",
        command="train.py data=countdown data.number_min=30",
        sees="data=countdown: number_max is 20; it must be a whole number from 30 to 1000000",
    ),
    Case(
        name="expressions that are too long",
        command="train.py data=expression data.steps=21",
        sees="data.steps=21 in conf/data/expression: must be from 0 to 20",
    ),
    Case(
        name="a model without layers",
        command="train.py model.layers=0",
        sees="model.layers=0 in conf/model/tiny: must be at least 1",
    ),
    Case(
        name="heads that do not divide the width",
        command="train.py model.heads=3",
        sees="model: hidden_size 128 must be a multiple of heads 3, and heads of kv_heads 2",
    ),
    Case(
        name="no key-value heads",
        command="train.py model.kv_heads=0",
        sees="model.kv_heads=0 in conf/model/tiny: must be at least 1",
    ),
    Case(
        name="a negative width",
        command="train.py model.hidden_size=-32",
        sees="model.hidden_size=-32 in conf/model/tiny: must be at least 1",
    ),
    Case(
        name="no context",
        command="train.py model.context_length=0",
        sees="model.context_length=0 in conf/model/tiny: must be at least 1",
    ),
    Case(
        name="infinite initial weights",
        command="train.py model.initializer_range=inf",
        sees="model.initializer_range=inf in conf/model/tiny: must be a finite number above 0",
    ),
    Case(
        name="a warm-up of no steps",
        command="train.py model.warmup.max_steps=0",
        sees="model.warmup.max_steps=0 in conf/model/tiny: must be at least 1",
    ),
    Case(
        name="a warm-up to 200 %",
        command="train.py model.warmup.target_accuracy=2",
        sees="model.warmup.target_accuracy=2 in conf/model/tiny: must be above 0 and at most 1",
    ),
    Case(
        name="an infinite learning rate of the warm-up",
        command="train.py model.warmup.learning_rate=inf",
        sees="model.warmup.learning_rate=inf in conf/model/tiny: must be a finite number above 0",
    ),
    Case(
        name="no devices",
        command="train.py trainer.devices=0",
        sees="trainer.devices=0 in conf/trainer/default: must be from 1 to 1024",
    ),
    Case(
        name="a rollout of no rows",
        command="train.py rollout.max_rows=0",
        sees="rollout.max_rows=0 in conf/rollout/embedded: must be at least 1",
        small=True,
    ),
    Case(
        name="samples from the future",
        command="train.py rollout.lag=-1",
        sees="rollout.lag=-1 in conf/rollout/embedded: must be at least 0",
        small=True,
    ),
    Case(
        name="no reward workers",
        command="train.py reward_runtime.workers=0",
        sees="reward_runtime.workers=0 in conf/train: must be from 1 to 1024",
    ),
    Case(
        name="no time for a reward",
        command="train.py reward_runtime.timeout=0",
        sees="reward_runtime.timeout=0 in conf/train: must be above 0",
    ),
    Case(
        name="a share of failures above 1",
        command="train.py reward_runtime.max_failed=2",
        sees="reward_runtime.max_failed=2 in conf/train: must be from 0 to 1",
    ),
    Case(
        name="a context too short for a prompt",
        command="train.py model.context_length=14",
        sees=(
            "prompt 17f58d5a3b336145 has 5 tokens; with 12 completion tokens that exceeds the model's context of "
            "14: at most 2 fit"
        ),
        small=True,
    ),
    Case(
        name="sums too long for the context",
        command="train.py data.terms=40",
        sees=(
            "prompt 82eb3afecff5fd60 has 81 tokens; with 12 completion tokens that exceeds the model's context of "
            "64: at most 52 fit"
        ),
        small=True,
    ),
    Case(
        name="a learning rate at which the weights overflow",
        command="train.py optim.lr=1e300",
        sees=(
            "after step 2 the weight model.model.embed_tokens.weight is no longer a number, so this step is not "
            "saved; the checkpoints before it are kept: try a smaller optim.lr"
        ),
        small=True,
        started=True,
    ),
    Case(
        name="out of range in a dry run",
        command="train.py optim.lr=-1 dry_run=true",
        sees="optim.lr=-1 in conf/train: must be above 0",
    ),
    Case(
        name="a clip below 0",
        command="train.py algo.loss.eps_low=-1",
        sees="algo.loss.eps_low=-1 in conf/algo/loss/ce_gppo: must be from 0 to 1",
    ),
    Case(
        name="a lambda above 1",
        command="train.py algo/critic=value_head algo/advantage=gae algo.advantage.lam=2",
        sees="algo.advantage.lam=2 in conf/algo/advantage/gae: must be from 0 to 1",
    ),
    Case(
        name="a share of tokens above 1",
        command="train.py entropy=top_entropy entropy.share=2",
        sees="entropy.share=2 in conf/entropy/top_entropy: must be above 0 and at most 1",
    ),
    Case(
        name="more prompts than anyone has",
        command="train.py batch.prompts_per_step=10000000000000000000019",
        sees=(
            "batch.prompts_per_step=10000000000000000000019 does not divide into batch.updates_per_rollout=4 "
            "equal updates; nearest: prompts_per_step=10000000000000000000020 or updates_per_rollout=1"
        ),
    ),
    Case(
        name="no window for alarms",
        command="train.py alarms.window=1",
        sees="alarms.window=1 in conf/train: must be at least 4",
    ),
    Case(
        name="a coefficient outside its own bounds",
        command="train.py entropy=adaptive entropy.start=1",
        sees="entropy adaptive: start is 1; give a value within [0.0, 0.005]",
        small=True,
    ),
    Case(
        name="error rates that leave nothing",
        command="train.py algo/advantage=noisy_backward algo.advantage.false_positive=0.6 "
        "algo.advantage.false_negative=0.6",
        sees="noisy_backward: error rates 0.6 and 0.6; each is at least 0, their sum under 1",
        small=True,
    ),
    Case(
        name="a band upside down",
        command="train.py algo/correction=mis algo.old_logps=recompute algo.correction.low=3",
        sees="correction mis: the band is 3 .. 2.0; give 0 <= low <= high",
        small=True,
    ),
    Case(
        name="a ramp that ends before it starts",
        command="train.py algo/loss=ce_gppo_scheduled algo.loss.start=0.8 algo.loss.end=0.2",
        sees="ce_gppo_scheduled: start is 0.8 and end is 0.2; give 0 <= start <= end <= 1",
        small=True,
    ),
    Case(
        name="heads of an odd width",
        command="train.py model.hidden_size=6 model.heads=2",
        sees="model: hidden_size 6 / heads 2 is 3 for each head, and rotary positions need an even number",
        small=True,
        but=("model.hidden_size", "model.heads"),
    ),
    Case(
        name="completions as long as the context",
        command="train.py sampling.max_tokens=64",
        sees=(
            "prompt 17f58d5a3b336145 has 5 tokens; with 64 completion tokens that exceeds the model's context of "
            "64: give fewer completion tokens"
        ),
        small=True,
        but=("sampling",),
    ),
]
