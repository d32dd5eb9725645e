"""What growth must not change, bit for bit where that is promised."""

import pytest
import torch
from transformers import GPT2Config, GPT2LMHeadModel

from foam_cli.model.blocks import growth_detached, insert_block
from foam_cli.model.neurons import make_growable, num_parameters_in_use

FAMILIES = ("gpt2", "qwen2", "llama")


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_empty_banks_change_nothing(family, dtype, tiny_model, tokens_BT):
    model = tiny_model(family, dtype)
    before = model(tokens_BT).logits
    make_growable(model, 10)
    assert torch.equal(model(tokens_BT).logits, before)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("growable", [False, True])
def test_an_inserted_block_is_the_identity_bit_for_bit(family, growable, tiny_model, tokens_BT):
    model = tiny_model(family)
    if growable:
        for ffn in make_growable(model, 10):
            with torch.no_grad():  # the copied bank must not be copied along
                for parameter in ffn.bank.parameters():
                    parameter.normal_(std=0.1)
    before = model(tokens_BT).logits
    for after in (2, 0, 1):
        insert_block(model, after, 1)
        assert torch.equal(model(tokens_BT).logits, before)
        assert torch.equal(model(tokens_BT, use_cache=False).logits, before)


@pytest.mark.parametrize("family", FAMILIES)
def test_an_inserted_block_can_learn(family, tiny_model, tokens_BT):
    model = tiny_model(family)
    block = insert_block(model, 1, 1)
    model(tokens_BT, labels=tokens_BT).loss.backward()
    zeroed = [p for p in block.parameters() if p.ndim > 1 and not p.any()]
    assert len(zeroed) == 2
    assert all(p.grad.any() for p in zeroed)


@pytest.mark.parametrize("family", FAMILIES)
def test_detached_growth_of_a_frozen_core_is_the_base_bit_for_bit(family, tiny_model, tokens_BT):
    model = tiny_model(family)
    model.requires_grad_(False)
    before = model(tokens_BT).logits
    ffns = make_growable(model, 10)
    blocks = [insert_block(model, 2, 1), insert_block(model, 0, 1)]
    with torch.no_grad():
        for parameter in [
            *[p for ffn in ffns for p in ffn.bank.parameters()],
            *[p for b in blocks for p in b.parameters()],
        ]:
            parameter.normal_(std=0.1)
    grown = model(tokens_BT).logits
    assert (grown - before).abs().max() > 1e-2
    with growth_detached(model):
        assert torch.equal(model(tokens_BT).logits, before)
    assert torch.equal(model(tokens_BT).logits, grown)


def test_gpt2_grows_from_12_to_15_blocks():
    with torch.device("meta"):
        model = GPT2LMHeadModel(GPT2Config())
    assert num_parameters_in_use(model) == 124_439_808
    for after in (3, 7, 11):
        insert_block(model, after, 500)
    assert num_parameters_in_use(model) == 145_703_424
    assert model.config.n_layer == 15
