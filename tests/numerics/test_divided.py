"""Splitting and duplicating: what the source keeps and what it gives add up, in every precision."""

import pytest
import torch

from foam_cli.core.errors import GrowthError
from foam_cli.core.growth import GrowthPlan
from foam_cli.growth.context import GrowthContext
from foam_cli.growth.initializers.duplicate import Duplicate
from foam_cli.growth.initializers.paired import Paired
from foam_cli.growth.initializers.split import Split
from foam_cli.model.neuron_adamw import NeuronAdamW
from foam_cli.model.neurons import make_growable
from foam_cli.model.optimizer import CoreOptimizer, forget
from foam_cli.model.surgery import apply


def context_of(ffns):
    return GrowthContext(
        step=0, seed=0, ffns=ffns, signals=(), validation_losses=(), block_births=(None,) * 3
    )


def plan(*births):
    return GrowthPlan(event=1, step=5, reason="test", neurons=births)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
@pytest.mark.parametrize(
    ("rule", "kept"), [(Split(alpha=0.25), 0.25), (Split(alpha=0.6), 0.6), (Duplicate(), 0.5)]
)
def test_the_two_parts_add_up(rule, kept, dtype, tiny_model):
    model = tiny_model("llama", dtype)
    ffn = make_growable(model, 4)[1]
    whole = ffn.views.down_FD[[7, 70]].double()
    _, touched = apply(model, plan(rule.bear(context_of([ffn] * 2), 1, (7, 70), event=1)), 5)
    left, given = ffn.views.down_FD[[7, 70]].double(), ffn.bank.down_CD[:2].double()
    assert ((left + given - whole).abs() <= 2**-24 * whole.abs()).all()
    torch.testing.assert_close(left, kept * whole, rtol=2**-7, atol=0)
    for rows, core in ((ffn.bank.up_CD, ffn.views.up_FD), (ffn.bank.gate_CD, ffn.views.gate_FD)):
        assert torch.equal(rows[:2].to(dtype), core[[7, 70]])
    assert touched[0].divided == (7, 70) and ffn.core_live_F.all()


def test_a_grown_neuron_can_be_divided_too(tiny_model):
    model = tiny_model("gpt2")
    ffn = make_growable(model, 4)[0]
    rule, ffns = Split(alpha=0.25), [ffn]
    apply(model, plan(rule.bear(context_of(ffns), 0, (3,), event=1)), 5)
    x = torch.randn(6, 32, generator=torch.Generator().manual_seed(0))
    before, whole = ffn(x), ffn.bank.down_CD[0].clone()
    apply(model, plan(rule.bear(context_of(ffns), 0, (80, 9), event=2)), 9)
    torch.testing.assert_close(ffn(x), before, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(ffn.bank.down_CD[0], 0.25 * whole)
    torch.testing.assert_close(ffn.bank.down_CD[1], 0.75 * whole)
    assert torch.equal(ffn.bank.bias_C[[0, 1]], ffn.views.bias_F[[3, 3]])


def test_low_bits_of_a_divided_column_are_dropped(tiny_model):
    """Else the optimizer would add what the *undivided* column had below its last bf16 bit."""
    model = tiny_model("llama", torch.bfloat16)
    ffn = make_growable(model, 4)[0]
    optimizer = CoreOptimizer(
        list(model.named_parameters()), kind="adamw", betas=(0.9, 0.95), eps=1e-8, weight_decay=0.0
    )
    optimizer.set_lr(lambda birth: 1e-5)
    for parameter in model.parameters():
        parameter.grad = torch.ones_like(parameter)
    optimizer.step()
    name = next(name for name, p in model.named_parameters() if p is ffn.views.down.weight)
    assert optimizer.state_tensors(model)[f"{name}.low_bits"][:, 7].any()
    _, touched = apply(model, plan(Split(alpha=0.25).bear(context_of([ffn]), 0, (7,), event=1)), 5)
    neurons = NeuronAdamW([ffn.bank], betas=(0.9, 0.95), eps=1e-8, weight_decay=0.0)
    forget(touched, neurons, optimizer)
    low_DF = optimizer.state_tensors(model)[f"{name}.low_bits"]
    assert not low_DF[:, 7].any() and low_DF[:, 8].any()


@pytest.mark.parametrize("sources", [(7, 7), (7, 143)])  # twice the same; an empty slot
def test_what_cannot_be_divided_is_refused_and_nothing_changes(sources, tiny_model):
    model = tiny_model("llama")
    ffn = make_growable(model, 4)[0]
    before = {name: value.clone() for name, value in model.state_dict().items()}
    births = Split(alpha=0.25).bear(context_of([ffn]), 0, sources, event=1)
    with pytest.raises(GrowthError, match="cannot be divided"):
        apply(model, plan(births), 5)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


@pytest.mark.parametrize("family", ["gpt2", "llama"])
def test_partners_cancel_and_part(family, tiny_model, tokens_BT):
    model = tiny_model(family)
    ffn = make_growable(model, 5)[1]
    births = Paired(in_std=0.1, out_std=0.1).bear(context_of([ffn] * 2), 1, (0,) * 5, event=1)
    apply(model, plan(births), 5)
    assert torch.equal(births.up_GD[0], births.up_GD[1]) and torch.equal(births.up_GD[2], births.up_GD[3])
    assert torch.equal(births.down_GD[2], -births.down_GD[3]) and not births.down_GD[4].any()
    assert not torch.equal(births.up_GD[0], births.up_GD[2])
    model(tokens_BT, labels=tokens_BT).loss.backward()
    for rows in (ffn.bank.up_CD, ffn.bank.gate_CD):
        if rows is not None:
            torch.testing.assert_close(rows.grad[0], -rows.grad[1])
    torch.testing.assert_close(ffn.bank.down_CD.grad[0], ffn.bank.down_CD.grad[1])
