"""The pretrained parameters' optimizer: no update lost, nothing resurrected, nothing lost on resume."""

import pytest
import torch
from torch import nn

from foam_cli.core.errors import CheckpointError
from foam_cli.core.growth import GrowthPlan, NeuronBirths
from foam_cli.model.compensated import join, split
from foam_cli.model.neuron_adamw import NeuronAdamW
from foam_cli.model.neurons import make_growable
from foam_cli.model.optimizer import CoreOptimizer, forget
from foam_cli.model.surgery import apply

KINDS = ("adamw", "adamw8bit")
DTYPES = (torch.float32, torch.bfloat16)
SETTINGS = {"betas": (0.9, 0.999), "eps": 1e-8, "weight_decay": 0.1}


def core_optimizer(named, kind, lr=1e-2, **changes):
    optimizer = CoreOptimizer(named, kind=kind, **{**SETTINGS, **changes})
    optimizer.set_lr(lambda birth: lr)
    return optimizer


def core_parameters(model):
    return [(name, p) for name, p in model.named_parameters() if ".bank." not in name]


def test_join_undoes_split_bit_for_bit():
    bits = torch.randint(-(2**31), 2**31 - 1, (200_000,), generator=torch.Generator().manual_seed(0))
    ties = (torch.arange(-300, 300) << 16) + 0x8000
    edges = torch.tensor([0, -(2**31), 0x7F7FFFFF, 0x00000001, 0x3F7FFFFF, 0x3F808000, 0x3F818000])
    value = torch.cat([bits, ties, edges]).to(torch.int32).view(torch.float32)
    value = value[value.isfinite()]
    high, low = split(value)
    assert torch.equal(join(high, low).view(torch.int32), value.view(torch.int32))


def test_the_bf16_part_is_the_nearest():
    value = torch.randn(100_000, generator=torch.Generator().manual_seed(0))
    high, _ = split(value)
    nearest = value.to(torch.bfloat16)
    assert torch.equal((high.double() - value.double()).abs(), (nearest.double() - value.double()).abs())


@pytest.mark.parametrize("kind", KINDS)
def test_a_small_step_on_a_bf16_weight_is_not_lost(kind):
    """Adam under a constant gradient moves by lr each step, so 100 steps of 1e-5 move 0.02 to 0.019."""
    weight = nn.Parameter(torch.full((64, 64), 0.02, dtype=torch.bfloat16))
    start = weight.detach().float()[0, 0].item()
    optimizer = core_optimizer([("w", weight)], kind, lr=1e-5, weight_decay=0.0)
    for _ in range(100):
        weight.grad = torch.ones_like(weight)
        optimizer.step()
    moved = start - weight.detach().float()
    spacing = 2**-6 * 2**-7  # of bf16 between 2^-6 and 2^-5
    assert (moved - 1e-3).abs().max() <= spacing / 2 + 2e-5
    naive = torch.tensor(0.02, dtype=torch.bfloat16)
    assert naive - torch.tensor(1e-5, dtype=torch.bfloat16) == naive  # what compensation is for


@pytest.mark.parametrize("kind", KINDS)
def test_bf16_weights_take_the_same_path_as_fp32_masters(kind):
    generator = torch.Generator().manual_seed(0)
    start = (torch.randn(64, 80, generator=generator) * 0.02).bfloat16()
    small, full = nn.Parameter(start.clone()), nn.Parameter(start.float())
    holder = nn.Module()
    holder.w = small
    ours, reference = core_optimizer([("w", small)], kind, 1e-5), core_optimizer([("w", full)], kind, 1e-5)
    for _ in range(20):
        gradient = torch.randn(64, 80, generator=generator).bfloat16()
        small.grad, full.grad = gradient.clone(), gradient.float()
        ours.step()
        reference.step()
    low = ours.state_tensors(holder)["w.low_bits"]
    assert torch.equal(join(small.detach(), low), full.detach())


def trained_with_recycling(tiny_model, kind, dtype, family, *, careful):
    """Train an FFN, recycle two of its neurons, train on; gives what is left of them."""
    model = tiny_model(family, dtype, width=160).train()  # 32 x 160 numbers: enough for 8-bit moments
    ffns = make_growable(model, 1)
    neurons = NeuronAdamW([ffn.bank for ffn in ffns], **SETTINGS)
    core = core_optimizer(ffns[0].core.named_parameters(), kind)
    x = torch.randn(8, 32, generator=torch.Generator().manual_seed(3)).to(dtype)

    def steps(num):
        for _ in range(num):
            core.zero_grad()
            ffns[0](x).float().square().sum().backward()
            core.step()

    steps(5)
    empty = torch.zeros(0, 32)
    gated = ffns[0].views.gate is not None
    births = NeuronBirths(
        block=0,
        up_GD=empty,
        gate_GD=empty if gated else None,
        bias_G=None if gated else torch.zeros(0),
        down_GD=empty,
        sources=(),
        recycled=(3, 77),
    )
    _, touched = apply(model, GrowthPlan(event=1, step=5, reason="test", neurons=(births,)), 5)
    if careful:
        forget(touched, neurons, core)
    steps(100)
    return [
        p.detach().index_select(dim, torch.tensor([3, 77])) for p, dim in ffns[0].views.neuron_parameters()
    ]


@pytest.mark.parametrize("family", ["gpt2", "qwen2"])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_a_recycled_neuron_stays_exactly_zero(family, kind, dtype, tiny_model):
    rows = trained_with_recycling(tiny_model, kind, dtype, family, careful=True)
    assert not any(row.any() for row in rows)


@pytest.mark.parametrize("kind", KINDS)
def test_momentum_would_resurrect_it(kind, tiny_model):
    rows = trained_with_recycling(tiny_model, kind, torch.float32, "qwen2", careful=False)
    assert all(row.any() for row in rows)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_a_resumed_optimizer_continues_bit_for_bit(kind, dtype, tiny_model, tokens_BT):
    def steps(model, optimizer, num):
        for _ in range(num):
            optimizer.zero_grad()
            model(tokens_BT[:2], labels=tokens_BT[:2], use_cache=False).loss.backward()
            optimizer.step()

    def begin():
        model = tiny_model("gpt2", dtype, width=160)
        return model, core_optimizer(core_parameters(model), kind)

    model, optimizer = begin()
    steps(model, optimizer, 3)
    optimizer.hold_at_zero(model.transformer.h[0].mlp.c_fc.weight, 1, [5])
    weights = {name: value.clone() for name, value in model.state_dict().items()}
    state = {name: value.clone() for name, value in optimizer.state_tensors(model).items()}
    steps(model, optimizer, 3)

    resumed, second = begin()
    resumed.load_state_dict(weights)
    second.load_state_tensors(resumed, state)
    steps(resumed, second, 3)
    for name, value in resumed.state_dict().items():
        assert torch.equal(value, model.state_dict()[name]), name
    assert not model.transformer.h[0].mlp.c_fc.weight[:, 5].any()  # the out-column still presses on it
    final, again = optimizer.state_tensors(model), second.state_tensors(resumed)
    assert final.keys() == again.keys()
    assert all(torch.equal(final[name], again[name]) for name in final)


def test_a_parameter_without_an_update_yet_is_marked_and_restored():
    holder = nn.ParameterDict({"a": torch.ones(3, 4), "b": torch.ones(3, 4)})
    optimizer = core_optimizer(holder.named_parameters(), "adamw")
    holder["a"].grad = torch.ones(3, 4)
    optimizer.step()
    state = optimizer.state_tensors(holder)
    assert "b.untouched" in state and "a.untouched" not in state
    second = core_optimizer(holder.named_parameters(), "adamw")
    second.load_state_tensors(holder, state)
    assert second.state_tensors(holder).keys() == state.keys()


@pytest.mark.parametrize("damage", ["missing", "unknown", "shape", "kind", "precision"])
def test_state_of_another_model_is_refused(damage):
    holder = nn.ParameterDict({"a": torch.ones(3, 4), "b": torch.ones(3, 4)})
    optimizer = core_optimizer(holder.named_parameters(), "adamw")
    for parameter in holder.values():
        parameter.grad = torch.ones_like(parameter)
    optimizer.step()
    state = dict(optimizer.state_tensors(holder))
    if damage == "missing":
        state = {name: value for name, value in state.items() if not name.startswith("b.")}
    elif damage == "unknown":
        state["c.exp_avg"] = torch.ones(3, 4)
    elif damage == "shape":
        state["a.exp_avg"] = torch.ones(4, 3)
    elif damage == "precision":
        holder = holder.to(torch.bfloat16)
    other = core_optimizer(holder.named_parameters(), "adamw8bit" if damage == "kind" else "adamw")
    with pytest.raises(CheckpointError, match="resume with"):
        other.load_state_tensors(holder, state)


def test_only_matrices_decay_and_late_groups_have_their_own_rate():
    holder = nn.ParameterDict({"w": torch.ones(3, 4), "b": torch.ones(4), "late": torch.ones(3, 4)})
    optimizer = core_optimizer([("w", holder["w"]), ("b", holder["b"])], "adamw")
    optimizer.add([("late", holder["late"])], birth=50)
    optimizer.set_lr(lambda birth: 0.5 if birth == 50 else 0.1)
    for parameter in holder.values():
        parameter.grad = torch.zeros_like(parameter)
    optimizer.step()
    assert torch.allclose(holder["w"], torch.tensor(1 - 0.1 * 0.1))
    assert torch.equal(holder["b"].detach(), torch.ones(4))
    assert torch.allclose(holder["late"], torch.tensor(1 - 0.5 * 0.1))


def test_frozen_parameters_are_left_out():
    holder = nn.ParameterDict(
        {"w": torch.ones(3, 4), "frozen": nn.Parameter(torch.ones(3, 4), requires_grad=False)}
    )
    optimizer = core_optimizer(holder.named_parameters(), "adamw")
    assert not any(name.startswith("frozen") for name in optimizer.state_tensors(holder))
