"""Low-rank adapters: against their formula, and against the model that they were put on."""

import copy

import pytest
import torch
from tiny_families import tiny_family
from torch import nn
from transformers.pytorch_utils import Conv1D

from foam_cli.core.errors import ConfigError
from foam_cli.core.settings import LoraSettings
from foam_cli.model.blocks import growth_detached
from foam_cli.model.interpolation import interpolated
from foam_cli.model.lora import add_lora, lora_layers, lora_merged, lora_parameters
from foam_cli.model.neurons import num_parameters_in_use

FAMILIES = ("qwen2", "gpt2", "phi3")
SETTINGS = LoraSettings(rank=3, alpha=6.0, targets=None)


def tokens():
    return torch.randint(2, 97, (2, 9), generator=torch.Generator().manual_seed(1))


@torch.no_grad()
def logits(model):
    return model(input_ids=tokens(), use_cache=False).logits


def linear(model):
    return {name: one for name, one in model.named_modules() if isinstance(one, nn.Linear | Conv1D)}


def learnt(model):
    """Adapters as training would leave them: neither factor is zero."""
    with torch.no_grad():
        for number, parameter in enumerate(lora_parameters(model)):
            nn.init.normal_(parameter, std=0.2, generator=torch.Generator().manual_seed(number))
    return model


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_it_starts_as_the_model_and_its_size_follows_from_the_rank(family, dtype):
    model = tiny_family(family, dtype)
    before, layers, size = logits(model), linear(model), num_parameters_in_use(model)
    layers.pop("lm_head", None)
    state = torch.get_rng_state()
    add_lora(model, SETTINGS, seed=0)
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(logits(model), before)
    sides = (sum(one.weight.shape) for one in layers.values())
    assert sum(one.numel() for one in lora_parameters(model)) == 3 * sum(sides)
    assert num_parameters_in_use(model) == size
    assert {one.dtype for one in lora_parameters(model)} == {torch.float32}
    assert lora_layers(model).keys() == layers.keys()


def test_every_first_factor_is_drawn_by_seed_and_name_alone():
    def drawn(seed, targets):
        model = tiny_family("qwen2")
        torch.manual_seed(seed + 7)
        add_lora(model, LoraSettings(rank=3, alpha=6.0, targets=targets), seed=seed)
        return {name: layer.lora_A["default"].weight for name, layer in lora_layers(model).items()}

    some, every = drawn(0, ["q_proj"]), drawn(0, None)
    assert len(some) == 2 and len(every) == 14
    assert all(torch.equal(one, every[name]) for name, one in some.items())
    assert not any(torch.equal(one, every[name]) for name, one in drawn(1, None).items())
    assert all(0.5 < one.abs().max() * one.shape[1] ** 0.5 <= 1 for one in every.values())


@pytest.mark.parametrize("family", FAMILIES)
def test_merged_it_is_what_the_formula_says(family):
    model = tiny_family(family)
    expected = copy.deepcopy(model)
    add_lora(model, SETTINGS, seed=0)
    learnt(model)
    plain = linear(expected)
    with torch.no_grad():
        for name, layer in lora_layers(model).items():
            product = layer.lora_B["default"].weight @ layer.lora_A["default"].weight
            plain[name].weight += 2.0 * (product.T if isinstance(plain[name], Conv1D) else product)
    moved = logits(model)
    torch.testing.assert_close(moved, logits(expected), atol=1e-4, rtol=1e-4)
    assert (moved - logits(tiny_family(family))).abs().max() > 0.1
    merged = lora_merged(model)
    assert not lora_layers(merged)
    assert [*merged.state_dict()] == [*expected.state_dict()]
    torch.testing.assert_close(merged.state_dict(), expected.state_dict(), atol=1e-6, rtol=1e-5)
    assert torch.equal(logits(model), moved)  # the running model was only read


def test_detached_it_is_the_base_bit_for_bit():
    model = tiny_family("qwen2")
    before = logits(model)
    add_lora(model, SETTINGS, seed=0)
    learnt(model)
    moved = logits(model)
    with growth_detached(model):
        assert torch.equal(logits(model), before)
    assert torch.equal(logits(model), moved) and not torch.equal(moved, before)


def test_between_the_base_and_the_trained_model_the_adapters_fade():
    model, half = tiny_family("qwen2"), tiny_family("qwen2")
    for one, alpha in ((model, 6.0), (half, 3.0)):
        add_lora(one, LoraSettings(rank=3, alpha=alpha, targets=None), seed=0)
        learnt(one)
        one.requires_grad_(False)
        for parameter in lora_parameters(one):
            parameter.requires_grad_(True)
    expected, moved = logits(half), logits(model)
    with interpolated(model, tiny_family("qwen2"), 0.5):
        torch.testing.assert_close(logits(model), expected, atol=1e-5, rtol=1e-5)
    assert torch.equal(logits(model), moved)


def test_a_layer_that_is_not_there_is_named():
    with pytest.raises(ConfigError, match=r"no linear layer wo; theirs are down_proj, gate_proj, k_proj"):
        add_lora(tiny_family("qwen2"), LoraSettings(rank=1, alpha=1.0, targets=["wo", "q_proj"]), seed=0)
