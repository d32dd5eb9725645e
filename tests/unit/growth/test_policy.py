"""The policies: what goes into a plan, and what never does."""

import json

import pytest
import torch

from foam_cli.growth.context import GrowthContext, NeuronSignals
from foam_cli.growth.initializers.copy_noise import CopyNoise
from foam_cli.growth.maturation.young_multiplier import YoungMultiplier
from foam_cli.growth.placements.every_nth_block import EveryNthBlock
from foam_cli.growth.placements.top_pressure import TopPressure
from foam_cli.growth.policy import BlockGrowth, NeuronGrowth
from foam_cli.growth.recycling.wanda import Wanda
from foam_cli.growth.triggers.gradient_percentile import GradientPercentile
from foam_cli.growth.triggers.schedule import Schedule
from foam_cli.model.neurons import make_growable
from foam_cli.model.surgery import apply


def neuron_growth(**changes):
    fields = {
        "trigger": GradientPercentile(percentile=90.0, cooldown_steps=200),
        "placement": TopPressure(scope="block"),
        "initializer": CopyNoise(noise_frac=0.1, num_neighbours=4),
        "maturation": YoungMultiplier(mature_steps=500, multiplier=2.0, protected=True),
        "recycling": Wanda(dormant_threshold=0.025, max_move_frac=1.0),
        "max_neurons_per_event": 5,
        "max_events": None,
        "track_every_steps": 10,
        "pressure_decay": 0.9,
        "activity_decay": 0.99,
    }
    return NeuronGrowth(**{**fields, **changes})


def block_growth(**changes):
    fields = {
        "trigger": Schedule(every_steps=500),
        "placement": EveryNthBlock(every_blocks=1),
        "warmup_steps": 100,
        "max_blocks_per_event": 1,
        "max_events": 3,
    }
    return BlockGrowth(**{**fields, **changes})


def context(ffns, step, seed=0, top=()):
    """Random pressures; `top` are the hardest pressed neurons of every block."""
    signals = []
    for block, ffn in enumerate(ffns):
        num = ffn.width + ffn.bank.capacity
        pressure_N = torch.rand(num, generator=torch.Generator().manual_seed(block))
        pressure_N[list(top)] = 9.0
        activity_N = torch.linspace(1, 2, num)
        signals.append(
            NeuronSignals(
                pressure_N=pressure_N, mean_abs_N=activity_N, mean_square_N=activity_N**2, num_samples=3
            )
        )
    births = (None,) * max(3, len(ffns))
    return GrowthContext(
        step=step, seed=seed, ffns=ffns, signals=signals, validation_losses=(), block_births=births
    )


def run(policy, model, ffns, steps):
    state, records = policy.initial_state(), []
    for step in steps:
        plan, state = policy.plan(state, context(ffns, step))
        json.dumps(state)
        if plan is not None:
            json.dumps(plan.notes)
            records.append(apply(model, plan, step)[0])
    return records


def test_a_run_stays_within_the_capacity_it_announced(tiny_model):
    policy = neuron_growth(max_neurons_per_event=40)
    model = tiny_model("llama")
    ffns = make_growable(model, policy.capacity(1000, 80))
    records = run(policy, model, ffns, range(0, 1001, 50))
    assert [record.step for record in records] == [200, 400, 600, 800, 1000]
    assert policy.capacity(1000, 80) == 40 * 5
    assert [record.event for record in records] == [1, 2, 3, 4, 5]


def test_max_events_ends_growth(tiny_model):
    policy = neuron_growth(max_events=2)
    model = tiny_model("llama")
    ffns = make_growable(model, policy.capacity(10_000, 80))
    assert policy.capacity(10_000, 80) == 10
    assert len(run(policy, model, ffns, range(0, 2001, 100))) == 2


def test_births_stop_where_slots_end(tiny_model):
    policy = neuron_growth(
        trigger=Schedule(every_steps=1),
        max_neurons_per_event=50,
        recycling=Wanda(dormant_threshold=0.0, max_move_frac=0.0),
    )
    model = tiny_model("llama")
    ffns = make_growable(model, 64)
    born = [record.born for record in run(policy, model, ffns, range(1, 5))]
    assert born == [{0: 50, 1: 50, 2: 50}, {0: 14, 1: 14, 2: 14}]


def test_young_dead_and_empty_neurons_are_never_sources_nor_recycled(tiny_model):
    policy = neuron_growth(trigger=Schedule(every_steps=1))
    model = tiny_model("qwen2")
    ffns = make_growable(model, 64)
    first, _ = policy.plan(policy.initial_state(), context(ffns, 100, top=(3, 4)))
    assert first is not None and first.neurons[0].sources[:2] == (3, 4)
    assert not {3, 4} & set(first.neurons[0].recycled)
    apply(model, first, 100)
    dead = first.neurons[0].recycled
    assert len(dead) == 5 and not set(dead) & set(first.neurons[0].sources)
    young = policy.plan(policy.initial_state(), context(ffns, 599, top=(*dead, 80, 81, 85)))[0].neurons[0]
    assert not {*dead, *range(80, 144)} & {*young.sources, *young.recycled}
    mature = policy.plan(policy.initial_state(), context(ffns, 600, top=(*dead, 80, 81, 85)))[0].neurons[0]
    assert mature.sources[:2] == (80, 81) and 85 not in mature.sources


def test_global_scope_shares_the_limit(tiny_model):
    policy = neuron_growth(placement=TopPressure(scope="global"))
    ffns = make_growable(tiny_model("llama"), 64)
    plan, _ = policy.plan(policy.initial_state(), context(ffns, 200))
    assert sum(len(births.sources) for births in plan.neurons) == 5


def test_dormant_neurons_are_logged_even_where_none_is_recycled(tiny_model):
    policy = neuron_growth(recycling=Wanda(dormant_threshold=0.7, max_move_frac=0.0))
    ffns = make_growable(tiny_model("llama"), 64)
    plan, _ = policy.plan(policy.initial_state(), context(ffns, 200))
    assert all(not births.recycled for births in plan.neurons)
    assert set(plan.notes["num_dormant"]) == {"0", "1", "2"}
    assert plan.notes["num_recycling_refused"]["0"] == 5


def test_planning_edits_nothing(tiny_model):
    model = tiny_model("llama")
    ffns = make_growable(model, 64)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    policy = neuron_growth()
    state = policy.initial_state()
    policy.plan(state, context(ffns, 200))
    assert state == policy.initial_state()
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_blocks_come_on_schedule_and_warm_up(tiny_model):
    policy = block_growth()
    assert policy.capacity(2000, 80) == 0
    model = tiny_model("gpt2")
    records = run(policy, model, [], range(2501))
    assert [record.step for record in records] == [500, 1000, 1500]
    assert model.config.num_hidden_layers == 6
    assert [policy.block_lr_scale(age) for age in (0, 49, 99, 5000)] == [0.01, 0.5, 1.0, 1.0]


def test_placements_of_the_wrong_kind_are_refused(monkeypatch):
    monkeypatch.setattr(
        "jaxtyping.config.jaxtyping_disable", True
    )  # as in production, where types are not executed
    with pytest.raises(ValueError, match="places blocks"):
        neuron_growth(placement=EveryNthBlock(every_blocks=1))
    with pytest.raises(ValueError, match="places neurons"):
        block_growth(placement=TopPressure(scope="block"))


def test_zero_events_is_refused():
    with pytest.raises(ValueError, match="growth=none"):
        neuron_growth(max_events=0)
