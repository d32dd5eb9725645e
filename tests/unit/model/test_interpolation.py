"""The line from a base model to what it became: exact at its ends, linear in the weights between."""

import copy

import pytest
import torch

from foam_cli.model.blocks import insert_block
from foam_cli.model.interpolation import interpolated
from foam_cli.model.neurons import growable_ffns, make_growable
from tests.tiny_families import tiny_family

TOKENS_BT = torch.arange(12).view(2, 6) % 97


def grown_pair(family):
    """A base, its twin of grown structure, and the same structure with every weight moved."""
    base = tiny_family(family, torch.float64)
    twin = copy.deepcopy(base)
    make_growable(twin, 64)
    insert_block(twin, after=0, step=3)
    model = copy.deepcopy(twin)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.1 * torch.randn(parameter.shape, generator=generator, dtype=parameter.dtype))
        for ffn in growable_ffns(model):
            ffn.bank.live_C[:] = True
            ffn.bank.recount()
    return base, twin, model


def logits(model):
    with torch.no_grad():
        return model(TOKENS_BT, use_cache=False).logits


@pytest.mark.parametrize("family", ["gpt2", "llama", "olmo2", "gemma2", "opt"])
def test_both_ends_are_exact_and_the_model_comes_back(family):
    base, twin, model = grown_pair(family)
    trained = logits(model)
    with interpolated(model, twin, 0.0):
        torch.testing.assert_close(logits(model), logits(base), rtol=0, atol=1e-12)
    with interpolated(model, twin, 1.0):
        assert torch.equal(logits(model), trained)
    with interpolated(model, twin, 0.5):
        assert (logits(model) - trained).abs().max() > 1e-3
        assert (logits(model) - logits(base)).abs().max() > 1e-3
    assert torch.equal(logits(model), trained)


def test_pretrained_weights_and_out_columns_lie_on_the_line():
    _, twin, model = grown_pair("llama")
    names = [
        "model.layers.0.mlp.core.up_proj.weight",
        "model.layers.1.self_attn.o_proj.weight",
        "lm_head.weight",
    ]
    before = {name: parameter.clone() for name, parameter in model.named_parameters()}
    start = dict(twin.named_parameters())
    with interpolated(model, twin, 0.25):
        now = dict(model.named_parameters())
        for name in names:
            torch.testing.assert_close(now[name], 0.75 * start[name] + 0.25 * before[name])
        bank = "model.layers.2.mlp.bank."
        assert torch.equal(now[f"{bank}down_CD"], 0.25 * before[f"{bank}down_CD"])
        assert torch.equal(now[f"{bank}up_CD"], before[f"{bank}up_CD"])
        # of the inserted block, which is number 1, the in-projections keep what they have learnt
        inner = "model.layers.1.self_attn.q_proj.weight"
        assert torch.equal(now[inner], before[inner])


def test_recycled_neurons_come_back_with_the_base():
    base, twin, model = grown_pair("llama")
    ffn = growable_ffns(model)[0]
    with torch.no_grad():
        ffn.core_live_F[5] = False
        for parameter, dim in ffn.views.neuron_parameters():
            parameter.index_fill_(dim, torch.tensor([5]), 0.0)
    with interpolated(model, twin, 0.0):
        assert ffn.core_live_F.all()
        torch.testing.assert_close(logits(model), logits(base), rtol=0, atol=1e-12)
    assert not ffn.core_live_F[5]
