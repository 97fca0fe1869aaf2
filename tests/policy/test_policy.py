from __future__ import annotations

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from crucible.errors import UserError
from crucible.policy import load
from crucible.types import Prompt
from tests.policy.models import qwen3

TEMPLATE = (
    "{% for m in messages %}[{{ m['role'] }}]{{ m['content'] }}{% endfor %}"
    "{% if add_generation_prompt %}[assistant]{% endif %}{% if loud %}!{% endif %}"
)


def test_prompts_are_padded_on_the_left():
    policy = qwen3()
    ids, mask = policy.encode([Prompt("a", "1+2="), Prompt("b", "10+2=")])
    assert ids.shape == mask.shape == (2, 6)
    assert mask.tolist() == [[0, 1, 1, 1, 1, 1], [1] * 6]
    assert ids[0, 0] == policy.pad_id
    assert policy.decode(ids, mask) == ["1+2=", "10+2="]


def test_decode_reads_only_counted_tokens_and_tidies_nothing():
    policy = qwen3()
    ids = policy.tokenizer(" a , b .  Yes", add_special_tokens=False, return_tensors="pt")["input_ids"]
    mask = torch.ones_like(ids, dtype=torch.float32)
    assert policy.decode(ids, mask) == [" a , b .  Yes"]
    mask[0, 4:] = 0
    assert policy.decode(ids, mask) == [" a ,"]


def test_a_character_outside_the_alphabet_is_refused_by_name():
    with pytest.raises(UserError, match=r"prompt b: .* does not know '×'"):
        qwen3().encode([Prompt("a", "7*8="), Prompt("b", "7×8=")])


def test_a_prompt_without_room_is_refused_with_the_numbers():
    policy = qwen3(context_length=16)
    policy.check_prompts([Prompt("a", "1" * 7)], 8)
    with pytest.raises(UserError, match=r"prompt b has 9 tokens; with 8 .* context of 16: at most 8 fit"):
        policy.check_prompts([Prompt("a", "1" * 7), Prompt("b", "1" * 8)], 8)
    with pytest.raises(UserError, match="prompt b"):
        policy.encode([Prompt("b", "1" * 8)], max_tokens=8)


def test_chats_go_through_the_template_and_plain_prompts_too_unless_told_otherwise():
    policy = qwen3()
    chat = Prompt("a", messages=({"role": "system", "content": "add"}, {"role": "user", "content": "1+1"}))
    with pytest.raises(UserError, match="no chat template"):
        policy.encode([chat])
    policy.tokenizer.chat_template = TEMPLATE
    shown = [policy.tokenizer.decode(ids) for ids in policy.token_ids([chat, Prompt("b", "2+2")])]
    assert shown == ["[system]add[user]1+1[assistant]", "[user]2+2[assistant]"]
    policy.chat = False
    shown = [policy.tokenizer.decode(ids) for ids in policy.token_ids([chat, Prompt("b", "2+2")])]
    assert shown == ["[system]add[user]1+1[assistant]", "<bos>2+2"]
    policy.template_options = {"loud": True}
    assert policy.tokenizer.decode(policy.token_ids([chat])[0]).endswith("[assistant]!")


def test_save_writes_a_plain_folder_and_replaces_an_earlier_one(tmp_path):
    policy, other = qwen3(), qwen3(seed=1)
    path = tmp_path / "policy"
    policy.save(path)
    other.save(path)
    assert [p.name for p in tmp_path.iterdir()] == ["policy"]
    model, tokenizer = AutoModelForCausalLM.from_pretrained(path), AutoTokenizer.from_pretrained(path)
    assert tokenizer("1+1=")["input_ids"] == other.tokenizer("1+1=")["input_ids"]
    for name, value in other.model.state_dict().items():
        assert torch.equal(value, model.state_dict()[name])
    again = load(path)
    assert (again.context_length, again.eos_ids, again.pad_id) == (other.context_length, other.eos_ids, other.pad_id)


def test_save_does_not_replace_a_folder_that_is_no_model(tmp_path):
    (tmp_path / "thesis.txt").write_text("precious")
    with pytest.raises(UserError, match="refusing to replace"):
        qwen3().save(tmp_path)
    assert (tmp_path / "thesis.txt").read_text() == "precious"


def test_loading_from_nowhere_is_one_clear_line(tmp_path):
    with pytest.raises(UserError, match=r"no model at .*nothing"):
        load(tmp_path / "nothing")


def test_end_tokens_of_the_generation_config_count_too():
    policy = qwen3()
    policy.model.generation_config.eos_token_id = [policy.eos_id, 40, 41]
    assert policy.eos_ids == (policy.eos_id, 40, 41)
