"""What a run makes of a neuron's age, through all that lies between the policy and the weights."""

import pytest
import torch

from foam_cli.config import compose
from foam_cli.engine.grow import Grower
from foam_cli.engine.optimizers import Optimizers
from foam_cli.engine.run import build_settings
from foam_cli.model.neurons import make_growable


@pytest.mark.parametrize("family", ["gpt2", "llama"])
def test_a_young_neurons_update_is_twice_that_of_the_same_neuron_grown_old(family, tiny_model):
    values = compose(["growth=v3", "hardware=cpu", "hardware.threads=1", "train.weight_decay=0.1"]).values
    settings, model = build_settings(values), tiny_model(family)
    ffns = make_growable(model, 2)
    grower = Grower(settings, model, ffns, Optimizers(model, settings.train, settings.hardware))
    bank = ffns[1].bank
    bank.live_C[:2] = True
    bank.birth_C[:2] = torch.tensor([1, 0])  # after 500 steps one is 499 steps old, the other 500
    for rows in bank.parameters():
        one = torch.randn(rows[:1].shape, generator=torch.Generator().manual_seed(3))
        rows.grad = torch.zeros_like(rows)
        rows.grad[:2] = one
    grower.step(500)
    for rows in bank.parameters():
        young, old = rows.detach()[:2]  # the rows were zero, so they are the update
        assert old.abs().min() > 0
        torch.testing.assert_close(young, 2.000 * old, rtol=1e-6, atol=0)
