"""The command line itself."""

from __future__ import annotations

from tests.bad_input.case import Case

CASES = [
    Case(name="no such option", command="train.py lgo=grpo", sees='unknown option lgo (did you mean "algo"?)'),
    Case(name="no = sign", command="train.py algo", sees="cannot read 'algo': options are written algo=VALUE"),
    Case(
        name="no name before the =",
        command="train.py =3",
        sees="cannot read the override '=3': options are written name=VALUE",
    ),
    Case(
        name="no name before the =, many runs",
        command="train.py -m =3",
        sees="cannot read the override '=3': options are written name=VALUE",
    ),
    Case(
        name="a space in a name",
        command="train.py 'a b=c'",
        sees="cannot read the override a b=c: 'a b' is no name of an option",
    ),
    Case(
        name="an open bracket",
        command="train.py 'algo=[grpo'",
        sees="cannot read the override algo=[grpo: its brackets or quotes do not match, or its value needs quotes",
    ),
    Case(
        name="an open quote",
        command='train.py "experiment=\'x"',
        sees="cannot read the override experiment='x: its brackets or quotes do not match, or its value needs quotes",
    ),
    Case(
        name="a bracket in a value",
        command="train.py data=jsonl 'data.path=a[b'",
        sees="cannot read the override data.path=a[b: its brackets or quotes do not match, or its value needs quotes",
    ),
    Case(
        name="no such flag",
        command="train.py --frobnicate",
        sees="command line: unrecognized arguments: --frobnicate; see --help",
    ),
    Case(
        name="a flag without its value",
        command="train.py --cfg",
        sees="command line: argument --cfg/-c: expected one argument; see --help",
    ),
    Case(
        name="a flag with a wrong value",
        command="train.py --cfg nothing",
        sees=(
            "command line: argument --cfg/-c: invalid choice: 'nothing' (choose from 'job', 'hydra', 'all'); see --help"
        ),
    ),
    Case(
        name="no such config file",
        command="train.py --config-name=nope",
        sees='there is no config "nope"; --config-dir must name a folder with nope.yaml',
    ),
    Case(
        name="no such config folder",
        command="train.py --config-dir=nowhere --config-name=config",
        sees="Additional config directory '{here}/nowhere' not found",
    ),
    Case(
        name="several values without -m",
        command="train.py algo=grpo,dapo",
        sees="algo=grpo,dapo gives several values: add -m to run each of them, or write [a,b] for a list",
    ),
    Case(
        name="a wrong value among several, with -m",
        command="train.py -m algo=grpo,nope",
        sees='algo has no option "nope" (did you mean "opo"?); there are: ...',
    ),
    Case(
        name="a + before an option that exists",
        command="train.py +seed=3",
        sees="+seed: this option exists already; write seed=VALUE without the +",
    ),
    Case(
        name="a + before an axis",
        command="train.py +algo=grpo",
        sees="+algo: this axis has a choice already; write algo=OPTION without the +",
    ),
    Case(
        name="deleting what is not there",
        command="train.py '~nothing'",
        sees='~nothing: unknown option nothing (did you mean "algo/shaping"?)',
    ),
    Case(
        name="deleting what is needed",
        command="train.py '~data'",
        sees="missing option data in conf/train: run needs it",
    ),
    Case(
        name="an interpolation of nothing",
        command="train.py 'seed=${nothing}'",
        sees="seed: interpolation key 'nothing' not found",
    ),
    Case(
        name="a variable that is not set",
        command="train.py 'experiment=${oc.env:NOT_SET}'",
        sees="experiment: environment variable 'NOT_SET' not found",
        env={"NOT_SET": None},
    ),
    Case(
        name="a recipe that does not exist",
        command="train.py +experiments=ce_gppo/nothing",
        sees='+experiments has no option "ce_gppo/nothing"; there are: ...',
    ),
    Case(
        name="a recipe without its plus",
        command="train.py experiments=ce_gppo/deepseek_7b",
        sees="experiments: a recipe is chosen with a plus, +experiments=NAME; there are: ...",
    ),
    Case(
        name="a config file that is no YAML",
        command="train.py --config-dir=. --config-name=mine",
        sees=(
            "YAML syntax: while parsing a flow sequence in \"{here}/mine.yaml\", line 1, column 7 expected ',' "
            "or ']', but got '<stream end>' in \"{here}/mine.yaml\", line 1, column 12"
        ),
        files={"mine.yaml": "algo: [grpo"},
    ),
    Case(
        name="a config file that is a list",
        command="train.py --config-dir=. --config-name=mine",
        sees="mine.yaml: must be a mapping of options",
        files={"mine.yaml": "- algo"},
    ),
    Case(
        name="a config file with an unknown key",
        command="train.py --config-dir=. --config-name=mine",
        sees='unknown option steeps in mine (did you mean "steps"?)',
        files={"mine.yaml": "defaults: [train, _self_]\nsteeps: 3\n"},
    ),
    Case(
        name="a config file of another program",
        command="train.py --config-dir=. --config-name=mine",
        sees="the config in mine: _target_ os.getcwd: no module of that name has readable source",
        files={"mine.yaml": "defaults: [train, _self_]\n_target_: os.getcwd\n"},
    ),
    Case(
        name="an empty config file",
        command="train.py --config-dir=. --config-name=mine",
        sees="missing options ...",
        files={"mine.yaml": ""},
    ),
    Case(
        name="a config file with a tab",
        command="train.py --config-dir=. --config-name=mine",
        sees=(
            "YAML syntax: while scanning for the next token found character '\\t' that cannot start any token in "
            '"{here}/mine.yaml", line 2, column 1'
        ),
        files={"mine.yaml": "a:\n\tb: 1\n"},
    ),
    Case(
        name="a config file in another encoding",
        command="train.py --config-dir=. --config-name=mine",
        sees="a config file is not UTF-8 (byte 0xe9 at offset 3)",
        files={"mine.yaml": b"a: \xe9\n"},
    ),
    Case(
        name="methods: no such method",
        command="train.py methods=nothing_like_it",
        sees="methods=nothing_like_it: no such method...",
    ),
    Case(
        name="methods: no such axis",
        command="train.py methods axis=nowhere",
        sees="methods axis=nowhere: no such axis; there are: ...",
    ),
    Case(name="an empty argument", command="train.py ''", sees="cannot read '': options are written name=VALUE"),
    Case(
        name="a letter that no name has",
        command="train.py é=3",
        sees="cannot read the override é=3: 'é' is no name of an option",
    ),
    Case(
        name="Hydra's folder is a file",
        command="train.py hydra.run.dir=mine dry_run=true",
        sees="hydra.run.dir: cannot use mine: file exists; leave it out",
        files={"mine": ""},
    ),
]
