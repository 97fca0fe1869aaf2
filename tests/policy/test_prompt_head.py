"""What a head reads from the prompt: the mean of its states, whatever the padding around it."""

from __future__ import annotations

import torch

from crucible.types import Prompt
from tests.policy.models import gpt2


def read(states):
    return states.sum(-1)


def test_it_reads_the_mean_state_of_the_prompts_own_tokens():
    policy = gpt2()
    prompt_ids, prompt_mask = policy.encode([Prompt(id="a", text="1+2="), Prompt(id="b", text="11+22-3=")])
    completion, mask = torch.full((2, 3), 5), torch.tensor([[1.0, 1.0, 0.0], [1.0, 0.0, 0.0]])
    found = policy.token_stats(prompt_ids, prompt_mask, completion, mask, prompt_head=read)
    assert policy.token_stats(prompt_ids, prompt_mask, completion, mask).prompt is None
    for row in range(2):
        alone = prompt_ids[row][prompt_mask[row] > 0].unsqueeze(0)
        states = policy.model.get_decoder()(input_ids=alone).last_hidden_state
        torch.testing.assert_close(found.prompt[row], states[0].mean(0).sum(), atol=1e-4, rtol=1e-4)
    found.prompt.sum().backward()
    assert policy.model.get_decoder().wpe.weight.grad.abs().sum() > 0


def test_rows_without_a_token_read_zero():
    policy = gpt2()
    prompt_ids, prompt_mask = policy.encode([Prompt(id="a", text="1+2="), Prompt(id="b", text="3=")])
    completion, mask = torch.full((2, 2), 5), torch.tensor([[0.0, 0.0], [1.0, 0.0]])
    found = policy.token_stats(prompt_ids, prompt_mask, completion, mask, prompt_head=read).prompt
    assert found[0] == 0
    assert found[1] != 0
    nothing = policy.token_stats(prompt_ids, prompt_mask, completion, mask * 0, prompt_head=read).prompt
    assert nothing.tolist() == [0.0, 0.0]
