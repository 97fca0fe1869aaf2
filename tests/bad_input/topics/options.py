"""Choices that do not exist, do not fit their place, or do not fit together."""

from __future__ import annotations

from tests.bad_input.case import Case

CASES = [
    Case(
        name="an algorithm that does not exist",
        command="train.py algo=grpoo",
        sees='algo has no option "grpoo" (did you mean "grpo"?); there are: ...',
    ),
    Case(
        name="a loss that does not exist",
        command="train.py algo/loss=ppoclip",
        sees='algo/loss has no option "ppoclip" (did you mean "ppo_clip"?); there are: ...',
    ),
    Case(
        name="a data set that does not exist",
        command="train.py data=csv",
        sees='data has no option "csv"; there are: ...',
    ),
    Case(
        name="a loss chosen with a dot",
        command="train.py algo.loss=ppo_clip",
        sees="algo.loss=ppo_clip: algo.loss is chosen with a slash: write algo/loss=ppo_clip",
    ),
    Case(
        name="an option of a loss that it lacks",
        command="train.py algo.loss.clp=1",
        sees='unknown option algo.loss.clp in conf/algo/loss/ce_gppo (did you mean "dual_clip"?)',
    ),
    Case(
        name="the same behind a +",
        command="train.py +algo.loss.clp=1",
        sees='unknown option algo.loss.clp in conf/algo/loss/ce_gppo (did you mean "dual_clip"?)',
    ),
    Case(
        name="the same behind ++",
        command="train.py ++algo.loss.clp=1",
        sees='unknown option algo.loss.clp in conf/algo/loss/ce_gppo (did you mean "dual_clip"?)',
    ),
    Case(
        name="an option of a choice that has none",
        command="train.py entropy=none +entropy.coefficient=1",
        sees="unknown option entropy.coefficient in conf/entropy/none (it has no options)",
    ),
    Case(
        name="an unknown key of data",
        command="train.py data.trems=3",
        sees='unknown option data.trems in conf/data/chain (did you mean "terms"?)',
    ),
    Case(
        name="two things wrong",
        command="train.py seed=one +batch.prompts=3",
        sees=(
            'seed="one" in conf/train: must be a whole number, not "one"\n'
            'unknown option batch.prompts in conf/train (did you mean "prompts_per_step"?)'
        ),
    ),
    Case(
        name="text for a whole number",
        command="train.py seed=one",
        sees='seed="one" in conf/train: must be a whole number, not "one"',
    ),
    Case(
        name="a fraction for a whole number",
        command="train.py seed=1.5",
        sees="seed=1.5 in conf/train: must be a whole number, not 1.5",
    ),
    Case(
        name="1e9 for a whole number",
        command="train.py steps=1e9",
        sees="steps=1000000000.0 in conf/train: must be a whole number: write 1000000000",
    ),
    Case(
        name="null for a whole number",
        command="train.py seed=null",
        sees="seed=null in conf/train: must be a whole number, not null",
    ),
    Case(
        name="nothing for a whole number",
        command="train.py seed=",
        sees='seed="" in conf/train: must be a whole number, not ""',
    ),
    Case(
        name="text for a number",
        command="train.py optim.lr=fast",
        sees='optim.lr="fast" in conf/train: must be a number, not "fast"',
    ),
    Case(name="a number for text", command="train.py runs_dir=3", sees="runs_dir=3 in conf/train: must be text, not 3"),
    Case(
        name="null for text",
        command="train.py runs_dir=null",
        sees="runs_dir=null in conf/train: must be text, not null",
    ),
    Case(
        name="text for true or false",
        command="train.py figures=perhaps",
        sees='figures="perhaps" in conf/train: must be true or false, not "perhaps"',
    ),
    Case(
        name="a number for true or false",
        command="train.py dry_run=2",
        sees="dry_run=2 in conf/train: must be true or false, not 2",
    ),
    Case(
        name="a word that is none of the choices",
        command="train.py resume=maybe",
        sees='resume="maybe" in conf/train: must be one of "auto", "never", "force"',
    ),
    Case(
        name="a single value for a list",
        command="train.py evaluation.pass_at=8",
        sees="evaluation.pass_at=8 in conf/train: must be a list, not 8",
    ),
    Case(
        name="text in a list of numbers",
        command="train.py 'evaluation.pass_at=[a]'",
        sees='evaluation.pass_at[0]="a" in conf/train: must be a whole number, not "a"',
    ),
    Case(
        name="a list for a single value",
        command="train.py 'seed=[1,2]'",
        sees="seed in conf/train is a list; give a single value",
    ),
    Case(
        name="a value for a group of options",
        command="train.py batch=64",
        sees="batch=64 in conf/train: must be a mapping, not 64",
    ),
    Case(
        name="a name for a group of options",
        command="train.py optim=sgd",
        sees='optim="sgd" in conf/train: must be a mapping, not "sgd"',
    ),
    Case(
        name="a mapping for a number",
        command="train.py '++optim.lr={a: 1}'",
        sees="optim.lr in conf/train has no _target_ and is not a mapping option",
    ),
    Case(
        name="data without its file",
        command="train.py data=jsonl",
        sees="data.path has no value (???): give one, data.path=VALUE",
    ),
    Case(
        name="a model without its name",
        command="train.py model=hf",
        sees="model.name_or_path has no value (???): give one, model.name_or_path=VALUE",
    ),
    Case(
        name="a target that is no path",
        command="train.py algo.loss._target_=3",
        sees="algo.loss._target_=3: must be the dotted path of a function or class",
    ),
    Case(
        name="a target that does not exist",
        command="train.py algo.loss._target_=nothing.at.all",
        sees=(
            "algo.loss in conf/algo/loss/ce_gppo: _target_ nothing.at.all: no module of that name has readable source"
        ),
    ),
    Case(
        name="a target of another package",
        command="train.py algo.loss._target_=os.system",
        sees="algo.loss in conf/algo/loss/ce_gppo: _target_ os.system: no module of that name has readable source",
    ),
    Case(
        name="a target that its module lacks",
        command="train.py algo.loss._target_=crucible.algorithms.losses.ppo_clip.ppo_clop",
        sees=(
            "algo.loss in conf/algo/loss/ce_gppo: _target_ crucible.algorithms.losses.ppo_clip.ppo_clop: "
            'crucible.algorithms.losses.ppo_clip defines no ppo_clop (did you mean "ppo_clip"?)'
        ),
    ),
    Case(
        name="_partial_ that is no switch",
        command="train.py algo.loss._partial_=3",
        sees="algo.loss._partial_=3: must be true or false",
    ),
    Case(
        name="what the program supplies",
        command="train.py +algo.seed=3",
        sees="algo.seed in conf/algo/ce_gppo: the program supplies seed; set seed and not algo.seed",
    ),
    Case(
        name="a loss that needs another aggregation",
        command="train.py algo/loss=gspo",
        sees=(
            "algo.loss=gspo needs algo/aggregation=seq_mean_token_mean or seq_mean_token_sum, not token_mean: "
            "each token carries the ratio of its whole row; the sum over tokens is LUSPO"
        ),
    ),
    Case(
        name="an advantage that needs a critic",
        command="train.py algo/advantage=gae",
        sees='algo.advantage=gae asks for "values", which only a critic can give: choose algo/critic=value_head',
    ),
    Case(
        name="a group of one",
        command="train.py batch.samples_per_prompt=1",
        sees=(
            "algo.advantage=group_norm needs batch.samples_per_prompt >= 2, not 1: a group of one has nothing to "
            "be compared with\n"
            "algo.filter=drop_without_signal needs batch.samples_per_prompt >= 2, not 1: a group of one has "
            "nothing to be compared with"
        ),
    ),
    Case(
        name="updates that do not divide the prompts",
        command="train.py batch.prompts_per_step=10",
        sees=(
            "batch.prompts_per_step=10 does not divide into batch.updates_per_rollout=4 equal updates; nearest: "
            "prompts_per_step=12 or updates_per_rollout=5"
        ),
    ),
    Case(
        name="a run id that is a path",
        command="train.py run_id=a/b",
        sees="run_id=a/b: must be the name of one folder, without / and ..",
    ),
    Case(
        name="a run id that leads out",
        command="train.py run_id=..",
        sees="run_id=..: must be the name of one folder, without / and ..",
    ),
    Case(
        name="an experiment that leads out",
        command="train.py experiment=../x",
        sees="experiment=../x: must be a folder inside runs_dir, without ..",
    ),
    Case(
        name="an experiment anywhere",
        command="train.py experiment=/tmp",
        sees="experiment=/tmp: must be a folder inside runs_dir, without ..",
    ),
    Case(name="an empty runs_dir", command="train.py runs_dir=''", sees="runs_dir is empty: name a folder"),
    Case(name="an empty cache_dir", command="train.py cache_dir=''", sees="cache_dir is empty: name a folder"),
    Case(
        name="a key of a service in the config",
        command="train.py logger=wandb +logger.api_key=0123456789abcdef",
        sees="unknown option logger.api_key in conf/logger/wandb (options: project, entity, mode, tags, timeout_s)",
    ),
    Case(
        name="a token in a text",
        command="train.py experiment=hf_abcdefghijklmnopqrstuvwxyz",
        sees=(
            "experiment looks like a credential, and config.yaml would store it; put it into the environment instead"
        ),
    ),
    Case(
        name="more processes than were started",
        command="train.py trainer.nodes=2",
        sees="trainer.nodes=2: start one process a device with srun or torchrun, or use sweep.py",
    ),
    Case(
        name="a number for an axis",
        command="train.py algo=1",
        sees="cannot make a config of algo=1: an axis takes the name of an option (ValueError in Hydra)",
    ),
    Case(
        name="a number for an axis, many runs",
        command="train.py -m algo=1,2",
        sees="cannot make a config of algo=1,2: an axis takes the name of an option (ValueError in Hydra)",
    ),
    Case(
        name="a list of numbers for an axis",
        command="train.py 'algo=[1,2]'",
        sees="cannot make a config of algo=[1,2]: an axis takes the name of an option (TypeError in Hydra)",
    ),
    Case(name="an empty experiment", command="train.py experiment=''", sees="experiment is empty: name a folder"),
    Case(
        name="a run id that cannot be seen",
        command="train.py 'run_id=\"\u200b\"'",
        sees="run_id='<U+200B>': has spaces around it, or characters that cannot be seen",
    ),
    Case(
        name="two devices for what knows one",
        command="train.py algo=rm_principle trainer.devices=2 dry_run=true",
        sees=(
            "algo=rm_principle trains on one process, and trainer.devices=2 x trainer.nodes=1 ask for more; set "
            "both to 1"
        ),
    ),
    Case(
        name="a reward model of data without principles",
        command="train.py algo=rm_principle data=countdown",
        sees=(
            "data=countdown cannot be used to train a principle reward model: it has no principles(); use data=chain, "
            "recipe.triples, or reward.checkpoint"
        ),
    ),
    Case(
        name="TRL with a critic",
        command="train.py trainer=trl algo=ppo",
        sees="trainer=trl: TRL's GRPOTrainer has no critic; give trainer=default",
        small=True,
    ),
    Case(
        name="TRL with what is not online",
        command="train.py trainer=trl algo=sft",
        sees=(
            "trainer=trl needs algo=OnlineRL, not sft: TRL's GRPOTrainer learns from groups of completions that the "
            "policy samples; others need trainer=default"
        ),
        small=True,
    ),
    Case(
        name="TRL's own objective where it lacks ours",
        command="train.py trainer=trl trainer.objective=trl algo=ce_gppo algo/filter=keep_all",
        sees="trainer.objective=trl: TRL lacks algo/loss=ce_gppo (it has ...",
        small=True,
    ),
]
