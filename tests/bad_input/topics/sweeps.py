"""Sweep files, and what sweep.py is asked to do."""

from __future__ import annotations

from tests.bad_input.case import Case

CASES = [
    Case(
        name="no such sweep",
        command="sweep.py sweep=ce_gppo/beta",
        sees='sweep=ce_gppo/beta: no file {root}/sweeps/ce_gppo/beta.yaml (did you mean "ce_gppo/betas"?)',
    ),
    Case(
        name="no sweep named", command="sweep.py dry_run=true", sees="sweep has no value (???): give one, sweep=VALUE"
    ),
    Case(
        name="no such option",
        command="sweep.py sweep=ce_gppo/betas acton=status",
        sees='unknown option acton (did you mean "action"?); options: ...',
    ),
    Case(
        name="no such action",
        command="sweep.py sweep=ce_gppo/betas action=stop",
        sees='action="stop" in conf/sweep: must be one of "submit", "status", "retry", "cancel"',
    ),
    Case(
        name="no such cluster",
        command="sweep.py sweep=ce_gppo/betas cluster=cloud",
        sees='cluster has no option "cloud"; there are: debug, local, slurm',
    ),
    Case(
        name="no such option of a cluster",
        command="sweep.py sweep=ce_gppo/betas cluster=slurm cluster.partitoin=gpu",
        sees="unknown option cluster.partitoin in conf/cluster/slurm (options: resources)",
    ),
    Case(
        name="a resource that does not exist",
        command="sweep.py sweep=ce_gppo/betas dry_run=true resources.hour=3",
        sees=(
            "resources: unknown key 'hour' (did you mean \"hours\"?); known: gpus, cpus, memory_gb, hours, "
            "nodes, tasks, partition, account, qos, constraint, setup, parallel, notice_seconds, max_requeues, "
            "options"
        ),
    ),
    Case(
        name="negative hours",
        command="sweep.py sweep=ce_gppo/betas dry_run=true resources.hours=-3",
        sees="resources: hours must be a number above 0, got -3",
    ),
    Case(
        name="no YAML",
        command="sweep.py sweep=mine sweeps_dir={here} dry_run=true",
        sees=(
            "{here}/mine.yaml: not valid YAML: while parsing a flow node expected the node content, but found "
            "'<stream end>' in \"<unicode string>\", line 1, column 8: base: [ ^"
        ),
        files={"mine.yaml": "base: ["},
    ),
    Case(
        name="a list",
        command="sweep.py sweep=mine sweeps_dir={here} dry_run=true",
        sees=(
            "{here}/mine.yaml: must be a mapping with the keys experiment, base, grid, seeds, exclude, "
            "resources, points"
        ),
        files={"mine.yaml": "- algo=grpo"},
    ),
    Case(
        name="an unknown key",
        command="sweep.py sweep=mine sweeps_dir={here} dry_run=true",
        sees=(
            "{here}/mine.yaml: unknown key 'grids' (did you mean \"grid\"?); known: experiment, base, grid, "
            "seeds, exclude, resources, points"
        ),
        files={"mine.yaml": "grids: [algo=grpo]\nseeds: 1"},
    ),
    Case(
        name="no seeds",
        command="sweep.py sweep=mine sweeps_dir={here} dry_run=true",
        sees="{here}/mine.yaml: seeds are missing; a table without repeats has no error bars: seeds: 1,2,3",
        files={"mine.yaml": "grid: [algo=grpo]"},
    ),
    Case(
        name="no grid",
        command="sweep.py sweep=mine sweeps_dir={here} dry_run=true",
        sees="{here}/mine.yaml: grid is empty; name overrides, e.g. grid: [algo=grpo,ce_gppo]",
        files={"mine.yaml": "seeds: 1"},
    ),
    Case(
        name="an empty grid",
        command="sweep.py sweep=mine sweeps_dir={here} dry_run=true",
        sees="{here}/mine.yaml: grid is empty; name overrides, e.g. grid: [algo=grpo,ce_gppo]",
        files={"mine.yaml": "grid: []\nseeds: 1"},
    ),
    Case(
        name="a grid of numbers",
        command="sweep.py sweep=mine sweeps_dir={here} dry_run=true",
        sees="{here}/mine.yaml: grid must be a list of strings, got [3]",
        files={"mine.yaml": "grid: [3]\nseeds: 1"},
    ),
    Case(
        name="a grid that is text",
        command="sweep.py sweep=mine sweeps_dir={here} dry_run=true",
        sees="{here}/mine.yaml: grid must be a list of strings, got 'algo=grpo'",
        files={"mine.yaml": "grid: algo=grpo\nseeds: 1"},
    ),
    Case(
        name="seeds in the grid",
        command="sweep.py sweep=mine sweeps_dir={here} dry_run=true",
        sees="mine: seed=1,2: name seeds under `seeds`, not in the base or the grid",
        files={"mine.yaml": "grid: ['seed=1,2']\nseeds: 1"},
    ),
    Case(
        name="seeds that are words",
        command="sweep.py sweep=mine sweeps_dir={here} dry_run=true",
        sees='mine at grpo one: seed="one" in conf/train: must be a whole number, not "one"',
        files={"mine.yaml": "grid: [algo=grpo]\nseeds: one"},
    ),
    Case(
        name="several values in the base",
        command="sweep.py sweep=mine sweeps_dir={here} dry_run=true",
        sees="mine: base: steps=1,2 has several values; move it to the grid",
        files={"mine.yaml": "base: ['steps=1,2']\ngrid: [algo=grpo]\nseeds: 1"},
    ),
    Case(
        name="an algorithm that does not exist",
        command="sweep.py sweep=mine sweeps_dir={here} dry_run=true",
        sees='algo has no option "grpoo" (did you mean "grpo"?); there are: ...',
        files={"mine.yaml": "grid: ['algo=grpo,grpoo']\nseeds: 1"},
    ),
    Case(
        name="an unknown option",
        command="sweep.py sweep=mine sweeps_dir={here} dry_run=true",
        sees='unknown option algo.loss.clp in conf/algo/loss/ppo_clip (did you mean "dual_clip"?)',
        files={"mine.yaml": "base: [algo.loss.clp=1]\ngrid: [algo=grpo]\nseeds: 1"},
    ),
    Case(
        name="an impossible point",
        command="sweep.py sweep=mine sweeps_dir={here} dry_run=true",
        sees=(
            "mine at grpo 1: algo.advantage=group_norm needs batch.samples_per_prompt >= 2, not 1: a group of "
            "one has nothing to be compared with"
        ),
        files={"mine.yaml": "base: [batch.samples_per_prompt=1]\ngrid: [algo=grpo]\nseeds: 1"},
    ),
    Case(
        name="the same point twice",
        command="sweep.py sweep=mine sweeps_dir={here} dry_run=true",
        sees="mine: two points are the same run seed1-...: [algo=grpo seed=1] and [algo=grpo seed=1]",
        files={"mine.yaml": "grid: ['algo=grpo,grpo']\nseeds: 1"},
    ),
    Case(
        name="everything excluded",
        command="sweep.py sweep=mine sweeps_dir={here} dry_run=true",
        sees="mine: no points are left (empty choices, or everything is excluded)",
        files={"mine.yaml": "grid: [algo=grpo]\nseeds: 1\nexclude: [\"algo == 'grpo'\"]"},
    ),
    Case(
        name="a condition that is none",
        command="sweep.py sweep=mine sweeps_dir={here} dry_run=true",
        sees="condition 'algo ==': invalid syntax",
        files={"mine.yaml": "grid: [algo=grpo]\nseeds: 1\nexclude: ['algo ==']"},
    ),
    Case(
        name="a condition on nothing",
        command="sweep.py sweep=mine sweeps_dir={here} dry_run=true",
        sees="condition: algo has no 'los' (did you mean \"loss\"?)",
        files={"mine.yaml": "grid: [algo=grpo]\nseeds: 1\nexclude: ['algo.los.beta1 > 1']"},
    ),
    Case(
        name="a condition that would run code",
        command="sweep.py sweep=mine sweeps_dir={here} dry_run=true",
        sees="a condition cannot use \"__import__('os').getcwd()\": only comparisons, and/or/not, + - * /",
        files={"mine.yaml": "grid: [algo=grpo]\nseeds: 1\nexclude: [\"__import__('os').getcwd()\"]"},
    ),
    Case(
        name="a condition on text and number",
        command="sweep.py sweep=mine sweeps_dir={here} dry_run=true",
        sees="condition 'algo > 3': '>' not supported between instances of 'str' and 'int'",
        files={"mine.yaml": "grid: [algo=grpo]\nseeds: 1\nexclude: ['algo > 3']"},
    ),
    Case(
        name="a rule of points without resources",
        command="sweep.py sweep=mine sweeps_dir={here} dry_run=true",
        sees=(
            "{here}/mine.yaml: each entry of points is {when: CONDITION, resources: {...}}, got {'when': 'seed == 1'}"
        ),
        files={"mine.yaml": "grid: [algo=grpo]\nseeds: 1\npoints: [{when: 'seed == 1'}]"},
    ),
    Case(
        name="resources that are a list",
        command="sweep.py sweep=mine sweeps_dir={here} dry_run=true",
        sees="{here}/mine.yaml: resources must be a mapping, got ['gpus']",
        files={"mine.yaml": "grid: [algo=grpo]\nseeds: 1\nresources: [gpus]"},
    ),
    Case(
        name="a range that never ends",
        command="sweep.py sweep=mine sweeps_dir={here} dry_run=true",
        sees=(
            "cannot read the override seed=range(1,): its brackets or quotes do not match, or its value needs quotes"
        ),
        files={"mine.yaml": "grid: [algo=grpo]\nseeds: range(1,)"},
    ),
    Case(
        name="a glob of seeds",
        command="sweep.py sweep=mine sweeps_dir={here} dry_run=true",
        sees="mine: no points are left (empty choices, or everything is excluded)",
        files={"mine.yaml": "grid: ['algo=glob(zzz*)']\nseeds: 1"},
    ),
    Case(
        name="a negative number of rows",
        command="sweep.py sweep=ce_gppo/betas rows=-1 dry_run=true",
        sees="rows=-1 in conf/sweep: must be at least 0",
    ),
    Case(
        name="a negative pause",
        command="sweep.py sweep=ce_gppo/betas watch=-1 action=status",
        sees="watch=-1 in conf/sweep: must be at least 0",
    ),
    Case(
        name="runs_dir is a file",
        command="sweep.py sweep=ce_gppo/betas runs_dir=mine action=status",
        sees="runs_dir=mine: it is a file, not a folder",
        files={"mine": ""},
    ),
    Case(
        name="a GPU before the first",
        command="sweep.py sweep=ce_gppo/betas 'cluster.gpus=[-1]' dry_run=true",
        sees="cluster.gpus[0]=-1 in conf/cluster/local: must be at least 0",
    ),
    Case(
        name="hours without end",
        command="sweep.py sweep=ce_gppo/betas cluster=slurm resources.hours=inf dry_run=true",
        sees="resources: hours must be a number above 0, got inf",
    ),
    Case(
        name="a partition with a space",
        command="sweep.py sweep=ce_gppo/betas cluster=slurm 'resources.partition=\"gpu long\"' dry_run=true",
        sees="resources: partition must be a name without spaces, got 'gpu long'",
    ),
    Case(
        name="an experiment that leads out",
        command="sweep.py sweep=mine sweeps_dir={here} dry_run=true",
        sees="{here}/mine.yaml: experiment=../x: must be a folder inside runs_dir, without ..",
        files={"mine.yaml": "experiment: ../x\ngrid: [algo=grpo]\nseeds: 1"},
    ),
    Case(
        name="another encoding",
        command="sweep.py sweep=mine sweeps_dir={here} dry_run=true",
        sees="{here}/mine.yaml: not UTF-8 (byte 0xe9 at offset 23)",
        files={"mine.yaml": "grid: [algo=grpo] # caf\u00e9\nseeds: 1".encode("latin-1")},
    ),
    Case(
        name="a point out of range",
        command="sweep.py sweep=mine sweeps_dir={here} dry_run=true",
        sees="mine at -1 1: optim.lr=-1 in conf/train: must be above 0",
        files={"mine.yaml": "grid: ['optim.lr=1e-4,-1']\nseeds: 1"},
    ),
    Case(
        name="a point with devices it cannot use",
        command="sweep.py sweep=mine sweeps_dir={here} dry_run=true",
        sees=(
            "mine at rm_principle 1: algo=rm_principle trains on one process, and trainer.devices=2 x "
            "trainer.nodes=1 ask for more; set both to 1"
        ),
        files={"mine.yaml": "base: [trainer.devices=2]\ngrid: [algo=rm_principle]\nseeds: 1"},
    ),
    Case(
        name="more points than anyone runs",
        command="sweep.py sweep=mine sweeps_dir={here} dry_run=true",
        sees="seed=range(1,10000000): more than 100,000 points; make several sweeps of it",
        files={"mine.yaml": "grid: [algo=grpo]\nseeds: range(1,10000000)"},
    ),
]
