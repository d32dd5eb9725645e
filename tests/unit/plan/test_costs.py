"""What is held in memory, against the tensors that real optimizers and banks allocate."""

import pytest
import torch
from tiny_families import family_config, tiny_family
from transformers import AutoModelForCausalLM

from foam_cli.config import compose
from foam_cli.engine.costs import build_structure, held_bytes, period_costs, step_workspace_bytes
from foam_cli.engine.optimizers import Optimizers
from foam_cli.engine.periods import Period, event_steps, periods_of
from foam_cli.engine.run import build_settings
from foam_cli.model.neurons import growable_ffns, make_growable
from foam_cli.model.trace import Recorder

SHARED = ["hardware=cpu", "train.steps=40", "train.accumulate=1", "growth.max_neurons_per_event=5"]
GROWTH = ["growth=gradmax", "growth.trigger.every_steps=10"]
#: Tables, embeddings and matrices on both sides of 4096 numbers, and so wide that chunks matter little.
WIDE = {"vocab_size": 300, "hidden_size": 64, "intermediate_size": 160}


def settings_of(*overrides, growth=GROWTH):
    return build_settings(compose([*SHARED, *growth, *overrides]).values)


def size(tensors):
    storages = {t.untyped_storage().data_ptr(): t.untyped_storage().nbytes() for t in tensors}
    return sum(storages.values())


def states(optimizers):
    return [
        tensor
        for tensors in (
            *(group.lows or [] for group in optimizers.core._groups),
            *(s.values() for group in optimizers.core._groups for s in group.inner.state.values()),
            *(s.values() for s in optimizers.neurons.state.values()),
        )
        for tensor in tensors
        if isinstance(tensor, torch.Tensor)
    ]


def stepped(settings, dtype, capacity):
    """A real model with banks after one step of its real optimizers, and the most that the step took."""
    model = AutoModelForCausalLM.from_config(family_config("qwen2", **WIDE), dtype=dtype)
    make_growable(model, capacity)
    optimizers = Optimizers(model, settings.train, settings.hardware)
    for parameter in optimizers.parameters():
        parameter.grad = torch.ones_like(parameter)
    optimizers.step(0, {}, float)
    for parameter in optimizers.parameters():
        parameter.grad = torch.ones_like(parameter)
    with Recorder() as recorder:
        recorder.keep_out([*model.parameters(), *model.buffers(), *states(optimizers)])
        recorder.keep_out(parameter.grad for parameter in optimizers.parameters())
        optimizers.step(1, {}, float)
    return model, optimizers, sum(recorder.fullest.values())


@pytest.mark.parametrize(
    ("optimizer", "precision", "train"),
    [
        ("adamw8bit", "bf16", "full"),
        ("adamw", "fp32", "grown"),
        *(
            pytest.param(*kind, train, marks=pytest.mark.slow)
            for kind in (("adamw", "fp32"), ("muon", "fp32"), ("adamw8bit", "bf16"))
            for train in ("full", "ffn", "grown")
            if (kind[0], train) not in (("adamw8bit", "full"), ("adamw", "grown"))
        ),
    ],
)
def test_parts_are_what_a_real_run_allocates(optimizer, precision, train):
    settings = settings_of(
        f"hardware.optimizer={optimizer}", f"hardware.precision={precision}", f"train={train}"
    )
    period = Period(step=10, num_events=1, neurons_per_block=5, num_neurons=10)
    structure = build_structure(family_config("qwen2", **WIDE), settings, period)
    found = held_bytes(structure, settings, period)

    model, optimizers, workspace = stepped(
        settings, torch.bfloat16 if precision == "bf16" else torch.float32, 15
    )
    banks = [ffn.bank for ffn in growable_ffns(model)]
    of_banks = [one for bank in banks for one in (*bank.parameters(), *bank.buffers())]
    of_banks += [ffn.core_live_F for ffn in growable_ffns(model)]
    assert found["bank"] == size(of_banks)
    everything = [*model.parameters(), *model.buffers()]
    assert found["weights"] == size(everything) - size(of_banks)
    assert found["optimizer"] == size(states(optimizers))
    learning = [parameter for parameter in model.parameters() if parameter.requires_grad]
    mine = [parameter for parameter in structure.model.parameters() if parameter.requires_grad]
    assert sum(map(torch.Tensor.nelement, mine)) == sum(map(torch.Tensor.nelement, learning))
    stated = step_workspace_bytes(structure, optimizer)
    if optimizer == "muon":
        assert workspace <= stated <= 2 * workspace
    else:
        assert stated == pytest.approx(workspace, rel=0.05)


def steps(*overrides, growth=GROWTH):
    settings = settings_of(*overrides, growth=growth)
    return event_steps(settings.growth.trigger, settings.growth.max_events, settings)


def test_events_come_when_their_triggers_can_fire():
    assert steps() == [10, 20, 30]  # every 10 of 40 steps; nothing grows after the last one
    assert steps(growth=["growth=duplicate"]) == [0]
    assert steps("growth.trigger.cooldown_steps=15", growth=["growth=v3"]) == [15, 30]


def test_validations_set_the_pace_of_a_plateau():
    settings = build_settings(
        compose(
            ["growth=block_plateau", "growth.trigger.patience=2", "hardware=cpu", "train.steps=100",
             "train.validate_every_steps=10"]
        ).values
    )  # fmt: skip
    # The first validation sets the mark, two more are waited for; then two for each further event.
    assert event_steps(settings.growth.trigger, settings.growth.max_events, settings) == [30, 50, 70]


def test_stages_bear_what_the_policy_allows():
    periods = periods_of(settings_of(), 4, 100)
    assert [(s.step, s.num_neurons, s.neurons_per_block) for s in periods] == [
        (0, 0, 0), (10, 20, 5), (20, 40, 10), (30, 60, 15),
    ]  # fmt: skip
    shared = settings_of("growth.placement=top_pressure", "growth.placement.scope=global")
    assert [s.num_neurons for s in periods_of(shared, 4, 100)] == [0, 5, 10, 15]
    once = build_settings(compose(["growth=duplicate", "hardware=cpu", "train=grown"]).values)
    assert [(s.step, s.num_neurons) for s in periods_of(once, 4, 100)] == [(0, 400)]


def blocks(*overrides):
    return build_settings(
        compose(
            ["growth=block_schedule", "growth.trigger.every_steps=10", "growth.placement.every_blocks=1",
             "hardware=cpu", "train=grown", "train.steps=40", *overrides]
        ).values
    )  # fmt: skip


def test_inserted_blocks_are_counted_where_they_come():
    settings = blocks()
    periods = periods_of(settings, 2, 48)
    assert [period.insertions for period in periods] == [(), ((0,),), ((0,), (2,)), ((0,), (2,), (0,))]
    config = family_config("qwen2")
    built = [build_structure(config, settings, period) for period in periods]
    block = tiny_family("qwen2").model.layers[0]
    per_block = sum(parameter.numel() for parameter in block.parameters())
    learning = [sum(parameter.numel() for _, parameter in one.core) for one in built]
    assert learning == [0, per_block, 2 * per_block, 3 * per_block]
    assert built[3].parameters - built[0].parameters == 3 * per_block
    before, after = (period_costs(config, settings, period, (2, 16), {}) for period in periods[:2])
    assert before.trainable == 0 and after.trainable == per_block
    assert before.kept_bytes < after.kept_bytes and before.flops_per_step < after.flops_per_step
    assert config.num_hidden_layers == 2  # the caller's config is left alone


def test_watched_steps_of_a_frozen_core_count():
    grown = settings_of("train=grown", growth=["growth=grow_only", "growth.trigger.cooldown_steps=10"])
    config = family_config("qwen2")
    nothing_born = period_costs(config, grown, Period(step=0), (2, 16), {})
    # Nothing learns yet, so a usual step keeps nothing; on a watched one the pressure is measured.
    whole = period_costs(config, settings_of("train=full"), Period(step=0), (2, 16), {})
    assert 0.3 * whole.kept_bytes < nothing_born.kept_bytes < whole.kept_bytes
    assert nothing_born.flops_per_step < 0.5 * whole.flops_per_step
