from __future__ import annotations

import json

import pytest
import torch
from transformers import AutoModelForCausalLM, Gemma2Config, Gemma2ForCausalLM

from crucible.errors import UserError
from crucible.policy.hf import hf
from crucible.policy.policy import Policy
from crucible.rollout.embedded import EmbeddedEngine
from crucible.types import Prompt, Sampling
from tests.policy.models import gpt2, llama


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "llama"
    llama().save(path)
    return path


def open_model(path, said=None, **options) -> Policy:
    report = (said if said is not None else []).append
    return hf(task=None, cache_dir=".", report=report, name_or_path=str(path), **options)


def stats(policy: Policy) -> torch.Tensor:
    ids, mask = policy.encode([Prompt("a", "1+1="), Prompt("b", "22+1=")])
    completion = torch.arange(10, 18).view(2, 4)
    return policy.token_stats(ids, mask, completion, torch.ones(2, 4)).logps


def test_a_local_folder_gives_the_same_model(folder):
    torch.testing.assert_close(stats(open_model(folder)), stats(llama()), atol=1e-6, rtol=0)


def test_bfloat16_keeps_log_probabilities_in_float32(folder):
    policy = open_model(folder, dtype="bfloat16")
    assert policy.model.dtype == torch.bfloat16
    assert stats(policy).dtype == torch.float32
    torch.testing.assert_close(stats(policy), stats(llama()), atol=0.3, rtol=0)
    EmbeddedEngine(policy).generate([Prompt("a", "1+1=")], 2, Sampling(max_tokens=4))


@pytest.mark.parametrize("name", ["./nowhere", "/no/such/model", "runs/a/b/policy"])
def test_a_missing_folder_is_one_line(name):
    with pytest.raises(UserError, match=f"no model in {name}"):
        open_model(name)


def test_a_name_that_cannot_be_fetched_is_one_line(monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(UserError, match="cannot load 'nobody/no-such-model'") as caught:
        open_model("nobody/no-such-model")
    assert "\n" not in str(caught.value)


def test_the_limit_of_a_tokenizer_can_be_replaced_up_to_the_models_positions(folder):
    """Some tokenizers are released with a limit far below what the model was made for."""
    config = folder / "tokenizer_config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | {"model_max_length": 7}))
    positions = llama().model.config.max_position_embeddings
    assert open_model(folder).context_length == 7
    assert open_model(folder, context_length=positions - 1).context_length == positions - 1
    for impossible in (0, positions + 1):
        with pytest.raises(UserError, match=f"model.context_length={impossible}: .* 1 to {positions} tokens"):
            open_model(folder, context_length=impossible)


def test_an_unknown_dtype_is_refused(folder):
    with pytest.raises(UserError, match="'float8'; it must be one of float32, bfloat16"):
        open_model(folder, dtype="float8")


def test_a_missing_padding_token_is_replaced_and_said(folder):
    policy = llama()
    policy.tokenizer.pad_token = None
    policy.tokenizer.save_pretrained(folder)
    said: list[str] = []
    opened = open_model(folder, said)
    assert opened.pad_id == opened.eos_id
    assert said == ["the tokenizer has no padding token: '<eos>' is used"]
    # ... and an end token that is also the padding still counts when it is drawn
    opened.model.generation_config.eos_token_id = list(range(102))
    out = EmbeddedEngine(opened).generate([Prompt("a", "1+1=")], 2, Sampling(max_tokens=4))
    assert out.mask.tolist() == [[1.0], [1.0]]


def test_lora_trains_adapters_only_and_saves_a_merged_plain_model(folder, tmp_path):
    said: list[str] = []
    policy = open_model(folder, said, lora={"r": 2, "alpha": 4, "targets": ["q_proj", "v_proj"]})
    torch.testing.assert_close(stats(policy), stats(llama()), atol=1e-6, rtol=0)
    trained = [p for p in policy.model.parameters() if p.requires_grad]
    assert said == [f"LoRA: {sum(p.numel() for p in trained):,} trained parameters"]
    optimiser = torch.optim.SGD(trained, lr=0.5)
    for _ in range(2):
        optimiser.zero_grad()
        stats(policy).sum().backward()
        optimiser.step()
    after = stats(policy).detach()
    assert (after - stats(llama())).abs().max() > 0.01
    out = EmbeddedEngine(policy).generate([Prompt("a", "1+1=")], 3, Sampling(max_tokens=6))
    again = policy.token_stats(out.prompt_ids, out.prompt_mask, out.completion_ids, out.mask).logps
    torch.testing.assert_close(out.sampling_logps, again.detach(), atol=2e-5, rtol=0)

    policy.save(tmp_path / "merged")
    assert (tmp_path / "merged" / "model.safetensors").is_file()
    plain = Policy(AutoModelForCausalLM.from_pretrained(tmp_path / "merged"), policy.tokenizer)
    torch.testing.assert_close(stats(plain), after, atol=1e-5, rtol=0)
    torch.testing.assert_close(stats(policy), after, atol=0, rtol=0)  # saving left the run alone


@pytest.mark.parametrize("lora", [{"r": 2}, {"r": 2, "alpha": 4, "rank": 3}], ids=str)
def test_wrong_lora_options_are_refused(folder, lora):
    with pytest.raises(UserError, match="it takes r, alpha and optionally targets, dropout"):
        open_model(folder, lora=lora)


def test_lora_targets_that_do_not_exist_are_refused(folder):
    with pytest.raises(UserError, match=r"model.lora: "):
        open_model(folder, lora={"r": 2, "alpha": 4, "targets": ["no_such_layer"]})


@pytest.mark.parametrize("lora", [None, {"r": 2, "alpha": 4}], ids=["full", "lora"])
def test_gradient_checkpointing_gives_the_same_gradient(folder, lora):
    plain = open_model(folder, lora=lora)
    saving = open_model(folder, lora=lora, gradient_checkpointing=True)
    saving.model.load_state_dict(plain.model.state_dict())
    for policy in (plain, saving):
        policy.model.train()
        stats(policy).sum().backward()
    pairs = list(zip(plain.model.parameters(), saving.model.parameters(), strict=True))
    assert any(p.grad is not None and p.grad.abs().sum() > 0 for p, _ in pairs)
    for p, q in pairs:
        assert (p.grad is None) == (q.grad is None)
        if p.grad is not None:
            torch.testing.assert_close(q.grad, p.grad, atol=1e-4, rtol=1e-4)


def test_another_architecture_works_too(tmp_path):
    gpt2().save(tmp_path / "gpt2")
    policy = open_model(tmp_path / "gpt2")
    out = EmbeddedEngine(policy).generate([Prompt("a", "1+1="), Prompt("b", "2=")], 3, Sampling(max_tokens=6))
    again = policy.token_stats(out.prompt_ids, out.prompt_mask, out.completion_ids, out.mask).logps
    torch.testing.assert_close(out.sampling_logps, again.detach(), atol=2e-5, rtol=0)


def test_a_model_that_bends_its_logits_is_refused(tmp_path):
    config = Gemma2Config(
        vocab_size=102,
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=8,
        intermediate_size=48,
        max_position_embeddings=64,
        final_logit_softcapping=0.5,
        initializer_range=0.5,
    )
    Policy(Gemma2ForCausalLM(config).eval(), llama().tokenizer).save(tmp_path / "gemma")
    with pytest.raises(UserError, match="Gemma2ForCausalLM changes its logits after the output layer"):
        open_model(tmp_path / "gemma")
