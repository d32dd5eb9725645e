"""Surgery: what is written, what is refused, what is counted."""

import pytest
import torch
from tiny_families import tiny_family
from torch.nn import functional as F

from foam_cli.core.errors import GrowthError
from foam_cli.core.growth import BlockBirth, GrowthPlan, NeuronBirths
from foam_cli.model.blocks import block_births, growth_detached, insert_block
from foam_cli.model.neurons import (
    growable_ffns,
    make_growable,
    num_parameters_in_use,
    num_trainable_in_use,
)
from foam_cli.model.sites import find_blocks
from foam_cli.model.surgery import apply

FAMILIES = ("gpt2", "qwen2", "llama")


def births(ffn, num=3, block=1, **changes):
    generator = torch.Generator().manual_seed(num)

    def rows(*shape):
        return torch.randn(*shape, generator=generator)

    fields = {
        "block": block,
        "up_GD": rows(num, 32),
        "gate_GD": None if ffn.bank.gate_CD is None else rows(num, 32),
        "bias_G": None if ffn.bank.bias_C is None else rows(num),
        "down_GD": rows(num, 32),
        "sources": (None,) * num,
    }
    return NeuronBirths(**{**fields, **changes})


def plan(*neurons, blocks=()):
    made = tuple(BlockBirth(after=after) for after in blocks)
    return GrowthPlan(event=1, step=7, reason="test", neurons=neurons, blocks=made, notes={"why": "not"})


@pytest.mark.parametrize("family", FAMILIES)
def test_grown_neurons_add_what_the_formula_says(family, tiny_model):
    model = tiny_model(family)
    ffn = make_growable(model, 5)[1]
    born = births(ffn)
    record, touched = apply(model, plan(born), 7)
    x = torch.randn(6, 32, generator=torch.Generator().manual_seed(0))
    up = x @ born.up_GD.T
    if born.gate_GD is None:
        h = F.gelu(up + born.bias_G, approximate="tanh")
    else:
        h = F.silu(x @ born.gate_GD.T) * up
    torch.testing.assert_close(ffn(x), ffn.core(x) + h @ born.down_GD, atol=1e-5, rtol=1e-5)
    assert ffn.bank.live_C.nonzero().flatten().tolist() == [0, 1, 2]
    assert ffn.bank.birth_C[:4].tolist() == [7, 7, 7, 0]
    assert [(part.ffn, part.slots, part.core) for part in touched] == [(ffn, (0, 1, 2), ())]
    per_neuron = 2 * 32 + 1 if family == "gpt2" else 3 * 32
    assert record.parameters_after - record.parameters_before == 3 * per_neuron
    assert (record.born, record.recycled, record.notes) == ({1: 3}, {}, {"why": "not"})


@pytest.mark.parametrize("name", ["gpt2", "opt", "bloom"])
def test_dropout_in_an_ffn_leaves_empty_slots_silent_and_grown_neurons_learning(name, tokens_BT):
    """GPT-2 drops within its FFN, OPT behind it in the block, Bloom where it adds the residual stream."""
    model = tiny_family(name)
    for module in model.modules():
        for field in ("p", "dropout", "hidden_dropout"):
            if isinstance(getattr(module, field, None), float):
                setattr(module, field, 0.5)
    ffns = make_growable(model, 5)
    apply(model, plan(*(births(ffn, block=index) for index, ffn in enumerate(ffns))), 0)
    model.train()
    torch.manual_seed(0)
    dropped = [model(tokens_BT).logits for _ in range(2)]
    assert not torch.equal(*dropped)
    model(tokens_BT, labels=tokens_BT).loss.backward()
    for ffn in ffns:
        for rows in ffn.bank.parameters():
            assert rows.grad[:3].any() and not rows.grad[3:].any()
    x, others = torch.randn(2, 4, 32), [torch.zeros(2, 4, 32)] * (name == "bloom")
    torch.manual_seed(1)
    core = ffns[1].core(x, *others)
    torch.manual_seed(1)
    torch.testing.assert_close(ffns[1](x, *others) - core, ffns[1].bank(x), atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("family", FAMILIES)
def test_recycling_removes_exactly_the_neuron(family, tiny_model):
    model = tiny_model(family)
    ffn = make_growable(model, 5)[1]
    x = torch.randn(6, 32, generator=torch.Generator().manual_seed(0))
    captured = []
    handle = ffn.views.down.register_forward_pre_hook(lambda _, args: captured.append(args[0]))
    before = ffn(x)
    handle.remove()
    share = captured[0][:, [4, 9]] @ ffn.views.down_FD[[4, 9]]
    empty = births(ffn, num=0, recycled=(9, 4))
    record, touched = apply(model, plan(empty), 7)
    torch.testing.assert_close(ffn(x), before - share, atol=1e-5, rtol=1e-5)
    assert (~ffn.core_live_F).nonzero().flatten().tolist() == [4, 9]
    assert touched[0].core == (9, 4)
    per_neuron = 2 * 32 + 1 if family == "gpt2" else 3 * 32
    assert record.parameters_before - record.parameters_after == 2 * per_neuron


def test_a_recycled_slot_is_free_for_the_same_event(tiny_model):
    model = tiny_model("llama")
    ffn = make_growable(model, 64)[1]
    apply(model, plan(births(ffn, num=64)), 1)
    slot = ffn.width + 17
    born = births(ffn, num=1, recycled=(slot,))
    _, touched = apply(model, plan(born), 9)
    assert touched[0].slots == (17,)
    assert torch.equal(ffn.bank.up_CD[17], born.up_GD[0])
    assert ffn.bank.birth_C[17] == 9


def bad_plans(ffn):
    thin = torch.zeros(3, 16)
    nan = torch.full((3, 32), torch.nan)
    return {
        "slots are free": births(ffn, num=65),
        "growable FFNs": births(ffn, block=3),
        "shape": births(ffn, up_GD=thin, gate_GD=thin, down_GD=thin),
        "layout": births(ffn, gate_GD=None),
        "not finite": births(ffn, up_GD=nan),
        "recycle": births(ffn, recycled=(ffn.width,)),  # an empty slot
        "twice": births(ffn, recycled=(3, 3)),
    }


@pytest.mark.parametrize(
    "why", ["slots are free", "growable FFNs", "shape", "layout", "not finite", "recycle", "twice"]
)
def test_a_refused_plan_changes_nothing(why, tiny_model):
    model = tiny_model("llama")
    ffns = make_growable(model, 1)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    with pytest.raises(GrowthError, match=why):
        apply(model, plan(births(ffns[0], block=0, recycled=(1,)), bad_plans(ffns[1])[why]), 7)
    after = model.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_blocks_of_one_plan_refer_to_the_model_before_it(tiny_model):
    model = tiny_model("llama")
    old = list(find_blocks(model)[1])
    apply(model, plan(blocks=(0, 2)), 7)
    blocks = list(find_blocks(model)[1])
    assert [blocks[0], blocks[2], blocks[3]] == old
    assert block_births(model) == [None, 7, None, None, 7]
    with pytest.raises(GrowthError, match="no block 5"):
        apply(model, plan(blocks=(5,)), 7)


@pytest.mark.parametrize("family", FAMILIES)
def test_an_inserted_block_is_numbered_shares_the_config_and_has_an_empty_bank(family, tiny_model, tokens_BT):
    model = tiny_model(family)
    ffns = make_growable(model, 4)
    apply(model, plan(births(ffns[1], recycled=(2,))), 7)
    before = num_parameters_in_use(model)
    block = insert_block(model, 1, 8)
    bank_free = growable_ffns(block)[0]
    assert not bank_free.bank.live_C.any() and not any(p.any() for p in bank_free.bank.parameters())
    assert bank_free.views.module is bank_free.core and bank_free.core_live_F.all()
    assert ffns[1].bank.live_C.sum() == 3  # the original's bank is untouched
    ids = [m.layer_idx for b in find_blocks(model)[1] for m in b.modules() if hasattr(m, "layer_idx")]
    assert ids == sorted(ids) and set(ids) == {0, 1, 2, 3}
    assert model.config.num_hidden_layers == 4
    assert all(m.config is model.config for m in block.modules() if hasattr(m, "config"))
    if family == "qwen2":
        assert len(model.config.layer_types) == 4
    own = sum(p.numel() for p in block.parameters()) - sum(p.numel() for p in bank_free.bank.parameters())
    assert num_parameters_in_use(model) == before + own == num_trainable_in_use(model)
    model.requires_grad_(False)
    ffns[1].bank.requires_grad_(True)
    assert num_trainable_in_use(model) == 3 * ffns[1].bank.numel_per_neuron
    cached = model.generate(
        tokens_BT[:1], attention_mask=torch.ones(1, 16), max_new_tokens=4, do_sample=False
    )
    plain = tokens_BT[:1]
    for _ in range(4):
        plain = torch.cat([plain, model(plain, use_cache=False).logits[:, -1:].argmax(-1)], dim=1)
    assert torch.equal(cached, plain[:, : cached.shape[1]])


def test_detaching_is_undone_after_an_error(tiny_model):
    model = tiny_model("qwen2")
    make_growable(model, 1)
    insert_block(model, 0, 3)
    blocks = list(find_blocks(model)[1])
    with pytest.raises(RuntimeError), growth_detached(model):
        assert len(find_blocks(model)[1]) == 3
        raise RuntimeError
    assert list(find_blocks(model)[1]) == blocks
    assert model.config.num_hidden_layers == len(model.config.layer_types) == 4
    assert not any(ffn.detached for ffn in growable_ffns(model))
