"""A model and its tokenizer from a folder or the hub, or one line that says what is wrong with them."""

from __future__ import annotations

import pickle
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from crucible.errors import UserError, expanded


def load_pretrained(
    name_or_path: str,
    *,
    revision: str | None = None,
    dtype: torch.dtype = torch.float32,
    attention: str | None = None,
    where: str = "model.name_or_path",
) -> tuple[Any, Any]:
    """(model, tokenizer). A local path must exist; anything else is a name for the hub or its cache.

    Code that comes with a model is not run, and a weights file that is a pickle is read as weights only. Errors:
    UserError (`where` begins it) for whatever cannot be loaded, for weights that lack a part of the model or have
    another shape, and for a tokenizer without a vocabulary or with a larger one than the model's.
    """
    from transformers import AutoModelForCausalLM, AutoTokenizer

    name = _found(name_or_path, where)
    local = Path(name).is_dir()
    if local and revision is not None:
        raise UserError(f"model.revision={revision}: {name_or_path} is a folder, and has no revisions; leave it out")
    more = {} if attention is None else {"attn_implementation": attention}
    try:
        with _quiet():
            tokenizer = AutoTokenizer.from_pretrained(name, revision=revision)
            loaded: Any = AutoModelForCausalLM.from_pretrained(
                name, revision=revision, dtype=dtype, output_loading_info=True, **more
            )
        model, report = loaded
    except Exception as error:  # what a foreign folder makes its many readers raise is of no common kind
        place = "" if local else ": no folder of this name, and neither the hub nor its cache gives it"
        raise UserError(f"{where}: cannot load {name_or_path!r}{place}: {_reason(error)}") from error
    for how in ("is_local", "local_files_only"):  # it was loaded: `Policy.save` would store it with what it is
        tokenizer.init_kwargs.pop(how, None)
    if lacking := sorted(report["missing_keys"]):
        raise UserError(
            f"{where}: the weights in {name_or_path!r} lack {len(lacking)} tensors of a {type(model).__name__} "
            f"({lacking[0]} ...); they belong to another model"
        )
    if len(tokenizer) <= len(tokenizer.all_special_tokens):
        raise UserError(f"{where}: {name_or_path!r} has no tokenizer (tokenizer.json), or an empty one")
    if len(tokenizer) > (rows := model.get_input_embeddings().weight.shape[0]):
        raise UserError(
            f"{where}: the tokenizer of {name_or_path!r} has {len(tokenizer)} tokens and its model {rows}; they do not "
            "belong together"
        )
    return model, tokenizer


def load_tokenizer(folder: str | Path, *, where: str) -> Any:
    """The tokenizer of a model folder alone. Errors: UserError (`where` begins it)."""
    from transformers import AutoTokenizer

    try:
        with _quiet():
            return AutoTokenizer.from_pretrained(_found(str(Path(folder).absolute()), where))
    except (OSError, ValueError, ImportError, KeyError, TypeError, AttributeError) as error:
        raise UserError(f"{where}: cannot load the tokenizer in {folder}: {_reason(error)}") from error


def _found(name_or_path: str, where: str) -> str:
    if not name_or_path.strip():
        raise UserError(f"{where} is empty; name a folder with config.json, or a model of the hub")
    looks_local = name_or_path.startswith((".", "/", "~")) or name_or_path.count("/") > 1
    path = expanded(name_or_path)
    if (looks_local or path.is_dir()) and not (path / "config.json").is_file():
        raise UserError(f"{where}: no model in {name_or_path} (a folder with config.json is expected)")
    return str(path) if path.is_dir() else name_or_path


def _reason(error: Exception) -> str:
    """The first sentences of what a library says, on one line; its own kind where the text alone says little."""
    if "ignore_mismatched_sizes" in str(error):
        return "the weights have other shapes than config.json says"
    if isinstance(error, pickle.UnpicklingError):
        return "its weights are a pickle of more than tensors, which is not read; use safetensors"
    text = " ".join(str(error).split())[:200]
    return text if isinstance(error, OSError | ValueError | ImportError) else f"{type(error).__name__}: {text}"


@contextmanager
def _quiet() -> Iterator[None]:
    """No tables of tensors on the terminal, and no bars in a log: what they say is said in one line, or is no news."""
    from transformers.utils import logging

    level, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity(logging.CRITICAL)  # what it says as an error, it raises as well
    if not sys.stderr.isatty():
        logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()
