"""Empty slots are exactly zero: output, gradient, and so every weight, whatever steps them."""

import pytest
import torch
from bitsandbytes.optim import AdamW8bit

from foam_cli import GrowableModel
from foam_cli.config import compose
from foam_cli.core.growth import GrowthPlan, NeuronBirths
from foam_cli.engine.optimizers import Optimizers
from foam_cli.engine.run import build_settings
from foam_cli.model.neuron_adamw import NeuronAdamW
from foam_cli.model.neurons import make_growable
from foam_cli.model.surgery import apply

STEPS, LR, DECAY = 100, 1e-2, 0.1
#: Of 128 slots, so that a bank's matrices have the 4096 numbers from which on bitsandbytes has 8-bit moments.
NUM_LIVE, CAPACITY = 3, 128


def neuron_adamw(bank):
    optimizer = NeuronAdamW([bank], betas=(0.9, 0.95), eps=1e-8, weight_decay=DECAY)
    optimizer.set_lr(lambda birth: LR)
    return optimizer


def muon(bank):
    matrices = [rows for rows in bank.parameters() if rows.ndim == 2]
    return torch.optim.Muon(matrices, lr=LR, weight_decay=DECAY)


MAKERS = {
    "NeuronAdamW": neuron_adamw,
    "adamw": lambda bank: torch.optim.AdamW(bank.parameters(), lr=LR, weight_decay=DECAY),
    "muon": muon,
}


def bear(ffns):
    """Three living neurons in every bank, with biases where there are any."""
    births = []
    for block, ffn in enumerate(ffns):
        generator, bank = torch.Generator().manual_seed(block), ffn.bank
        likes = (bank.up_CD, bank.gate_CD, bank.bias_C, bank.down_CD)
        up, gate, bias, down = (
            None if like is None else torch.randn(NUM_LIVE, *like.shape[1:], generator=generator)
            for like in likes
        )
        births.append(
            NeuronBirths(
                block=block, up_GD=up, gate_GD=gate, bias_G=bias, down_GD=down, sources=(None,) * NUM_LIVE
            )
        )
    return GrowthPlan(event=1, step=0, reason="test", neurons=tuple(births))


def assert_only_the_living_moved(bank, before):
    for rows, old in zip(bank.parameters(), before, strict=True):
        assert not rows[NUM_LIVE:].any()
        assert rows.ndim == 1 or (rows[:NUM_LIVE] != old[:NUM_LIVE]).any(dim=1).all()


@pytest.mark.parametrize("family", ["gpt2", "qwen2"])
@pytest.mark.parametrize("precision", ["fp32", "bf16", "bf16_autocast"])
@pytest.mark.parametrize("kind", MAKERS)
def test_under_every_optimizer_with_weight_decay(kind, precision, family, tiny_model):
    model = tiny_model(family, torch.bfloat16 if precision == "bf16" else torch.float32).train()
    ffns = make_growable(model, CAPACITY)
    apply(model, bear(ffns), 0)
    bank = ffns[0].bank
    before = [rows.detach().clone() for rows in bank.parameters()]
    optimizer = MAKERS[kind](bank)
    x = torch.randn(8, 32, generator=torch.Generator().manual_seed(1)).to(ffns[0].views.up_FD.dtype)
    bank.num_slots_in_use = CAPACITY  # empty slots are computed too, as in a compiled pass
    for _ in range(STEPS):
        optimizer.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16_autocast"):
            loss = ffns[0](x).float().square().mean()
        loss.backward()
        optimizer.step()
    assert_only_the_living_moved(bank, before)


@pytest.mark.parametrize("family", ["gpt2", "qwen2"])
def test_in_a_loop_with_8_bit_moments_they_are_zero_whenever_they_are_computed(family, tiny_model, tokens_BT):
    """bitsandbytes rounds the moments of an empty slot to those of its living neighbours."""
    model = GrowableModel(tiny_model(family), growth_cooldown=10**6, capacity=CAPACITY).train()
    apply(model, bear(model.growing.ffns), 0)
    optimizer = AdamW8bit(model.parameters(), lr=1e-3, weight_decay=DECAY)
    num_moved = 0
    for _ in range(20):
        for ffn in model.growing.ffns:
            assert not any(rows[NUM_LIVE:].any() for rows in ffn.bank.parameters())
        model(tokens_BT, labels=tokens_BT, use_cache=False).loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        num_moved += sum(bool(ffn.bank.up_CD[NUM_LIVE:].any()) for ffn in model.growing.ffns)
        model.check_and_grow()
    assert num_moved > 0  # otherwise there is nothing to clear


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("kind", ["adamw", "adamw8bit", "muon"])
def test_in_a_whole_model_that_learns_with_every_hardware_optimizer(kind, precision, tiny_model, tokens_BT):
    words = [f"hardware.optimizer={kind}", f"hardware.precision={precision}", f"train.weight_decay={DECAY}"]
    settings = build_settings(
        compose(["hardware=cpu", "train=full", "train.steps=200", "train.warmup_steps=0", *words]).values
    )
    model = tiny_model("qwen2", torch.bfloat16 if precision == "bf16" else torch.float32).train()
    ffns = make_growable(model, CAPACITY)
    apply(model, bear(ffns), 0)
    before = [[rows.detach().clone() for rows in ffn.bank.parameters()] for ffn in ffns]
    optimizers = Optimizers(model, settings.train, settings.hardware)
    for step in range(STEPS):
        model(tokens_BT, labels=tokens_BT, use_cache=False).loss.backward()
        optimizers.step(step, {}, lambda _: 1.0)
    for ffn, old in zip(ffns, before, strict=True):
        assert_only_the_living_moved(ffn.bank, old)
