"""A finite set of questions with reference answers, split into training and evaluation."""

from __future__ import annotations

import random
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Annotated, Literal, TypedDict

from crucible.data import dials
from crucible.data.answers import final_answer, number, same
from crucible.data.cells import Row
from crucible.data.epochs import epochs
from crucible.data.given_answers import AnswerColumns
from crucible.data.rows import (
    Columns,
    Item,
    Rejected,
    demonstrations_of,
    labelled_of,
    preferences_of,
    prompts_of,
    read_rows,
    scored_of,
)
from crucible.data.split import split_of
from crucible.errors import UserError
from crucible.rewards.base import PerSample
from crucible.types import Completion, Demonstration, Labelled, Preference, Prompt, Scored

_SHOWN = 5  # reasons named in a message


class QuestionOptions(TypedDict, total=False):
    """What `data=jsonl` and `data=hf` have in common; meanings and defaults: see `Questions`."""

    answer_column: str | None
    eval_prompt_column: str | None
    eval_answer_column: str | None
    completion_column: str | None
    chosen_column: str | None
    rejected_column: str | None
    label_column: str | None
    weight_column: str | None
    margin_column: str | None
    score_column: str | None
    id_column: str | None
    principle_column: str | None
    reference: Mapping[str, str] | None
    check: PerSample | None
    instruction: str
    system: str
    chat: bool
    eval_share: Annotated[float, "> 0, < 1"]
    eval_prompts: Annotated[int, ">= 1"] | None
    on_bad_row: Literal["refuse", "skip"]


class Questions:
    """The task behind `data=jsonl` and `data=hf`. `correct` compares final answers: see `data.answers`.

    `prompt_column` holds a text or a list of chat messages; `answer_column` a text or a number, of which the
    final answer counts (after `####` or in `\\boxed{}` where there is one). A dot looks into a nested column:
    `reward_model.ground_truth`. `eval_prompt_column` and `eval_answer_column` are those of evaluation rows of
    their own; None: as in training. `instruction` is put after every question. `chat` turns a text into one
    message by the user (after `system`, where given), for models with a chat template. `principle_column` is
    kept as reference["principle"], and the columns of `reference` as they are under its keys, for rewards that
    read them. `check` is a reward of single answers that says what is right (at least 0.5) instead of the
    comparison of final answers; `answer_column` None: only it can tell. `id_column` must hold a different value
    on every row.

    Answers to learn from: `completion_column` a worked answer (a text, or a message by the assistant; the same column
    as the prompt: a conversation that ends with it), with `weight_column` a factor on its loss and `label_column`
    whether it is a good one or `score_column` a number for it; or `chosen_column` and `rejected_column`, two answers of
    which the first is better, with `margin_column` by how much (0: a tie). With `prompt_column` None the prompt is what
    the two begin with. A question may then have several rows. Evaluation rows of their own may lack them. Where answers
    to learn from are there, `answer_column` and `check` may both be None: nothing tells right from wrong then, and
    `judges` is False.

    Without evaluation rows of its own (`held_out` None), the share `eval_share` of the questions is held
    out by a hash of the question, so adding or reordering rows moves no other row across the split.
    A training row that asks the same as an evaluation row is unusable: it would leak.
    `eval_prompts` keeps that many evaluation questions (chosen by their hash); None keeps all.

    Unusable rows are in `rejected` and are shown: `on_bad_row="refuse"` raises UserError that names the
    first of them, "skip" reports them all and goes on.
    """

    def __init__(
        self,
        *,
        name: str,
        rows: Iterable[Row],
        held_out: Iterable[Row] | None,
        report: Callable[[str], None] | None,
        prompt_column: str | None,
        answer_column: str | None = "answer",
        eval_prompt_column: str | None = None,
        eval_answer_column: str | None = None,
        completion_column: str | None = None,
        chosen_column: str | None = None,
        rejected_column: str | None = None,
        label_column: str | None = None,
        weight_column: str | None = None,
        margin_column: str | None = None,
        score_column: str | None = None,
        id_column: str | None = None,
        principle_column: str | None = None,
        reference: Mapping[str, str] | None = None,
        check: PerSample | None = None,
        instruction: str = "",
        system: str = "",
        chat: bool = False,
        eval_share: float = 0.1,
        eval_prompts: int | None = None,
        on_bad_row: Literal["refuse", "skip"] = "refuse",
    ) -> None:
        self.name = name
        dials.share(name, "eval_share", eval_share, open_ends=True)
        if eval_prompts is not None:
            dials.whole(name, "eval_prompts", eval_prompts, 1)
        if on_bad_row not in ("refuse", "skip"):
            raise UserError(f"data={name}: on_bad_row is {on_bad_row!r}; it must be refuse or skip")
        answers = AnswerColumns(
            completion_column, chosen_column, rejected_column, label_column, weight_column, margin_column, score_column
        )
        answers.refuse_odd(name, prompt_column)
        self.judges = answer_column is not None or check is not None
        if not self.judges and not answers.named():
            raise UserError(
                f"data={name}: without answers nothing says what is right; set data/check, or answer_column"
            )
        self.check = check
        columns = Columns(
            prompt_column, answer_column, id_column, principle_column, instruction, system, chat, reference or {},
            answers,
        )  # fmt: skip
        train, self.rejected = read_rows(rows, columns, name)
        evaluation: dict[str, Item] = {}
        if held_out is None:
            sides = {where: split_of(item.prompt.id, eval_share) for where, item in train.items()}
            evaluation = {where: item for where, item in train.items() if sides[where] == "eval"}
            train = {where: item for where, item in train.items() if sides[where] == "train"}
        else:
            asked, answered = eval_prompt_column or prompt_column, eval_answer_column or answer_column
            own = replace(columns, prompt=asked, answer=answered, answers_optional=True)
            evaluation, unusable = read_rows(held_out, own, name)
            self.rejected += unusable
            places = {item.prompt.id: where for where, item in evaluation.items()}
            self.rejected += [
                Rejected(where, f"asks the same as the evaluation row {places[item.prompt.id]}")
                for where, item in train.items()
                if item.prompt.id in places
            ]
            train = {where: item for where, item in train.items() if item.prompt.id not in places}
        self._settle(on_bad_row, len(train) + len(evaluation), report or _to_stderr)
        self._train, held = prompts_of(train.values()), prompts_of(evaluation.values())
        self._eval = tuple(sorted(held, key=lambda prompt: prompt.id)[:eval_prompts])
        kept = {prompt.id for prompt in self._eval}
        self._items = tuple(train.values())
        self._held_out = tuple(item for item in evaluation.values() if item.prompt.id in kept)
        if not self._train or not self._eval:
            side = "training" if not self._train else "evaluation"
            raise UserError(
                f"data={name}: no usable row is left for {side} ({len(train)} training, {len(evaluation)} "
                "evaluation); add rows, change eval_share, or give evaluation rows of their own"
            )

    def _settle(self, on_bad_row: str, usable: int, report: Callable[[str], None]) -> None:
        if not self.rejected:
            return
        total = usable + len(self.rejected)
        head = f"data={self.name}: {len(self.rejected)} of {total} rows cannot be used"
        if on_bad_row == "refuse":
            raise UserError(
                f"{head}: {_in_short(self.rejected)}. Mend them, or leave them out with data.on_bad_row=skip"
            )
        report(f"{head} and are left out:")
        for row in self.rejected:
            report(f"  {row}")

    def train_pool(self) -> Sequence[Prompt]:
        """Every training prompt once: this task is finite."""
        return self._train

    def train_prompts(self, rng: random.Random) -> Iterator[Prompt]:
        """Training prompts for ever: each epoch is a new order of all of them."""
        return epochs(self._train, rng)

    def eval_prompts(self) -> Sequence[Prompt]:
        return self._eval

    def demonstrations(self) -> Sequence[Demonstration]:
        """The worked answers of the training rows."""
        return demonstrations_of(self._items)

    def held_out_demonstrations(self) -> Sequence[Demonstration]:
        return demonstrations_of(self._held_out)

    def preferences(self) -> Sequence[Preference]:
        """The pairs of the training rows."""
        return preferences_of(self._items)

    def held_out_preferences(self) -> Sequence[Preference]:
        return preferences_of(self._held_out)

    def labelled(self) -> Sequence[Labelled]:
        """The answers of the training rows that are called good or bad."""
        return labelled_of(self._items)

    def held_out_labelled(self) -> Sequence[Labelled]:
        return labelled_of(self._held_out)

    def scored(self) -> Sequence[Scored]:
        """The answers of the training rows that have a score."""
        return scored_of(self._items)

    def held_out_scored(self) -> Sequence[Scored]:
        return scored_of(self._held_out)

    def judge(self, prompts: Sequence[Prompt], texts: Sequence[str]) -> list[bool | None]:
        """True success of each answer: at least half of `check`'s reward; None where nothing tells."""
        if not self.judges:
            return [None] * len(texts)
        if self.check is None:
            return [self.correct(prompt, text) for prompt, text in zip(prompts, texts, strict=True)]
        outcomes = self.check.outcomes(prompts, [Completion(text, tokens=0) for text in texts])
        return [outcome.value >= 0.5 if outcome.kind == "value" else None for outcome in outcomes]

    def correct(self, prompt: Prompt, completion: str) -> bool:
        if self.check is not None or not self.judges:
            return self.judge([prompt], [completion])[0] is True
        gold = prompt.reference["answer"]
        answer = final_answer(completion, numeric=number(gold) is not None)
        return answer is not None and same(answer, gold)


def _in_short(rejected: Sequence[Rejected]) -> str:
    """The first few reasons, each once, with the first row it holds for and how many others."""
    rows: dict[str, list[str]] = {}
    for row in rejected:
        rows.setdefault(row.reason, []).append(row.where)
    named = [
        f"{where[0]} {reason}" + (f" (and {len(where) - 1} more rows)" if len(where) > 1 else "")
        for reason, where in list(rows.items())[:_SHOWN]
    ]
    more = len(rejected) - sum(len(where) for where in list(rows.values())[:_SHOWN])
    return "; ".join(named) + (f"; and {more} more" if more else "")


def _to_stderr(line: str) -> None:
    print(line, file=sys.stderr)
