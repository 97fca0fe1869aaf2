"""`data=hf`: a data set by name or folder, through the `datasets` library."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from crucible.data.questions import Questions
from crucible.data.rows import Columns, Row
from crucible.errors import UserError, nearest


class HuggingFace(Questions):
    """The rows of `split` of a data set; those of `eval_split`, or the share `eval_share`, are held out.

    `dataset` is a name on the Hub, a folder of parquet, JSON or CSV files, or a folder written by
    `save_to_disk`; `config` is the name of its configuration ("main" for openai/gsm8k). Reference
    answers such as GSM8K's `... #### 72` are reduced to the final answer. The other parameters are
    those of `Jsonl`.

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
        eval_split: str | None = None,
        prompt_column: str = "question",
        answer_column: str = "answer",
        id_column: str | None = None,
        principle_column: str | None = None,
        instruction: str = "",
        system: str = "",
        chat: bool = False,
        eval_share: float = 0.1,
        eval_prompts: int | None = None,
        on_bad_row: str = "refuse",
    ) -> None:
        wanted = [split] if eval_split is None else [split, eval_split]
        columns = [c for c in (prompt_column, answer_column, id_column, principle_column) if c is not None]
        tables = [load_split(dataset, config, name, columns, cache_dir) for name in wanted]
        super().__init__(
            name="hf",
            rows=tables[0],
            held_out=tables[1] if len(tables) > 1 else None,
            columns=Columns(
                prompt_column, answer_column, id_column, principle_column, instruction, system, chat
            ),
            eval_share=eval_share,
            eval_prompts=eval_prompts,
            on_bad_row=on_bad_row,
            report=report,
        )


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
        if column not in table.column_names:
            hint, has = nearest(column, table.column_names), ", ".join(table.column_names)
            raise UserError(f"data=hf: {dataset} ({split}) has no column {column!r}{hint}; it has: {has}")
    if len(table) == 0:
        raise UserError(f"data=hf: the split {split!r} of {dataset} is empty")
    return (Row(f"{dataset} {split}[{i}]", fields) for i, fields in enumerate(table))


def _load(dataset: str, config: str | None, cache_dir: Path | None) -> Mapping[str, Any]:
    """All splits of a data set. A folder saved as a single split counts as the split "train"."""
    import datasets

    folder = Path(dataset).expanduser()
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
