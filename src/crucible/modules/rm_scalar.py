"""A scalar reward model: one number for (prompt, response), from a sequence classifier with one label.

    <prompt><response><end>  ->  backbone  ->  score of the last token

The folder is one that `AutoModelForSequenceClassification` opens, and the score is what that class says of the tokens.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from crucible.errors import UserError
from crucible.feedback.pipeline import Outcome
from crucible.modules.given_rows import Encoder
from crucible.modules.rm_proofreader import Proofreader
from crucible.modules.rm_scorer import NOTES, PROOFREADER, batches_by_length, read_notes, save_folder
from crucible.policy import Policy
from crucible.policy import load as load_policy
from crucible.types import Prompt

CLASS = "ForSequenceClassification"


class Answers(Encoder):
    """Encodes an answer as a scalar reward model reads it. Of a chat: what the template makes of the whole
    conversation, its last turn the assistant's."""

    def answer(self, prompt: Prompt, text: str) -> list[int]:
        ids = super().answer(prompt, text)
        return closing(self.policy, prompt, text) or ids

    def row(self, prompt: Prompt, text: str) -> tuple[list[int], int, bool]:
        """(prompt and answer, tokens of the answer, whether it was cut)."""
        before = opening(self.policy, prompt)
        ids, room = self.answer(prompt, text), self.room(len(before))
        return [*before, *ids[:room]], min(len(ids), room), len(ids) > room


def opening(policy: Policy, prompt: Prompt) -> list[int]:
    """The prompt's tokens. A tokenizer that ends every text does not end the conversation here."""
    ids = list(policy.token_ids([prompt])[0])
    return ids[:-1] if len(ids) > 1 and ids[-1] == policy.eos_id and not _is_chat(policy, prompt) else ids


def closing(policy: Policy, prompt: Prompt, text: str) -> list[int]:
    """What the chat template makes of the answer; [] without one, or where the prompt does not begin what it makes."""
    if not _is_chat(policy, prompt):
        return []
    turns = [dict(m) for m in prompt.messages] or [{"role": "user", "content": prompt.text}]
    turns.append({"role": "assistant", "content": text})
    whole = policy.tokenizer.apply_chat_template(turns, tokenize=False, **policy.template_options)
    ids = policy.tokenizer(whole, add_special_tokens=False, verbose=False)["input_ids"]
    before = opening(policy, prompt)
    return list(ids[len(before) :]) if ids[: len(before)] == before else []


def _is_chat(policy: Policy, prompt: Prompt) -> bool:
    template = getattr(policy.tokenizer, "chat_template", None)
    return bool(template) and (bool(prompt.messages) or policy.chat)


class Scorer:
    """Scores (prompt, response). `policy` holds the sequence classifier, its tokenizer and how it writes prompts."""

    def __init__(
        self,
        policy: Policy,
        notes: dict[str, Any] | None = None,
        feedback: Outcome | None = None,
        proofreader: Proofreader | None = None,
    ) -> None:
        self.policy, self.notes, self.feedback, self.proofreader = policy, notes or {}, feedback, proofreader
        self.seen_ids = policy.seen_ids

    @classmethod
    def on(cls, policy: Policy, *, seed: int, **rest: Any) -> Scorer:
        """A new score head on the backbone of a policy, which is used as it is and not copied; adapters stay adapters.

        Errors: UserError for a model that transformers has no sequence classifier of.
        """
        made = Policy(
            with_score_head(policy, seed=seed), policy.tokenizer,
            chat=policy.chat, template_options=policy.template_options,
        )  # fmt: skip
        made.seen_ids = policy.seen_ids
        return cls(made, **rest)

    @property
    def model(self) -> Any:
        return self.policy.model

    def read(self, rows: Sequence[list[int]]) -> Tensor:
        """(K,) scores of rows of tokens, float32, with gradient. Padding is on the right and is never read."""
        width, pad, device = max(map(len, rows)), _text_config(self.model).pad_token_id, self.policy.device
        ids = torch.tensor([row + [pad] * (width - len(row)) for row in rows], device=device)
        mask = torch.tensor([[1] * len(row) + [0] * (width - len(row)) for row in rows], device=device)
        return self.model(input_ids=ids, attention_mask=mask, use_cache=False).logits[:, 0].float()

    @torch.no_grad()
    def score(self, prompts: Sequence[Prompt], texts: Sequence[str], *, batch_tokens: int = 16384) -> Tensor:
        """(N,) without gradient; the same answer to the same prompt is read once, rows are batched by length.

        Errors: UserError for a row that is longer than the context.
        """
        asked = [(p.id, text) for p, text in zip(prompts, texts, strict=True)]
        first = {key: i for i, key in reversed(list(enumerate(asked)))}
        once = sorted(first.values())
        shown, said = [prompts[i] for i in once], [texts[i] for i in once]
        if self.proofreader is not None:
            said = self.proofreader.mark(shown, said)
        rows = [_Row(self._ids(prompt, text)) for prompt, text in zip(shown, said, strict=True)]
        out = torch.zeros(len(rows))
        training = self.model.training
        self.model.eval()
        for chosen in batches_by_length(rows, batch_tokens):
            out[chosen] = self.read([rows[i].ids for i in chosen]).cpu()
        self.model.train(training)
        place = {i: at for at, i in enumerate(once)}
        return out[[place[first[key]] for key in asked]]

    def _ids(self, prompt: Prompt, text: str) -> list[int]:
        before = opening(self.policy, prompt)
        coded = self.policy.tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"] if text else []
        ids = [*before, *(closing(self.policy, prompt, text) or [*coded, self.policy.eos_id])]
        if len(ids) > self.policy.context_length:
            raise UserError(
                f"reward model: prompt {prompt.id} with its response has {len(ids)} tokens, more than the context of "
                f"{self.policy.context_length}; give a smaller sampling.max_tokens, or another reward model"
            )
        return ids

    # -- what is kept --------------------------------------------------------------------------

    def state_dict(self) -> dict[str, Any]:
        return {"notes": json.loads(json.dumps(self.notes))}  # plain values

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.notes = state["notes"]

    def save(self, path: str | Path) -> None:
        """The folder that `load` and `AutoModelForSequenceClassification` open, complete or not at all."""
        save_folder(Path(path), self.policy, self.notes, self.proofreader, self.feedback)

    @classmethod
    def load(cls, path: str | Path, *, chat: bool = True) -> Scorer:
        """Errors: UserError for a folder that is no scalar reward model (told from its config.json), or is damaged."""
        folder = Path(path)
        notes = read_card(folder)
        model, tokenizer = _load(folder)
        config = _text_config(model)
        if tokenizer.pad_token_id is None:
            tokenizer.pad_token = tokenizer.eos_token
        if config.pad_token_id is None:
            config.pad_token_id = tokenizer.pad_token_id
        policy = Policy(model.eval(), tokenizer, chat=chat)
        proofreader = None
        if (folder / PROOFREADER).is_dir():
            proofreader = Proofreader(load_policy(folder / PROOFREADER), threshold=notes["proofread_threshold"])
        return cls(policy, notes, proofreader=proofreader)


class _Row:
    def __init__(self, ids: list[int]) -> None:
        self.ids, self.tokens = ids, len(ids)


def with_score_head(policy: Policy, *, seed: int) -> Any:
    """The sequence classifier with one label on the policy's own backbone; LoRA adapters are put on anew.

    The head's weights are normal with the model's initializer_range and depend on `seed` alone.
    """
    from transformers import AutoModelForSequenceClassification

    model, adapters = policy.model, None
    if hasattr(model, "merge_and_unload"):
        adapters = copy.deepcopy(next(iter(model.peft_config.values())))
        model = model.merge_and_unload()
    config = copy.deepcopy(model.config)
    config.num_labels = 1
    _text_config_of(config).pad_token_id = policy.pad_id
    try:
        with torch.device("meta"):  # the backbone's weights are there already
            made: Any = AutoModelForSequenceClassification.from_config(config)
    except ValueError:
        raise UserError(
            f"reward model: transformers has no sequence classifier of a {type(model).__name__}; use another model"
        ) from None
    if not isinstance(getattr(made, "score", None), nn.Linear) or not hasattr(model, made.base_model_prefix):
        raise UserError(f"reward model: no score head fits a {type(model).__name__}; use another model")
    backbone = getattr(model, made.base_model_prefix)
    setattr(made, made.base_model_prefix, backbone)
    weight = next(backbone.parameters())
    made.score = nn.Linear(made.score.in_features, 1, bias=made.score.bias is not None).to(weight.device, weight.dtype)
    draw = torch.Generator().manual_seed(seed)
    spread = getattr(config, "initializer_range", None) or 0.02
    with torch.no_grad():
        made.score.weight.copy_(spread * torch.randn(made.score.weight.shape, generator=draw))
        if made.score.bias is not None:
            made.score.bias.zero_()
    made.train(model.training)
    if adapters is None:
        return made
    from peft import get_peft_model

    adapters.task_type, adapters.modules_to_save, adapters.inference_mode = "SEQ_CLS", ["score"], False
    return get_peft_model(made, adapters)


def _text_config(model: Any) -> Any:
    return _text_config_of(model.config)


def _text_config_of(config: Any) -> Any:
    return config.get_text_config() if hasattr(config, "get_text_config") else config


def read_card(folder: Path) -> dict[str, Any]:
    """The notes of a scalar reward model; {} of a checkpoint that others made.

    Errors: UserError for a folder that is missing, or holds anything else than a sequence classifier with one label.
    """
    wanted = (
        "as algo=rm_bradley_terry or algo=rm_regression writes it, or any AutoModelForSequenceClassification with one "
        "label"
    )
    if not (folder / "config.json").is_file():
        raise UserError(f"no reward model at {folder}: a folder with config.json is expected, {wanted}")
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        names = [str(name) for name in config.get("architectures") or []]
        labels = int(config.get("num_labels") or len(config.get("id2label") or "xx"))  # transformers' own default is 2
    except (OSError, ValueError, AttributeError, TypeError) as error:
        why = " ".join(str(error).split())
        raise UserError(f"the reward model at {folder} is damaged: config.json: {why}") from error
    if not any(name.endswith(CLASS) for name in names):
        hint = "; for one of algo=rm_principle use reward=rlbff" if (folder / NOTES).is_file() else ""
        held = ", ".join(names) or "model of no known kind"
        raise UserError(f"{folder} holds a {held}, not a {CLASS}: give a folder {wanted}{hint}")
    if labels != 1:
        raise UserError(f"{folder} holds a {names[0]} with {labels} labels; a reward model has one")
    return read_notes(folder) if (folder / NOTES).is_file() else {}


def _load(folder: Path) -> tuple[Any, Any]:
    """(model, tokenizer) in float32. Code that comes with a model is not run."""
    from transformers import AutoModelForSequenceClassification, AutoTokenizer
    from transformers.utils import logging

    level, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity(logging.CRITICAL)  # what it says as an error, it raises as well
    logging.disable_progress_bar()
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder)
        loaded: Any = AutoModelForSequenceClassification.from_pretrained(
            folder, dtype=torch.float32, output_loading_info=True
        )
    except Exception as error:  # what a foreign folder makes its many readers raise is of no common kind
        raise UserError(f"cannot load the reward model in {folder}: {' '.join(str(error).split())[:200]}") from error
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()
    model, told = loaded
    if lacking := sorted(told["missing_keys"]):
        raise UserError(f"the reward model in {folder} lacks the weights {lacking[0]}: it is not a trained one")
    return model, tokenizer
