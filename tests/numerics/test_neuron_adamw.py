"""The banks' optimizer against torch's AdamW and against what its formula predicts."""

import pytest
import torch

from foam_cli.core.errors import CheckpointError
from foam_cli.core.growth import GrowthPlan, NeuronBirths
from foam_cli.growth.maturation.freeze import Freeze
from foam_cli.model.blocks import insert_block
from foam_cli.model.neuron_adamw import NeuronAdamW
from foam_cli.model.neurons import growable_ffns, make_growable
from foam_cli.model.surgery import apply

SETTINGS = {"betas": (0.9, 0.99), "eps": 1e-8, "weight_decay": 0.1}


def optimizer_of(ffns, lr=1e-3):
    optimizer = NeuronAdamW([ffn.bank for ffn in ffns], **SETTINGS)
    optimizer.set_lr(lambda birth: lr)
    return optimizer


def bear(model, num, step, block=0, seed=0, **changes):
    ffn = growable_ffns(model)[block]
    generator = torch.Generator().manual_seed(seed)
    rows = {name: torch.randn(num, 32, generator=generator) for name in ("up_GD", "gate_GD", "down_GD")}
    rows["bias_G"] = None
    if ffn.bank.gate_CD is None:
        rows |= {"gate_GD": None, "bias_G": torch.randn(num, generator=generator)}
    births = NeuronBirths(block=block, sources=(None,) * num, **{**rows, **changes})
    return apply(model, GrowthPlan(event=1, step=step, reason="test", neurons=(births,)), step)


def give_gradients(bank, seed, like_slot=None):
    """Random gradients for living rows, as backward gives them; `like_slot`: the same for every row."""
    generator = torch.Generator().manual_seed(seed)
    for parameter in bank.parameters():
        gradient = torch.randn(parameter.shape, generator=generator)
        if like_slot is not None:
            gradient = gradient[:1].expand_as(gradient).clone()
        parameter.grad = torch.where(bank.live_C.view(-1, *[1] * (parameter.ndim - 1)), gradient, 0.0)


@pytest.mark.parametrize("family", ["gpt2", "llama"])
def test_a_neuron_follows_torch_adamw_from_its_birth(family, tiny_model):
    model = tiny_model(family)
    ffn = make_growable(model, 2)[0]
    optimizer = optimizer_of([ffn])
    bear(model, 1, 0, seed=1)
    reference: dict[int, tuple] = {}
    for step in range(40):
        if step == 17:
            bear(model, 1, step, seed=2)
        give_gradients(ffn.bank, step)
        for slot in (0, 1) if step >= 17 else (0,):
            if slot not in reference:
                rows = [torch.nn.Parameter(p.detach()[slot].clone()) for p in ffn.bank.parameters()]
                decays = [0.1 if p.ndim > 1 else 0.0 for p in ffn.bank.parameters()]
                groups = [
                    {"params": [row], "weight_decay": decay} for row, decay in zip(rows, decays, strict=True)
                ]
                reference[slot] = (rows, torch.optim.AdamW(groups, lr=1e-3, betas=(0.9, 0.99)))
            rows, adamw = reference[slot]
            for row, parameter in zip(rows, ffn.bank.parameters(), strict=True):
                row.grad = parameter.grad[slot].clone()
            adamw.step()
        optimizer.step()
    for slot, (rows, _) in reference.items():
        for row, parameter in zip(rows, ffn.bank.parameters(), strict=True):
            torch.testing.assert_close(parameter.detach()[slot], row.detach(), atol=1e-6, rtol=1e-5)


def test_the_first_update_at_step_1000_equals_that_at_step_0(tiny_model):
    model = tiny_model("qwen2")
    ffn = make_growable(model, 2)[0]
    optimizer = optimizer_of([ffn])
    row = torch.randn(1, 32)
    rows = {"up_GD": row, "gate_GD": row, "down_GD": row}
    bear(model, 1, 0, **rows)
    give_gradients(ffn.bank, 5, like_slot=0)
    optimizer.step()
    first = [parameter.detach()[0].clone() for parameter in ffn.bank.parameters()]
    for step in range(1, 1000):
        give_gradients(ffn.bank, step)
        optimizer.step()
    _, touched = bear(model, 1, 1000, **rows)
    optimizer.reset(touched[0].ffn.bank, touched[0].slots)
    give_gradients(ffn.bank, 5, like_slot=0)
    optimizer.step()
    for early, parameter in zip(first, ffn.bank.parameters(), strict=True):
        assert torch.equal(early, parameter.detach()[1])


def test_a_slot_that_is_used_again_starts_afresh(tiny_model):
    model = tiny_model("llama")
    ffn = make_growable(model, 64)[0]
    optimizer = optimizer_of([ffn])
    row = torch.randn(64, 32)[:1].expand(64, 32)
    bear(model, 64, 0, up_GD=row, gate_GD=row, down_GD=row)
    give_gradients(ffn.bank, 5, like_slot=0)
    optimizer.step()
    first = ffn.bank.up_CD.detach()[3].clone()
    one = {"up_GD": row[:1], "gate_GD": row[:1], "down_GD": row[:1]}
    _, touched = bear(model, 1, 1, recycled=(ffn.width + 3,), **one)
    optimizer.reset(touched[0].ffn.bank, touched[0].slots)
    give_gradients(ffn.bank, 5, like_slot=0)
    optimizer.step()
    assert torch.equal(ffn.bank.up_CD.detach()[3], first)


def test_a_young_update_is_twice_the_old_one(tiny_model):
    model = tiny_model("llama").double()
    ffn = make_growable(model, 2)[0]
    ffn.bank.double()
    optimizer = optimizer_of([ffn])
    row = torch.randn(1, 32).expand(2, 32)
    bear(model, 2, 0, up_GD=row, gate_GD=row, down_GD=row)
    multiplier_C = torch.ones(64)
    multiplier_C[0] = 2.0
    optimizer.set_multiplier(ffn.bank, multiplier_C)
    for parameter in ffn.bank.parameters():
        parameter.grad = torch.zeros_like(parameter)
        parameter.grad[:2] = torch.randn(1, 32, dtype=torch.float64)
    before = ffn.bank.up_CD.detach().clone()
    optimizer.step()
    update = ffn.bank.up_CD.detach() - before
    torch.testing.assert_close(update[0], 2.000 * update[1], rtol=1e-9, atol=0)


@pytest.mark.parametrize("family", ["gpt2", "qwen2"])
@pytest.mark.parametrize("precision", ["fp32", "bf16", "bf16_autocast"])
def test_empty_slots_stay_exactly_zero(family, precision, tiny_model):
    model = tiny_model(family, torch.bfloat16 if precision == "bf16" else torch.float32).train()
    ffns = make_growable(model, 3)
    optimizer = optimizer_of(ffns, lr=1e-2)
    bear(model, 3, 0)
    x = torch.randn(8, 32).to(ffns[0].views.up_FD.dtype)
    for _ in range(100):
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16_autocast"):
            loss = ffns[0](x).float().square().sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    for ffn in ffns:
        empty_C = ~ffn.bank.live_C
        for parameter in ffn.bank.parameters():
            assert not parameter[empty_C].any()
    assert not torch.equal(ffns[0].bank.up_CD[0], torch.zeros(32))


def test_state_survives_a_round_trip_and_renumbering(tiny_model):
    def trained(model):
        ffns = make_growable(model, 2)
        optimizer = optimizer_of(ffns)
        for block in range(3):
            bear(model, 2, 0, block)
        return ffns, optimizer

    model, other = tiny_model("llama"), tiny_model("llama")
    ffns, optimizer = trained(model)
    for step in range(3):
        for ffn in ffns:
            give_gradients(ffn.bank, step)
        optimizer.step()
    new_bank = growable_ffns(insert_block(model, 0, 3))[0].bank
    optimizer.add_bank(new_bank, birth=3)
    state = optimizer.state_tensors(model)
    assert "model.layers.1.mlp.bank.up_CD.exp_avg" in state

    _, second = trained(other)
    second.add_bank(growable_ffns(insert_block(other, 0, 3))[0].bank, birth=3)
    other.load_state_dict(model.state_dict())
    second.load_state_tensors(other, {name: value.clone() for name, value in state.items()})
    for this, its_optimizer in ((model, optimizer), (other, second)):
        for ffn in growable_ffns(this):
            give_gradients(ffn.bank, 9)
        its_optimizer.step()
    for name, value in other.state_dict().items():
        assert torch.equal(value, model.state_dict()[name]), name


@pytest.mark.parametrize("damage", ["missing", "unknown", "shape", "dtype"])
def test_state_of_another_model_is_refused(damage, tiny_model):
    model = tiny_model("llama")
    optimizer = optimizer_of(make_growable(model, 2))
    state = {name: value.clone() for name, value in optimizer.state_tensors(model).items()}
    name = next(iter(state))
    if damage == "missing":
        del state[name]
    elif damage == "unknown":
        state["another"] = state[name]
    else:
        state[name] = state[name][:5] if damage == "shape" else state[name].half()
    with pytest.raises(CheckpointError, match="another" if damage == "unknown" else name.replace(".", r"\.")):
        optimizer.load_state_tensors(model, state)


def test_learning_rate_follows_birth(tiny_model):
    model = tiny_model("llama")
    ffns = make_growable(model, 2)
    optimizer = optimizer_of(ffns[:1])
    optimizer.add_bank(ffns[1].bank, birth=30)
    optimizer.set_lr(lambda birth: 0.5 if birth == 30 else 0.25)
    assert [group["lr"] for group in optimizer.param_groups] == [0.25, 0.5]


def test_a_frozen_neuron_keeps_every_bit(tiny_model):
    ffn = make_growable(tiny_model("gpt2"), 1)[0]
    optimizer = NeuronAdamW([ffn.bank], betas=(0.9, 0.95), eps=1e-8, weight_decay=0.1)
    optimizer.set_lr(lambda birth: 1e-2)
    with torch.no_grad():
        for rows in ffn.bank.parameters():
            rows[:2].normal_(generator=torch.Generator().manual_seed(0))
    ffn.bank.live_C[:2] = True
    ffn.bank.birth_C[1] = 10
    rule = Freeze(mature_steps=10)
    for step in range(20):
        before = [rows.detach().clone() for rows in ffn.bank.parameters()]
        for rows in ffn.bank.parameters():
            rows.grad = torch.ones_like(rows)
        optimizer.set_multiplier(ffn.bank, rule.multipliers(step - ffn.bank.birth_C))
        optimizer.step()
        for old, rows in zip(before, ffn.bank.parameters(), strict=True):
            assert torch.equal(old[0], rows[0]) == (step >= 10)  # born at 0
            assert not torch.equal(old[1], rows[1])  # born at 10
