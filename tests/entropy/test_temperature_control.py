"""The temperature as the thing controlled."""

from __future__ import annotations

import pytest
import torch

from crucible.entropy.temperature_control import TemperatureControl
from crucible.errors import UserError
from crucible.policy.token_stats import selected_stats


def oracle(entropies, *, start=1.0, target=0.2, gain=1.0, minimum=0.8, maximum=1.2, rule="proportional"):
    """The temperature of each step, the first included."""
    found = [start]
    for h in entropies:
        if rule == "switch":
            found.append(maximum if h <= target else minimum)
        else:
            found.append(sorted((minimum, found[-1] + gain * (target - h), maximum))[1])
    return found


@pytest.mark.parametrize("options", [{}, {"gain": 0.1}, {"rule": "switch"}, {"target": 0.4, "maximum": 3.0}])
def test_in_step_with_the_oracle(options):
    entropies = [0.15, 0.2, 0.05, 0.9, 0.1, 0.0, 0.0, 0.3]
    control, expected = TemperatureControl(**options), oracle(entropies, **options)
    for h, temperature in zip(entropies, expected, strict=False):
        assert control.temperature(1.0) == pytest.approx(temperature)
        assert control.after_step(h) == {"entropy/temperature": pytest.approx(temperature)}
    assert control.temperature(1.0) == pytest.approx(expected[-1])


def test_worked_numbers():
    """T 1, gain 1, H .15, target .2: 1.05."""
    control = TemperatureControl()
    assert control.temperature(1.0) == 1.0
    control.after_step(0.15)
    assert control.temperature(1.0) == pytest.approx(1.05)


@pytest.mark.parametrize(("temperature", "entropy"), [(0.5, 0.441057), (1.0, 0.832396), (2.0, 1.020191)])
def test_the_entropy_it_is_told_is_that_at_the_temperature(temperature, entropy):
    logits = torch.tensor([[2.0, 1.0, 0.0]])
    _, found = selected_stats(logits, torch.tensor([0]), lambda h: h, temperature=temperature, vocabulary=3)
    assert found.item() == pytest.approx(entropy, abs=1e-6)


def test_it_starts_at_what_is_configured_and_goes_on_from_a_checkpoint():
    control = TemperatureControl(maximum=2.0)
    assert control.temperature(0.7) == 0.7
    control.after_step(0.1)
    resumed = TemperatureControl(maximum=2.0)
    resumed.load_state_dict(control.state_dict())
    assert resumed.temperature(0.7) == control.temperature(0.7) == pytest.approx(0.8)


@pytest.mark.parametrize(
    ("options", "message"),
    [({"minimum": 0.0}, "minimum is 0.0"), ({"minimum": 2.0}, "minimum is 2.0"), ({"rule": "swich"}, '"switch"')],
)
def test_what_means_nothing_is_refused(options, message):
    with pytest.raises(UserError, match=message):
        TemperatureControl(**options)
