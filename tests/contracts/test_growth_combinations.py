"""Every combination of growth methods grows, or is refused with the key and the way out; no tracebacks.

The options are those of conf/, so a new YAML file needs no edit here.
"""

import itertools
from functools import cache

import pytest
import torch
import yaml
from test_growth_methods import context_of, options

from foam_cli.building import build
from foam_cli.config import compose, conf_dir
from foam_cli.core.errors import ConfigError
from foam_cli.engine.run import build_settings
from foam_cli.growth.policy import BlockGrowth, NeuronGrowth
from foam_cli.model.neurons import make_growable
from foam_cli.model.surgery import apply

GROUPS = ("trigger", "placement", "initializer", "maturation", "recycling")
#: A refusal says which key is meant, and one of these words leads to the way out.
WAYS_OUT = ("Choose", "such as", "Use", "Add", "choose", "add")


@cache
def preset_values(name):
    return compose([f"growth={name}"]).values["growth"]


@cache
def node_of(group, option):
    return yaml.safe_load((conf_dir() / "growth" / group / f"{option}.yaml").read_text(encoding="utf-8"))


def neuron_combinations():
    """All of trigger, placement and initializer, and with them every pair of any two groups."""
    matured, recycled = options("maturation"), options("recycling")
    triples = itertools.product(*(options(group) for group in GROUPS[:3]))
    for index, triple in enumerate(triples):
        rule = matured[index % len(matured)], recycled[index // len(matured) % len(recycled)]
        yield dict(zip(GROUPS, (*triple, *rule), strict=True))


def block_combinations():
    for trigger, placement in itertools.product(options("trigger"), options("placement")):
        yield {"trigger": trigger, "placement": placement}


def built(combination, cls, preset):
    """The policy, or the message of its refusal."""
    nodes = {group: node_of(group, option) for group, option in combination.items()}
    node = {key: value for key, value in {**preset_values(preset), **nodes}.items() if key != "_target_"}
    try:
        return build(cls, node, path="growth")
    except ConfigError as error:
        assert "growth." in str(error) and any(word in str(error) for word in WAYS_OUT), str(error)
        return str(error)


def places_blocks(option):
    return option in ("after_blocks", "every_nth_block", "least_important_blocks")


def makes_no_sense(combination):
    """Told by eye: blocks where neurons grow, and what needs measurements before the first step."""
    early = combination["trigger"] == "once"
    measured = combination["placement"] == "top_pressure" or combination["recycling"] != "none"
    return places_blocks(combination["placement"]) or (early and measured)


def test_every_pair_of_options_is_among_the_combinations():
    found = list(neuron_combinations())
    for one, other in itertools.combinations(GROUPS, 2):
        pairs = {(combination[one], combination[other]) for combination in found}
        assert pairs == set(itertools.product(options(one), options(other))), (one, other)


@pytest.mark.slow
def test_combinations_of_neuron_methods_are_refused_where_they_make_no_sense():
    for combination in neuron_combinations():
        refused = isinstance(built(combination, NeuronGrowth, "v3"), str)
        assert refused == makes_no_sense(combination), combination


def test_combinations_of_block_methods_are_refused_where_they_make_no_sense():
    for combination in block_combinations():
        refused = isinstance(built(combination, BlockGrowth, "block_schedule"), str)
        looks_at_neurons = combination["trigger"] in ("expressivity", "gradient_percentile")
        assert refused == (looks_at_neurons or not places_blocks(combination["placement"])), combination


@pytest.mark.slow
@pytest.mark.parametrize("trigger", options("trigger"))
@pytest.mark.parametrize("placement", [one for one in options("placement") if not places_blocks(one)])
def test_neurons_grow_by_every_other_combination(trigger, placement, tiny_model, tokens_BT):
    here = {"trigger": trigger, "placement": placement}
    for combination in neuron_combinations():
        policy = built(combination, NeuronGrowth, "v3")
        if isinstance(policy, str) or not here.items() <= combination.items():
            continue
        model = tiny_model("llama")
        make_growable(model, 64)
        step = 0 if trigger == "once" else 1000
        plan, _ = policy.plan(policy.initial_state(), context_of(model, step))
        assert plan is not None and sum(len(births.up_GD) for births in plan.neurons), combination
        before = model(tokens_BT).logits.detach()
        record, _ = apply(model, plan, step)
        assert sum(record.born.values()) > 0
        moved = (model(tokens_BT).logits - before).abs().max()
        if not record.recycled and getattr(policy.initializer, "preserves_function", True):
            assert moved <= 1e-5, combination
        assert moved.isfinite()


@pytest.mark.parametrize("trigger", options("trigger"))
def test_blocks_grow_by_every_other_combination(trigger, tiny_model, tokens_BT):
    for combination in block_combinations():
        policy = built(combination, BlockGrowth, "block_schedule")
        if isinstance(policy, str) or combination["trigger"] != trigger:
            continue
        model = tiny_model("llama")
        before = model(tokens_BT).logits.detach()
        step = 0 if trigger == "once" else 1000
        plan, _ = policy.plan(policy.initial_state(), context_of(model, step))
        assert plan is not None
        record, _ = apply(model, plan, step)
        assert len(record.blocks_after) == 1
        assert torch.equal(model(tokens_BT).logits, before), combination


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("growth.initializer=duplicate", "growth.initializer=Duplicate.*train=ffn.*Add train=grown"),
        ("growth=duplicate train=full", "growth.initializer=Duplicate.*train=full.*Add train=grown"),
        ("growth=v3 train=lora", "train=lora with growth=NeuronGrowth.*Add growth=none"),
        ("growth=none train=lora export=delta", "export=delta.*train=lora adds adapters"),
        ("growth=block_plateau train.validate_every_steps=null", "Plateau.*validate_every_steps=null: give"),
        ("train=grown growth=none", "nothing would be trained. Use"),
        ("growth=grow_only export=delta", "export=delta.*train=ffn.*add train=grown"),
        ("growth=none export=delta", "export=delta.*train=ffn.*add train=grown"),
        ("growth=v3 train=grown export=delta", "export=delta.*Wanda.*choose growth.recycling=none"),
        ("growth=duplicate export=delta", "export=delta.*Duplicate.*choose another initializer"),
        ("growth=grow_only growth.initializer=split train=grown export=delta", "export=delta.*Split"),
    ],
)
def test_what_does_not_go_with_the_rest_of_a_run_is_refused(words, said):
    with pytest.raises(ConfigError, match=said):
        build_settings(compose(words.split()).values)


@pytest.mark.parametrize(
    "words",
    [
        "growth=duplicate", "growth=llama_pro export=delta", "growth=nullspace export=delta",
        "growth=nullspace replay=none",
        "growth=grow_only train=grown export=delta", "growth=block_schedule train=full",
        "growth.initializer=split", "growth.initializer=nullspace",
    ],
)  # fmt: skip
def test_what_goes_together_is_not_refused(words):
    assert build_settings(compose(words.split()).values).growth
