"""Every growth method of conf/ is held to the same promises; a new YAML file needs no edit here."""

import importlib

import pytest
import torch
import yaml

from foam_cli.building import build
from foam_cli.config import compose, conf_dir
from foam_cli.core.growth import GrowthPlan
from foam_cli.engine.measure import Measurements
from foam_cli.growth.context import GrowthContext
from foam_cli.growth.signals import PressureTracker
from foam_cli.model.blocks import block_births
from foam_cli.model.neurons import growable_ffns, make_growable
from foam_cli.model.surgery import apply

FAMILIES = ("gpt2", "qwen2", "llama")
GROWTH = conf_dir() / "growth"


def options(group):
    return sorted(path.stem for path in (GROWTH / group).glob("*.yaml"))


def method(group, option):
    node = yaml.safe_load((GROWTH / group / f"{option}.yaml").read_text(encoding="utf-8"))
    module, _, name = node.pop("_target_").rpartition(".")
    return build(getattr(importlib.import_module(module), name), node)


def preset(name):
    node = compose([f"growth={name}"]).values["growth"]
    if not node:
        return None
    module, _, class_name = node.pop("_target_").rpartition(".")
    return build(getattr(importlib.import_module(module), class_name), node)


def losses_until(step):
    """A validation every 100 steps whose loss never falls."""
    return tuple((at, 2.0) for at in range(0, step + 1, 100))


def measure_of(model):
    """New and old data are two batches of random tokens."""
    tokens = {
        pool: torch.randint(2, 97, (4, 24), generator=torch.Generator().manual_seed(seed))
        for pool, seed in (("new", 3), ("old", 4))
    }
    return Measurements(
        model, lambda pool: [lambda: model(tokens[pool], labels=tokens[pool], use_cache=False).loss]
    )


def new_loss(model):
    with torch.no_grad():
        return measure_of(model).loss_with(())


def context_of(model, step=0):
    ffns = growable_ffns(model)
    tracker = PressureTracker(ffns, every_steps=1, pressure_decay=0.9, activity_decay=0.9)
    tokens = torch.randint(2, 97, (2, 12), generator=torch.Generator().manual_seed(3))
    with tracker.watch(step):
        model(tokens, labels=tokens, use_cache=False).loss.backward()
    model.zero_grad()
    return GrowthContext(
        step=step,
        seed=0,
        ffns=ffns,
        signals=tracker.signals,
        validation_losses=losses_until(step),
        block_births=block_births(model),
        measure=measure_of(model),
    )


def grow(model, initializer):
    make_growable(model, 6)
    context = context_of(model)
    births = tuple(initializer.bear(context, block, (4, 9, 70), event=1) for block in range(3))
    if not getattr(initializer, "preserves_function", True):
        births = initializer.settle(context, births)
    return apply(model, GrowthPlan(event=1, step=0, reason="test", neurons=births), 0)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-9), (torch.float32, 1e-5)])
@pytest.mark.parametrize("option", options("initializer"))
def test_an_initializer_preserves_the_function_or_lowers_the_loss(
    option, dtype, tolerance, family, tiny_model, tokens_BT
):
    model, initializer = tiny_model(family, dtype), method("initializer", option)
    before, loss_before = model(tokens_BT).logits.detach(), new_loss(model)
    record, _ = grow(model, initializer)
    assert record.born == {0: 3, 1: 3, 2: 3}
    if getattr(initializer, "preserves_function", True):
        assert (model(tokens_BT).logits - before).abs().max() <= tolerance
    else:
        assert new_loss(model) <= loss_before + tolerance


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("option", options("initializer"))
def test_the_first_step_moves_every_newborn(option, family, tiny_model, tokens_BT):
    model = tiny_model(family)
    grow(model, method("initializer", option))
    model(tokens_BT, labels=tokens_BT).loss.backward()
    for ffn in growable_ffns(model):
        moved_C = sum(p.grad.flatten(1).abs().sum(1) for p in ffn.bank.parameters() if p.ndim > 1)
        assert moved_C[ffn.bank.live_C].all()
        assert not moved_C[~ffn.bank.live_C].any()


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("option", options("initializer"))
def test_only_an_initializer_that_says_so_edits_the_core(option, family, tiny_model):
    model, initializer = tiny_model(family), method("initializer", option)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    grow(model, initializer)
    changed = set()
    for name, value in model.state_dict().items():
        plain = name.replace(".core.", ".")
        if plain in before and not torch.equal(before[plain], value):
            changed.add(name.rsplit(".", 2)[-2])
    down = {"down_proj", "c_proj"}
    assert changed <= down and bool(changed) == getattr(initializer, "edits_sources", False)


@pytest.mark.parametrize("option", options("initializer"))
def test_an_initializer_leaves_the_global_generator_alone(option, tiny_model):
    model = tiny_model("llama")
    torch.manual_seed(5)
    before = torch.get_rng_state()
    grow(model, method("initializer", option))
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("option", options("trigger"))
def test_a_trigger_fires_no_more_often_than_it_says(option, tiny_model):
    import json

    trigger = method("trigger", option)
    model = tiny_model("llama")
    make_growable(model, 1)
    context, state, num_fired = context_of(model), trigger.initial_state(), 0
    for step in range(0, 1201, 10):
        from dataclasses import replace

        now = replace(context, step=step, validation_losses=losses_until(step))
        firing, state = trigger.check(state, now)
        state = json.loads(json.dumps(state))  # plain data
        num_fired += firing is not None
    assert 0 < num_fired <= trigger.max_events(1200)


@pytest.mark.parametrize("option", options("placement"))
def test_a_placement_keeps_to_what_is_eligible_and_to_the_limit(option, tiny_model):
    placement = method("placement", option)
    model = tiny_model("llama")
    make_growable(model, 1)
    context = context_of(model)
    if hasattr(placement, "choose_blocks"):
        after = placement.choose_blocks(context, 2)
        assert 0 < len(after) <= 2 and len(set(after)) == len(after) and set(after) <= {0, 1, 2}
        assert placement.choose_blocks(context, 2) == after
        return
    eligible = tuple(torch.arange(144) % 7 == block for block in range(3))
    chosen = placement.choose_neurons(context, eligible, 4)
    assert chosen and all(0 < len(set(sources)) == len(sources) <= 4 for sources in chosen.values())
    assert all(eligible[block][list(sources)].all() for block, sources in chosen.items())
    assert placement.choose_neurons(context, eligible, 4) == chosen


@pytest.mark.parametrize("option", options("maturation"))
def test_maturation_ends_protection(option):
    rule = method("maturation", option)
    age_C = torch.tensor([0, 1, 10**9])
    assert rule.multipliers(age_C).shape == (3,) and (rule.multipliers(age_C) >= 0).all()
    assert rule.is_protected(age_C).dtype == torch.bool and not rule.is_protected(age_C)[2]


@pytest.mark.parametrize("option", options("recycling"))
def test_recycling_takes_eligible_neurons_within_its_tolerance(option, tiny_model):
    rule = method("recycling", option)
    model = tiny_model("llama")
    ffns = make_growable(model, 1)
    signals = context_of(model).signals[0]
    eligible_N = torch.arange(144) < 60
    down_ND = torch.cat([ffns[0].views.down_FD, ffns[0].bank.down_CD.detach()])
    found = rule.choose(signals, eligible_N, down_ND, 7)
    if found is not None:
        assert len(found.neurons) <= 7 and set(found.neurons) <= set(range(60))
        assert found.move_frac <= rule.max_move_frac


@pytest.mark.parametrize("name", sorted(path.stem for path in GROWTH.glob("*.yaml")))
def test_a_preset_plans_what_surgery_accepts(name, tiny_model, tokens_BT):
    policy = preset(name)
    if policy is None:
        assert name == "none"
        return
    model = tiny_model("llama")
    make_growable(model, policy.capacity(1000, 80))
    before = model(tokens_BT).logits
    step = 0 if getattr(policy.trigger, "fires_before_training", False) else 1000
    context = context_of(model, step)
    plan, state = policy.plan(policy.initial_state(), context)
    assert plan is not None and state["num_events"] == 1
    recycled = [index for births in plan.neurons for index in births.recycled]
    apply(model, plan, step)
    if not recycled:
        assert (model(tokens_BT).logits - before).abs().max() <= 1e-5
