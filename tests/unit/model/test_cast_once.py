"""Kept copies of frozen weights change nothing but time."""

import copy

import pytest
import torch
from tiny_families import tiny_family

from foam_cli.model.cast_once import cast_once

IDS = torch.randint(0, 50, (2, 12), generator=torch.Generator().manual_seed(0))


def frozen_pair():
    plain = tiny_family("qwen2")
    for name, parameter in plain.named_parameters():
        parameter.requires_grad_("norm" in name)  # so that there is something to take a gradient of
    kept = copy.deepcopy(plain)
    cast_once(kept)
    return plain, kept


def logits(model):
    with torch.autocast("cpu", dtype=torch.bfloat16):
        return model(input_ids=IDS).logits


def assert_alike(plain, kept):
    one, other = logits(plain), logits(kept)
    assert one.dtype == other.dtype and torch.equal(one, other)
    gradients = [
        torch.autograd.grad(out.float().square().sum(), [p for p in model.parameters() if p.requires_grad])
        for out, model in ((one, plain), (other, kept))
    ]
    assert all(torch.equal(a, b) for a, b in zip(*gradients, strict=True))


def test_a_frozen_model_computes_what_it_did_from_one_copy():
    plain, kept = frozen_pair()
    with torch.inference_mode():  # a copy that is made here must serve training, too
        assert torch.equal(logits(plain), logits(kept))
    layer = kept.model.layers[0].mlp.up_proj
    first = layer._cast
    assert_alike(plain, kept)
    assert layer._cast is first and first.dtype == torch.bfloat16
    assert plain.state_dict().keys() == kept.state_dict().keys()
    assert_alike(plain, copy.deepcopy(kept))


@pytest.mark.parametrize("change", ["in place", "replaced", "loaded"])
def test_a_changed_weight_is_cast_anew(change):
    plain, kept = frozen_pair()
    assert_alike(plain, kept)
    for model in (plain, kept):
        weight = model.model.layers[0].mlp.up_proj.weight
        with torch.no_grad():
            if change == "in place":
                weight[3] = 1.0
            elif change == "replaced":
                weight.data = 2 * weight.data
            else:
                model.load_state_dict({key: 3 * value for key, value in model.state_dict().items()})
    assert_alike(plain, kept)


def test_weights_that_learn_and_passes_without_autocast_are_left_alone():
    plain, kept = frozen_pair()
    assert torch.equal(plain(input_ids=IDS).logits, kept(input_ids=IDS).logits)
    for model in (plain, kept):
        model.requires_grad_(True)
    assert_alike(plain, kept)
    assert not any("_cast" in vars(module) for module in kept.modules())
