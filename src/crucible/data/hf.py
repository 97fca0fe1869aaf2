"""`data=hf`: a data set by name or folder, through the `datasets` library."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Unpack

from crucible.data.cells import Row, names
from crucible.data.given_answers import AnswerColumns
from crucible.data.questions import QuestionOptions, Questions
from crucible.errors import UserError, expanded, nearest


class HuggingFace(Questions):
    """The rows of `split` of a data set; those of `eval_split`, or the share `eval_share`, are held out.

    `dataset` is a name on the Hub, a folder of parquet, JSON or CSV files, or a folder written by
    `save_to_disk`; `config` is the name of its configuration ("main" for openai/gsm8k). `eval_dataset` (with
    `eval_config` and `eval_split`, by default its "test") evaluates on another data set altogether. Reference
    answers such as GSM8K's `... #### 72` are reduced to the final answer. The other options are those of
    `Questions`: answer_column, eval_prompt_column, eval_answer_column, completion_column, chosen_column,
    rejected_column, label_column, weight_column, margin_column, score_column, id_column, principle_column, reference,
    check, instruction, system, chat, eval_share, eval_prompts, on_bad_row.

    Errors: UserError for a data set, split or column that is not there, and for unusable rows.
    """

    def __init__(
        self,
        *,
        dataset: str,
        report: Callable[[str], None] | None = None,
        cache_dir: Path | None = None,
        config: str | None = None,
        split: str = "train",
        eval_dataset: str | None = None,
        eval_config: str | None = None,
        eval_split: str | None = None,
        prompt_column: str | None = "question",
        **options: Unpack[QuestionOptions],
    ) -> None:
        answer = options.get("answer_column", "answer")
        rest = [c for c in (options.get("id_column"), options.get("principle_column")) if c is not None]
        rest += (options.get("reference") or {}).values()
        asked = [*_some(prompt_column), *_some(answer)]
        asked += AnswerColumns(
            options.get("completion_column"), options.get("chosen_column"), options.get("rejected_column"),
            options.get("label_column"), options.get("weight_column"), options.get("margin_column"),
            options.get("score_column"),
        ).named()  # fmt: skip
        own = [*_some(options.get("eval_prompt_column") or prompt_column)]
        own += _some(options.get("eval_answer_column") or answer)
        held_out = None
        if eval_dataset is not None:
            held_out = load_split(eval_dataset, eval_config, eval_split or "test", [*own, *rest], cache_dir)
        elif eval_split is not None:
            held_out = load_split(dataset, config, eval_split, [*own, *rest], cache_dir)
        super().__init__(
            name="hf",
            rows=load_split(dataset, config, split, [*asked, *rest], cache_dir),
            held_out=held_out,
            report=report,
            prompt_column=prompt_column,
            **options,
        )


def _some(column: str | None) -> list[str]:
    return [] if column is None else [column]


def load_split(
    dataset: str, config: str | None, split: str, columns: list[str], cache_dir: Path | None
) -> Iterator[Row]:
    """The rows of one split, numbered from 0 as the library does. Missing columns are refused at once."""
    splits = _load(dataset, config, cache_dir)
    name, bracket, _ = split.partition("[")
    if name not in splits or bracket:
        hint = nearest(split, splits) if not bracket else " (slices are not understood)"
        raise UserError(f"data=hf: {dataset} has no split {split!r}{hint}; it has: {', '.join(splits)}")
    table = splits[name]
    for column in columns:
        if column not in table.column_names and column.partition(".")[0] not in table.column_names:
            raise UserError(f"data=hf: {dataset} ({split}) has no column {column!r}{names(column, table.column_names)}")
    if len(table) == 0:
        raise UserError(f"data=hf: the split {split!r} of {dataset} is empty")
    return (Row(f"{dataset} {split}[{i}]", fields) for i, fields in enumerate(table))


def _load(dataset: str, config: str | None, cache_dir: Path | None) -> Mapping[str, Any]:
    """All splits of a data set. A folder saved as a single split counts as the split "train"."""
    import datasets

    if not sys.stderr.isatty():
        datasets.disable_progress_bars()
    folder = expanded(dataset)
    cache = None if cache_dir is None else str(Path(cache_dir) / "datasets")
    try:
        if (folder / "dataset_dict.json").is_file() or (folder / "state.json").is_file():
            saved = datasets.load_from_disk(str(folder))
            return saved if isinstance(saved, Mapping) else {"train": saved}
        return datasets.load_dataset(str(folder) if folder.is_dir() else dataset, config, cache_dir=cache)
    except (OSError, ValueError, datasets.exceptions.DatasetsError) as error:
        lines = str(error).strip().splitlines()
        reason = lines[0] if lines else type(error).__name__
        which = f"{dataset} ({config})" if config else dataset
        raise UserError(f"data=hf: cannot load {which}: {reason}") from None
