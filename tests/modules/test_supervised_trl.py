"""The same demonstrations through TRL's SFTTrainer: the same tokens, the same loss, the same gradient."""

from __future__ import annotations

import pytest
import torch
from tests.policy.models import qwen3

from crucible.algorithms.aggregation.token_mean import token_mean
from crucible.algorithms.supervised.dft import dft
from crucible.algorithms.supervised.nll import nll
from crucible.modules.given_rows import Encoder
from crucible.modules.supervised import TokenObjective
from crucible.ranks import ALONE
from crucible.types import Demonstration, Prompt

pytest.importorskip("trl")

# each message between its role's first letter and the end token, as chat models' templates do
TEMPLATE = (
    "{% for m in messages %}{{ m['role'][0] }}:{{ m['content'] }}{{ eos_token }}{% endfor %}"
    "{% if add_generation_prompt %}a:{% endif %}"
)
PLAIN = [
    Demonstration(Prompt("a", "7+8="), "7+8=15"),
    Demonstration(Prompt("b", "1+2+3="), "1+2=3;3+3=6"),
    Demonstration(Prompt("c", "2="), "Yes"),
]
CHAT = [
    Demonstration(Prompt("a", messages=({"role": "user", "content": "7+8?"},)), "15"),
    Demonstration(
        Prompt("b", messages=({"role": "system", "content": "s"}, {"role": "user", "content": "hi"})), "hello"
    ),
]


def as_trl_has_them(items):
    def row(item):
        if not item.prompt.messages:
            return {"prompt": item.prompt.text, "completion": item.completion}
        answer = {"role": "assistant", "content": item.completion}
        return {"prompt": [dict(m) for m in item.prompt.messages], "completion": [answer]}

    return [row(item) for item in items]


def trainer(policy, items, loss_type, folder):
    from datasets import Dataset
    from trl import SFTConfig, SFTTrainer

    config = SFTConfig(
        output_dir=str(folder), use_cpu=True, bf16=False, report_to=[], gradient_checkpointing=False, max_length=None,
        loss_type=loss_type, per_device_train_batch_size=len(items), disable_tqdm=True,
    )  # fmt: skip
    return SFTTrainer(
        model=policy.model, args=config, train_dataset=Dataset.from_list(as_trl_has_them(items)),
        processing_class=policy.tokenizer,
    )  # fmt: skip


def gradients(policy):
    return torch.cat([p.grad.flatten() for p in policy.model.parameters()])


@pytest.mark.parametrize(("loss", "loss_type"), [(nll, "nll"), (dft, "dft")])
@pytest.mark.parametrize("items", [PLAIN, CHAT], ids=["prompt-completion", "conversational"])
def test_the_same_tokens_loss_and_gradient(loss, loss_type, items, tmp_path):
    policy = qwen3()
    policy.model.train()
    if items is CHAT:
        policy.tokenizer.chat_template = TEMPLATE
    theirs = trainer(policy, items, loss_type, tmp_path)
    batch = next(iter(theirs.get_train_dataloader()))
    rows = Encoder(policy).rows([(item.prompt, item.completion) for item in items])
    seen = {
        (tuple(ids[visible > 0].tolist()), tuple(labels[labels >= 0].tolist()))
        for ids, visible, labels in zip(batch["input_ids"], batch["attention_mask"], batch["labels"], strict=True)
    }
    ours = {
        (
            (*prompt[seen_prompt > 0].tolist(), *answer[counted > 0].tolist()),
            tuple(answer[counted > 0].tolist()),
        )
        for prompt, seen_prompt, answer, counted in zip(
            rows.prompt_ids, rows.prompt_mask, rows.completion_ids, rows.mask, strict=True
        )
    }
    assert ours == seen
    policy.model.zero_grad()
    expected = theirs.compute_loss(theirs.model, dict(batch))
    expected.backward()
    slope = gradients(policy)
    policy.model.zero_grad()
    objective = TokenObjective(
        policy=policy, encoder=Encoder(policy), loss=loss, aggregation=token_mean, reference=None,
        micro_batch_tokens=40, max_completion_tokens=32, ranks=ALONE,
    )  # fmt: skip
    found = objective.learn(items, {"updates_done": 0, "progress": 0.0}, torch.Tensor.backward)
    assert found["policy/loss"] == pytest.approx(expected.item(), rel=1e-5)
    torch.testing.assert_close(gradients(policy), slope, rtol=1e-4, atol=1e-5 * float(slope.abs().max()))
    assert slope.abs().max() > 1e-3


def test_no_loss_type_of_trl_is_left_out():
    from dataclasses import fields

    from trl import SFTConfig

    choices = next(f for f in fields(SFTConfig) if f.name == "loss_type").metadata["choices"]
    assert set(choices) == {"nll", "dft", "chunked_nll"}  # chunked_nll: the deprecated name of nll
