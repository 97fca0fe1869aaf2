"""Files of questions, and data sets by name."""

from __future__ import annotations

from tests.bad_input.case import Case

QUESTIONS = "".join(
    f'{{"prompt": "{a}+{b}=", "answer": "{a + b}", "id": {10 * a + b}}}\n' for a in range(1, 8) for b in range(1, 6)
)
TABLE = "question,answer\n1+1=,2\n"
BUT = ("data", "reward")

SUMS = "".join(f'{{"prompt": "{a}+1=", "answer": "{a + 1}"}}\n' for a in range(40))
LONG = f'{{"prompt": "{"9+" * 80}1=", "answer": "721"}}\n'

CASES = [
    Case(
        name="no such file",
        command="train.py data=jsonl data.path=q.jsonl",
        sees="data=jsonl: cannot read q.jsonl: no such file or directory",
        small=True,
        but=BUT,
    ),
    Case(
        name="a folder instead of a file",
        command="train.py data=jsonl data.path=q.jsonl",
        sees="data=jsonl: cannot read q.jsonl: is a directory",
        small=True,
        but=BUT,
        files={"q.jsonl/x": ""},
    ),
    Case(
        name="no path",
        command="train.py data=jsonl data.path=''",
        sees="data=jsonl: the path is empty; name a file with data.path=...",
        small=True,
        but=BUT,
    ),
    Case(
        name="a path of null",
        command="train.py data=jsonl data.path=null",
        sees="data.path=null in conf/data/jsonl: must be text, not null",
        small=True,
        but=BUT,
    ),
    Case(
        name="a home that is not known",
        command="train.py data=jsonl 'data.path=\"~nobody_at_all/q.jsonl\"'",
        sees="~nobody_at_all/q.jsonl: could not determine home directory; set HOME, or write the whole path",
        small=True,
        but=BUT,
    ),
    Case(
        name="an empty file",
        command="train.py data=jsonl data.path=q.jsonl",
        sees="data=jsonl: q.jsonl is empty; it should hold one JSON object on each line",
        small=True,
        but=BUT,
        files={"q.jsonl": ""},
    ),
    Case(
        name="blank lines alone",
        command="train.py data=jsonl data.path=q.jsonl",
        sees="data=jsonl: q.jsonl is empty; it should hold one JSON object on each line",
        small=True,
        but=BUT,
        files={"q.jsonl": "\n\n  \n"},
    ),
    Case(
        name="a line that is no JSON",
        command="train.py data=jsonl data.path=q.jsonl",
        sees=(
            "data=jsonl: 1 of 36 rows cannot be used: q.jsonl:36 is not JSON (expecting value at column 30). "
            "Mend them, or leave them out with data.on_bad_row=skip"
        ),
        small=True,
        but=BUT,
        files={"q.jsonl": QUESTIONS + '{"prompt": "1+1=", "answer": '},
    ),
    Case(
        name="a file that breaks off",
        command="train.py data=jsonl data.path=q.jsonl",
        sees=(
            "data=jsonl: 1 of 35 rows cannot be used: q.jsonl:35 is not JSON (unterminated string starting at at "
            "column 20). Mend them, or leave them out with data.on_bad_row=skip"
        ),
        small=True,
        but=BUT,
        files={"q.jsonl": QUESTIONS[:-20]},
    ),
    Case(
        name="a table with commas",
        command="train.py data=jsonl data.path=q.jsonl",
        sees=(
            "data=jsonl: 2 of 2 rows cannot be used: q.jsonl:1 is not JSON (expecting value at column 1); "
            "q.jsonl:2 is not JSON (extra data at column 2). Mend them, or leave them out with "
            "data.on_bad_row=skip"
        ),
        small=True,
        but=BUT,
        files={"q.jsonl": "prompt,answer\n1+1=,2\n"},
    ),
    Case(
        name="one JSON list instead of lines",
        command="train.py data=jsonl data.path=q.jsonl",
        sees="data=jsonl: q.jsonl is one JSON list; write one object on each line",
        small=True,
        but=BUT,
        files={"q.jsonl": "[" + ",\n".join(QUESTIONS.splitlines()) + "]"},
    ),
    Case(
        name="a list on a line",
        command="train.py data=jsonl data.path=q.jsonl",
        sees=(
            "data=jsonl: 1 of 36 rows cannot be used: q.jsonl:36 is a JSON list, not an object. Mend them, or "
            "leave them out with data.on_bad_row=skip"
        ),
        small=True,
        but=BUT,
        files={"q.jsonl": QUESTIONS + "[1, 2]"},
    ),
    Case(
        name="a number on a line",
        command="train.py data=jsonl data.path=q.jsonl",
        sees=(
            "data=jsonl: 1 of 36 rows cannot be used: q.jsonl:36 is a JSON int, not an object. Mend them, or "
            "leave them out with data.on_bad_row=skip"
        ),
        small=True,
        but=BUT,
        files={"q.jsonl": QUESTIONS + "3"},
    ),
    Case(
        name="UTF-16",
        command="train.py data=jsonl data.path=q.jsonl",
        sees="data=jsonl: q.jsonl is UTF-16; save it as UTF-8",
        small=True,
        but=BUT,
        files={"q.jsonl": QUESTIONS.encode("utf-16")},
    ),
    Case(
        name="Latin-1",
        command="train.py data=jsonl data.path=q.jsonl",
        sees=(
            "data=jsonl: 1 of 36 rows cannot be used: q.jsonl:36 is not UTF-8 (byte 0xe9 at column 16). Mend "
            "them, or leave them out with data.on_bad_row=skip"
        ),
        small=True,
        but=BUT,
        files={"q.jsonl": QUESTIONS.encode() + b'{"prompt": "caf\xe9", "answer": "1"}'},
    ),
    Case(
        name="zero bytes",
        command="train.py data=jsonl data.path=q.jsonl",
        sees=(
            "data=jsonl: 1 of 36 rows cannot be used: q.jsonl:36 is not JSON (expecting value at column 1). Mend "
            "them, or leave them out with data.on_bad_row=skip"
        ),
        small=True,
        but=BUT,
        files={"q.jsonl": QUESTIONS + "\0\0\0"},
    ),
    Case(
        name="a picture",
        command="train.py data=jsonl data.path=q.jsonl",
        sees=(
            "data=jsonl: 5 of 5 rows cannot be used: q.jsonl:1 is not JSON (expecting value at column 1); "
            "q.jsonl:2 is not UTF-8 (byte 0x80 at column 118) (and 3 more rows). Mend them, or leave them out "
            "with data.on_bad_row=skip"
        ),
        small=True,
        but=BUT,
        files={"q.jsonl": bytes(range(256)) * 4},
    ),
    Case(
        name="half a character",
        command="train.py data=jsonl data.path=q.jsonl",
        sees=(
            "data=jsonl: 1 of 36 rows cannot be used: q.jsonl:36 has half a character (a lone surrogate) in "
            'column "prompt". Mend them, or leave them out with data.on_bad_row=skip'
        ),
        small=True,
        but=BUT,
        files={"q.jsonl": QUESTIONS + '{"prompt": "\\ud800", "answer": "1"}'},
    ),
    Case(
        name="brackets without end",
        command="train.py data=jsonl data.path=q.jsonl",
        sees=(
            "data=jsonl: 1 of 36 rows cannot be used: q.jsonl:36 is not readable JSON (maximum recursion depth "
            "exceeded while decoding a JSON array from a unicode stri). Mend them, or leave them out with "
            "data.on_bad_row=skip"
        ),
        small=True,
        but=BUT,
        files={"q.jsonl": QUESTIONS + "[" * 100_000},
    ),
    Case(
        name="a number of 5,000 digits",
        command="train.py data=jsonl data.path=q.jsonl",
        sees=(
            "data=jsonl: 1 of 36 rows cannot be used: q.jsonl:36 is not readable JSON (Exceeds the limit (4300 "
            "digits) for integer string conversion: value has 5000 di). Mend them, or leave them out with "
            "data.on_bad_row=skip"
        ),
        small=True,
        but=BUT,
        files={"q.jsonl": QUESTIONS + '{"prompt": "1+1=", "answer": ' + "9" * 5000 + "}"},
    ),
    Case(
        name="no prompt",
        command="train.py data=jsonl data.path=q.jsonl",
        sees='data=jsonl: 1 of 36 rows cannot be used: q.jsonl:36 has no column "prompt" (prompt); it has: ...',
        small=True,
        but=BUT,
        files={"q.jsonl": QUESTIONS + '{"question": "1+1=", "answer": "2"}'},
    ),
    Case(
        name="another name of the column on every row",
        command="train.py data=jsonl data.path=q.jsonl",
        sees='data=jsonl: 35 of 35 rows cannot be used: q.jsonl:1 has no column "prompt" (prompt); it has: ...',
        small=True,
        but=BUT,
        files={"q.jsonl": QUESTIONS.replace("prompt", "question")},
    ),
    Case(
        name="no answer",
        command="train.py data=jsonl data.path=q.jsonl",
        sees=(
            'data=jsonl: 1 of 36 rows cannot be used: q.jsonl:36 has no column "answer" (answer); it has: '
            "prompt. Mend them, or leave them out with data.on_bad_row=skip"
        ),
        small=True,
        but=BUT,
        files={"q.jsonl": QUESTIONS + '{"prompt": "1+1="}'},
    ),
    Case(
        name="an answer of null",
        command="train.py data=jsonl data.path=q.jsonl",
        sees=(
            'data=jsonl: 1 of 36 rows cannot be used: q.jsonl:36 has null in column "answer". Mend them, or '
            "leave them out with data.on_bad_row=skip"
        ),
        small=True,
        but=BUT,
        files={"q.jsonl": QUESTIONS + '{"prompt": "9+9=", "answer": null}'},
    ),
    Case(
        name="an answer of NaN",
        command="train.py data=jsonl data.path=q.jsonl",
        sees=(
            "data=jsonl: 1 of 36 rows cannot be used: q.jsonl:36 has 'nan' in column \"answer\", which is "
            "neither text nor a number. Mend them, or leave them out with data.on_bad_row=skip"
        ),
        small=True,
        but=BUT,
        files={"q.jsonl": QUESTIONS + '{"prompt": "9+9=", "answer": NaN}'},
    ),
    Case(
        name="an answer of true",
        command="train.py data=jsonl data.path=q.jsonl",
        sees=(
            "data=jsonl: 1 of 36 rows cannot be used: q.jsonl:36 has 'True' in column \"answer\", which is "
            "neither text nor a number. Mend them, or leave them out with data.on_bad_row=skip"
        ),
        small=True,
        but=BUT,
        files={"q.jsonl": QUESTIONS + '{"prompt": "9+9=", "answer": true}'},
    ),
    Case(
        name="an answer that is an object",
        command="train.py data=jsonl data.path=q.jsonl",
        sees=(
            'data=jsonl: 1 of 36 rows cannot be used: q.jsonl:36 has "{\'a\': 1}" in column "answer", which is '
            "neither text nor a number. Mend them, or leave them out with data.on_bad_row=skip"
        ),
        small=True,
        but=BUT,
        files={"q.jsonl": QUESTIONS + '{"prompt": "9+9=", "answer": {"a": 1}}'},
    ),
    Case(
        name="an answer of spaces",
        command="train.py data=jsonl data.path=q.jsonl",
        sees=(
            'data=jsonl: 1 of 36 rows cannot be used: q.jsonl:36 has nothing in column "answer". Mend them, or '
            "leave them out with data.on_bad_row=skip"
        ),
        small=True,
        but=BUT,
        files={"q.jsonl": QUESTIONS + '{"prompt": "9+9=", "answer": "  "}'},
    ),
    Case(
        name="a solution without its answer",
        command="train.py data=jsonl data.path=q.jsonl",
        sees=(
            'data=jsonl: 1 of 36 rows cannot be used: q.jsonl:36 has no final answer in column "answer". Mend '
            "them, or leave them out with data.on_bad_row=skip"
        ),
        small=True,
        but=BUT,
        files={"q.jsonl": QUESTIONS + '{"prompt": "9+9=", "answer": "a lot of work #### "}'},
    ),
    Case(
        name="an empty prompt",
        command="train.py data=jsonl data.path=q.jsonl",
        sees=(
            'data=jsonl: 1 of 36 rows cannot be used: q.jsonl:36 has nothing in column "prompt". Mend them, or '
            "leave them out with data.on_bad_row=skip"
        ),
        small=True,
        but=BUT,
        files={"q.jsonl": QUESTIONS + '{"prompt": "", "answer": "2"}'},
    ),
    Case(
        name="a chat without content",
        command="train.py data=jsonl data.path=q.jsonl",
        sees=(
            "data=jsonl: 1 of 36 rows cannot be used: q.jsonl:36 has neither text nor a list of messages with "
            'role and content in column "prompt". Mend them, or leave them out with data.on_bad_row=skip'
        ),
        small=True,
        but=BUT,
        files={"q.jsonl": QUESTIONS + '{"prompt": [{"role": "user"}], "answer": "2"}'},
    ),
    Case(
        name="a chat that does not end with the user",
        command="train.py data=jsonl data.path=q.jsonl",
        sees=(
            'data=jsonl: 1 of 36 rows cannot be used: q.jsonl:36 has a chat in column "prompt" that does not end '
            "with the user. Mend them, or leave them out with data.on_bad_row=skip"
        ),
        small=True,
        but=BUT,
        files={"q.jsonl": QUESTIONS + '{"prompt": [{"role": "assistant", "content": "x"}], "answer": "2"}'},
    ),
    Case(
        name="an empty chat",
        command="train.py data=jsonl data.path=q.jsonl",
        sees=(
            "data=jsonl: 1 of 36 rows cannot be used: q.jsonl:36 has neither text nor a list of messages with "
            'role and content in column "prompt". Mend them, or leave them out with data.on_bad_row=skip'
        ),
        small=True,
        but=BUT,
        files={"q.jsonl": QUESTIONS + '{"prompt": [], "answer": "2"}'},
    ),
    Case(
        name="the same question twice",
        command="train.py data=jsonl data.path=q.jsonl",
        sees=(
            "data=jsonl: 1 of 36 rows cannot be used: q.jsonl:36 asks the same as q.jsonl:1. Mend them, or leave "
            "them out with data.on_bad_row=skip"
        ),
        small=True,
        but=BUT,
        files={"q.jsonl": QUESTIONS + QUESTIONS.splitlines()[0]},
    ),
    Case(
        name="the same id twice",
        command="train.py data=jsonl data.path=q.jsonl data.id_column=id",
        sees=(
            "data=jsonl: 1 of 36 rows cannot be used: q.jsonl:36 has the id '11' of q.jsonl:1. Mend them, or "
            "leave them out with data.on_bad_row=skip"
        ),
        small=True,
        but=BUT,
        files={"q.jsonl": QUESTIONS + '{"prompt": "9+9=", "answer": "18", "id": 11}'},
    ),
    Case(
        name="no such id column",
        command="train.py data=jsonl data.path=q.jsonl data.id_column=idd",
        sees=(
            'data=jsonl: 35 of 35 rows cannot be used: q.jsonl:1 has no column "idd" (id) (did you mean "id"?); '
            "it has: ..."
        ),
        small=True,
        but=BUT,
        files={"q.jsonl": QUESTIONS},
    ),
    Case(
        name="no such column for a reward",
        command="train.py data=jsonl data.path=q.jsonl '+data.reference.tests=test_list'",
        sees=(
            'data=jsonl: 35 of 35 rows cannot be used: q.jsonl:1 has no column "test_list" (reference tests); it '
            "has: ..."
        ),
        small=True,
        but=BUT,
        files={"q.jsonl": QUESTIONS},
    ),
    Case(
        name="a single question",
        command="train.py data=jsonl data.path=q.jsonl",
        sees=(
            "data=jsonl: no usable row is left for training (0 training, 1 evaluation); add rows, change "
            "eval_share, or give evaluation rows of their own"
        ),
        small=True,
        but=BUT,
        files={"q.jsonl": QUESTIONS.splitlines()[0]},
    ),
    Case(
        name="nearly everything held out",
        command="train.py data=jsonl data.path=q.jsonl data.eval_share=0.999",
        sees=(
            "data=jsonl: no usable row is left for training (0 training, 35 evaluation); add rows, change "
            "eval_share, or give evaluation rows of their own"
        ),
        small=True,
        but=BUT,
        files={"q.jsonl": QUESTIONS},
    ),
    Case(
        name="training on the evaluation questions",
        command="train.py data=jsonl data.path=q.jsonl data.eval_path=e.jsonl",
        sees=(
            "data=jsonl: 1 of 36 rows cannot be used: q.jsonl:1 asks the same as the evaluation row e.jsonl:1. "
            "Mend them, or leave them out with data.on_bad_row=skip"
        ),
        small=True,
        but=BUT,
        files={"q.jsonl": QUESTIONS, "e.jsonl": QUESTIONS.splitlines()[0]},
    ),
    Case(
        name="no such evaluation file",
        command="train.py data=jsonl data.path=q.jsonl data.eval_path=e.jsonl",
        sees="data=jsonl: cannot read e.jsonl: no such file or directory",
        small=True,
        but=BUT,
        files={"q.jsonl": QUESTIONS},
    ),
    Case(
        name="nothing says what is right",
        command="train.py data=jsonl data.path=q.jsonl data.answer_column=null",
        sees="data=jsonl: without answers nothing says what is right; set data/check, or answer_column",
        small=True,
        but=BUT,
        files={"q.jsonl": QUESTIONS},
    ),
    Case(
        name="a chat for a model without a template",
        command="train.py data=jsonl data.path=q.jsonl data.chat=true",
        sees="prompt c6da17d1348bc31e is a chat, but this model's tokenizer has no chat template",
        small=True,
        but=BUT,
        files={"q.jsonl": QUESTIONS},
    ),
    Case(
        name="a word that is none of the choices",
        command="train.py data=jsonl data.path=q.jsonl data.on_bad_row=ignore",
        sees='data.on_bad_row="ignore" in conf/data/jsonl: must be one of "refuse", "skip"',
        small=True,
        but=BUT,
        files={"q.jsonl": QUESTIONS},
    ),
    Case(
        name="a warm-up on questions without worked answers",
        command="train.py data=jsonl data.path=q.jsonl 'model.warmup={_target_: crucible.policy.warmup.WarmUp}'",
        sees=(
            "data=jsonl has no worked answers to warm up on: use a task that has (chain, countdown), model=hf "
            "with a trained model, or model.warmup=null"
        ),
        small=True,
        but=BUT,
        files={"q.jsonl": QUESTIONS},
    ),
    Case(
        name="a data set that is not on the Hub",
        command="train.py data=hf data.dataset=nobody/nothing",
        sees="data=hf: cannot load nobody/nothing: Couldn't reach 'nobody/nothing' on the Hub (OfflineModeIsEnabled)",
        small=True,
        but=BUT,
    ),
    Case(
        name="a folder without data",
        command="train.py data=hf data.dataset=d",
        sees="data=hf: cannot load d: No (supported) data files found in d",
        small=True,
        but=BUT,
        files={"d/model.bin": "no data"},
    ),
    Case(
        name="no such split",
        command="train.py data=hf data.dataset=d data.split=trian",
        sees="data=hf: d has no split 'trian' (did you mean \"train\"?); it has: train",
        small=True,
        but=BUT,
        files={"d/train.csv": TABLE},
    ),
    Case(
        name="a slice of a split",
        command="train.py data=hf data.dataset=d 'data.split=\"train[:10]\"'",
        sees="data=hf: d has no split 'train[:10]' (slices are not understood); it has: train",
        small=True,
        but=BUT,
        files={"d/train.csv": TABLE},
    ),
    Case(
        name="no such column of a data set",
        command="train.py data=hf data.dataset=d data.prompt_column=q",
        sees="data=hf: d (train) has no column 'q'; it has: question, answer",
        small=True,
        but=BUT,
        files={"d/train.csv": TABLE},
    ),
    Case(
        name="no such configuration",
        command="train.py data=hf data.dataset=d data.config=nope",
        sees="data=hf: cannot load d (nope): BuilderConfig 'nope' not found. Available: ['default']",
        small=True,
        but=BUT,
        files={"d/train.csv": TABLE},
    ),
    Case(
        name="a long prompt late in the file",
        command="train.py data=jsonl data.path=q.jsonl",
        sees=(
            "prompt 139ca0ae0ab1fc22 has 163 tokens; with 12 completion tokens that exceeds the model's context "
            "of 64: at most 52 fit"
        ),
        small=True,
        but=("data",),
        files={"q.jsonl": SUMS + LONG},
    ),
    Case(
        name="a long prompt among the held out",
        command="train.py data=jsonl data.path=q.jsonl data.eval_path=held_out.jsonl",
        sees=(
            "prompt 139ca0ae0ab1fc22 has 163 tokens; with 12 completion tokens that exceeds the model's context "
            "of 64: at most 52 fit"
        ),
        small=True,
        but=("data",),
        files={"q.jsonl": SUMS, "held_out.jsonl": LONG},
    ),
    Case(
        name="an unknown character late in the file",
        command="train.py data=jsonl data.path=q.jsonl",
        sees="prompt e219e920827702ef: the model's tokenizer does not know '×' (in '3×4=')",
        small=True,
        but=("data",),
        files={"q.jsonl": SUMS + '{"prompt": "3×4=", "answer": "12"}\n'},
    ),
]
