"""Sentence embedders for the consensus stage: `embed(texts) -> (n, d)` unit rows, float32.

The paper uses Qwen3-Embedding-8B and cosine > 0.8. Measured on the wordings of the chain task's six
principles (pairs of wordings of one principle accepted / of different principles accepted at 0.8):
WordLlama 89 % / 0 %, all-MiniLM-L6-v2 89 % / 0 %, character n-grams 50 % / 0 %. So the default keeps the
paper's threshold; n-grams need about 0.6 (calibrated, ours).
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from crucible.errors import UserError

Vectors = NDArray[np.float32]


class Embedder(Protocol):
    def embed(self, texts: Sequence[str]) -> Vectors: ...


def unit(vectors: NDArray[Any]) -> Vectors:
    """Rows of length 1; a zero row stays zero."""
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    return (vectors / np.where(length == 0, 1, length)).astype(np.float32)


class WordLlamaEmbedder:
    """WordLlama (MIT): averaged static token embeddings of 256 dimensions, 16 MB inside its package.

    Real and offline; word order does not count.
    """

    def __init__(self) -> None:
        self._model: Any = None

    def embed(self, texts: Sequence[str]) -> Vectors:
        if self._model is None:
            self._model = self._load()
        return unit(np.asarray(self._model.embed(list(texts))))

    @staticmethod
    def _load() -> Any:
        try:
            import wordllama
        except ImportError:
            raise UserError(
                "the embedder WordLlama needs its package: pip install wordllama==0.4.0.post1, "
                "or choose crucible.feedback.embed.NGramEmbedder with tau=0.6"
            ) from None
        # The package looks for its own tokenizer in a folder of another name; as a "cache" it is found.
        return wordllama.WordLlama.load(cache_dir=Path(wordllama.__file__).parent, disable_download=True)


class NGramEmbedder:
    """Hashed counts (square roots) of the character n-grams of lower-cased text. No dependency."""

    def __init__(self, *, sizes: Sequence[int] = (3, 4), dimensions: int = 4096) -> None:
        if not sizes or min(sizes) < 1 or dimensions < 1:
            raise UserError(f"NGramEmbedder: sizes={list(sizes)} and dimensions={dimensions} must be positive")
        self.sizes, self.dimensions = tuple(sizes), dimensions

    def embed(self, texts: Sequence[str]) -> Vectors:
        counts = np.zeros((len(texts), self.dimensions))
        for row, text in zip(counts, texts, strict=True):
            padded = f" {text.lower()} "
            for n in self.sizes:
                for i in range(len(padded) - n + 1):
                    row[zlib.crc32(padded[i : i + n].encode()) % self.dimensions] += 1
        return unit(np.sqrt(counts))


POOLINGS = {
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_cls_token": "cls",
    "pooling_mode_lasttoken": "last",
}


class EncoderEmbedder:
    """A transformers encoder by name or path, pooled as its `1_Pooling/config.json` says (the layout of
    sentence-transformers): mean over real tokens, which is also taken where there is no such file, first or last token.

    Errors: UserError for what is no encoder, and for another pooling.
    """

    def __init__(self, *, model: str, batch_size: int = 64) -> None:
        import torch
        from transformers import AutoModel, AutoTokenizer

        if batch_size < 1:
            raise UserError(f"embedder: batch_size={batch_size} must be at least 1")
        try:
            self._tokenizer = AutoTokenizer.from_pretrained(model)
            self._model = AutoModel.from_pretrained(model).eval()
        except (OSError, ValueError) as e:
            raise UserError(f"embedder: no encoder at {model!r}: {str(e).splitlines()[0]}") from None
        self._pooling = _pooling(model)
        self._model.to("cuda" if torch.cuda.is_available() else "cpu")
        self.batch_size = batch_size

    def embed(self, texts: Sequence[str]) -> Vectors:
        import torch

        rows: list[NDArray[Any]] = []
        with torch.inference_mode():
            for start in range(0, len(texts), self.batch_size):
                batch = self._tokenizer(
                    list(texts[start : start + self.batch_size]), padding=True, truncation=True, return_tensors="pt"
                ).to(self._model.device)
                hidden = self._model(**batch).last_hidden_state.float()
                rows.append(pooled(hidden, batch["attention_mask"], self._pooling).cpu().numpy())
        return unit(np.concatenate(rows)) if rows else np.zeros((0, 1), np.float32)


def pooled(hidden: Any, mask: Any, how: str) -> Any:
    """(n, t, d), (n, t) 1 on real tokens, on either side -> (n, d)."""
    import torch

    if how == "mean":
        return (hidden * mask[..., None]).sum(1) / mask.sum(1, keepdim=True)
    first = mask.argmax(1)
    at = first if how == "cls" else first + mask.sum(1) - 1
    return hidden[torch.arange(len(hidden), device=hidden.device), at]


def _pooling(model: str) -> str:
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import EntryNotFoundError

    name = "1_Pooling/config.json"
    try:
        found = Path(model) / name if Path(model).is_dir() else Path(hf_hub_download(model, name))
    except EntryNotFoundError:
        return "mean"
    if not found.is_file():
        return "mean"
    options = json.loads(found.read_text(encoding="utf-8"))
    asked = [name for name, on in options.items() if name.startswith("pooling_mode_") and on is True]
    if len(asked) != 1 or asked[0] not in POOLINGS:
        raise UserError(f"embedder: {model!r} pools by {', '.join(asked) or 'nothing'}; one of {', '.join(POOLINGS)}")
    return POOLINGS[asked[0]]
