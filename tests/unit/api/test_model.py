"""Growable models in a loop that is not foam's."""

import copy
from dataclasses import replace

import pytest
import torch
from transformers import AutoModelForCausalLM

from foam_cli import GrowableModel, GrowableQwen
from foam_cli import config as foam_config
from foam_cli.api.defaults import growth_policy
from foam_cli.core.errors import ConfigError, GrowthError
from foam_cli.growth.recycling.wanda import Wanda
from foam_cli.model.neuron_adamw import NeuronAdamW
from foam_cli.model.neurons import growable_ffns, make_growable

ZERO = {"born": 0, "replaced": 0, "died": 0}


def growable(tiny_model, family="qwen2", **settings):
    fields = {"growth_cooldown": 3, "max_growth_per_step": 4, "capacity": 64}
    return GrowableModel(tiny_model(family), **{**fields, **settings}).train()


def train(model, optimizer, tokens_BT, num):
    """The loop of the earlier library's users; gives what every check said."""
    results = []
    for _ in range(num):
        loss = model(input_ids=tokens_BT, labels=tokens_BT, use_cache=False).loss
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        model.update_loss(loss.item())
        results.append(model.check_and_grow())
    return results


def num_live(model):
    return [int(ffn.bank.live_C.sum()) for ffn in growable_ffns(model)]


@pytest.mark.parametrize("family", ["gpt2", "qwen2"])
@pytest.mark.parametrize("freeze", [False, True])
def test_it_grows_at_the_cooldown_and_the_function_stays(family, freeze, tiny_model, tokens_BT):
    model = growable(tiny_model, family, freeze_attention=freeze)
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=1e-3)
    assert train(model, optimizer, tokens_BT, 2) == [ZERO, ZERO]
    before = copy.deepcopy(model)
    loss = model(tokens_BT, labels=tokens_BT).loss
    loss.backward()
    optimizer.step()
    plain_BTV = model(tokens_BT).logits
    assert model.check_and_grow() == {"born": 12, "replaced": 0, "died": 0} and num_live(model) == [4, 4, 4]
    torch.testing.assert_close(model(tokens_BT).logits, plain_BTV, atol=1e-5, rtol=0)
    assert num_live(before) == [0, 0, 0]
    (record,) = model.records
    assert (record.step, record.born) == (3, {0: 4, 1: 4, 2: 4})


def test_pressure_is_that_of_gradients_that_are_gone_already(tiny_model, tokens_BT):
    model = growable(tiny_model)
    model(tokens_BT[:2], labels=tokens_BT[:2]).loss.backward()
    model(tokens_BT[2:], labels=tokens_BT[2:]).loss.backward()  # a second one is accumulated
    expected = [
        0.1**1 * (p.up.weight.grad.square().sum(1) + p.gate.weight.grad.square().sum(1)).sqrt()
        for p in (ffn.views for ffn in growable_ffns(model))
    ]
    model.zero_grad(set_to_none=False)
    model.check_and_grow()
    keep = 0.9**3  # measured every third step, since the cooldown is three
    for found, wanted_F in zip(model.growing.context().signals, expected, strict=True):
        torch.testing.assert_close(found.pressure_N[:80], (1 - keep) / 0.1 * wanted_F)


def test_freezing_attention_leaves_ffns_and_banks(tiny_model):
    model = growable(tiny_model, freeze_attention=True)
    learns = {name for name, parameter in model.named_parameters() if parameter.requires_grad}
    assert learns == {name for name, _ in model.named_parameters() if ".mlp." in name} != set()


def test_a_loss_that_is_not_finite_neither_measures_nor_grows(tiny_model, tokens_BT):
    model = growable(tiny_model)
    for loss in (1.0, float("nan"), float("nan")):
        (model(tokens_BT, labels=tokens_BT).loss * loss).backward()
        model.zero_grad()
        model.update_loss(loss)
        assert model.check_and_grow() == ZERO
    assert all(signals.pressure_N.isfinite().all() for signals in model.growing.context().signals)
    assert model.check_and_grow()["born"] == 12  # a loss that was told counts for one step


def test_several_processes_are_refused(tiny_model, monkeypatch):
    monkeypatch.setattr(torch.distributed, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.distributed, "get_world_size", lambda: 2)
    with pytest.raises(GrowthError, match="in one process"):
        growable(tiny_model).check_and_grow()


def test_without_growth_the_model_stays_what_it_is(tiny_model, tokens_BT):
    model = growable(tiny_model, enable_growth=False)
    assert not growable_ffns(model) and model.check_and_grow() == ZERO and model.records == []
    with pytest.raises(ConfigError, match="enable_growth"):
        model.optimizer(lr=1.0)
    assert model.config is model.model.config
    assert model.generate(tokens_BT[:, :4], max_new_tokens=2, do_sample=False).shape == (4, 6)


def test_defaults_are_those_of_the_configuration(tiny_model):
    model = GrowableModel(tiny_model("llama"), enable_replacement=True)
    values = foam_config.compose(["growth=v3"]).values["growth"]
    policy = model.growing.policy
    assert policy.trigger.percentile == values["trigger"]["percentile"] == 90.0
    assert policy.trigger.cooldown_steps == values["trigger"]["cooldown_steps"] == 200
    assert policy.max_neurons_per_event == values["max_neurons_per_event"] == 10
    assert policy.maturation.mature_steps == values["maturation"]["mature_steps"] == 500
    assert policy.track_every_steps == values["track_every_steps"]
    assert type(policy.recycling).__name__ == "Wanda"
    with pytest.raises(ConfigError, match=r"growth\.trigger\.percentile=100"):
        GrowableModel(tiny_model("llama"), gradient_percentile=100.0)


@pytest.mark.parametrize("own", [True, False])
def test_recycled_neurons_of_the_core_stay_dead_under_any_optimizer(own, tiny_model, tokens_BT):
    model = growable(tiny_model, "llama", enable_replacement=True)
    for ffn in growable_ffns(model):
        with torch.no_grad():
            ffn.views.down_FD[5] = 1e-6  # matters least
    optimizer = model.optimizer(lr=1e-3) if own else torch.optim.Adam(model.parameters(), lr=1e-3)
    results = train(model, optimizer, tokens_BT, 3)
    assert results[2]["replaced"] >= 1
    dead = [(~ffn.core_live_F).nonzero().flatten() for ffn in growable_ffns(model)]
    train(model, optimizer, tokens_BT, 2)
    for ffn, index in zip(growable_ffns(model), dead, strict=True):
        assert not ffn.views.up_FD[index].any() and not ffn.views.down_FD[index].any()


def birth_at(model, step, num):
    """Grow by hand, so that several optimizers can be given the very same neurons."""
    model.growing.step = step
    for block, ffn in enumerate(growable_ffns(model)):
        generator = torch.Generator().manual_seed(step * 10 + block)
        slots = ffn.bank.free_slots()[:num]
        with torch.no_grad():
            for rows in (ffn.bank.up_CD, ffn.bank.gate_CD):
                rows[slots] = torch.randn(num, rows.shape[1], generator=generator) * 0.1
        ffn.bank.live_C[slots], ffn.bank.birth_C[slots] = True, step
        ffn.bank.recount()


@pytest.mark.parametrize("kind", [torch.optim.Adam, torch.optim.AdamW])
def test_an_attached_adam_moves_the_young_as_neuron_adamw_does(kind, tiny_model, tokens_BT):
    """The foreign optimizer has one step count for all slots; NeuronAdamW is the reference."""
    settings = {"lr": 1e-3, "betas": (0.9, 0.999), "eps": 1e-14, "weight_decay": 0.0}
    mine, reference = growable(tiny_model, growth_cooldown=10_000), tiny_model("qwen2")
    ffns = make_growable(reference, 64)
    for one in (mine.model, reference):
        one.requires_grad_(False)
        for ffn in growable_ffns(one):
            ffn.bank.requires_grad_(True)
    foreign = kind([p for p in mine.parameters() if p.requires_grad], **settings)
    mine.attach(foreign)
    exact = NeuronAdamW([ffn.bank for ffn in ffns], betas=(0.9, 0.999), eps=1e-14, weight_decay=0.0)
    exact.set_lr(lambda _: 1e-3)
    for step in range(30):
        if step in (2, 20):
            birth_at(mine, step, 3)
            for ffn, other in zip(growable_ffns(mine), ffns, strict=True):
                new_C = ffn.bank.live_C & ~other.bank.live_C
                with torch.no_grad():
                    for rows, copied in zip(other.bank.parameters(), ffn.bank.parameters(), strict=True):
                        rows[new_C] = copied[new_C]
                other.bank.live_C.copy_(ffn.bank.live_C)
                other.bank.birth_C.copy_(ffn.bank.birth_C)
                other.bank.recount()
        if step < 2:
            continue
        for ffn in ffns:
            exact.set_multiplier(ffn.bank, mine.growing.policy.multipliers(step - ffn.bank.birth_C))
        for model, optimizer in ((mine, foreign), (reference, exact)):
            model(tokens_BT, labels=tokens_BT).loss.backward()
            optimizer.step()
            optimizer.zero_grad()
        mine.check_and_grow()
    for ffn, other in zip(growable_ffns(mine), ffns, strict=True):
        for rows, expected in zip(ffn.bank.parameters(), other.bank.parameters(), strict=True):
            torch.testing.assert_close(rows, expected, atol=2e-6, rtol=1e-4)


def test_an_attached_sgd_moves_the_young_at_twice_the_rate_and_the_mature_at_once(tiny_model, tokens_BT):
    model = growable(tiny_model, maturation_age=5, growth_cooldown=10_000)
    birth_at(model, 0, 2)
    birth_at(model, 6, 2)  # now the first two are six steps old
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    model.attach(optimizer)
    model(tokens_BT, labels=tokens_BT).loss.backward()
    before = [ffn.bank.down_CD.detach().clone() for ffn in growable_ffns(model)]
    optimizer.step()
    for ffn, old_CD in zip(growable_ffns(model), before, strict=True):
        move_CD, gradient_CD = ffn.bank.down_CD.detach() - old_CD, ffn.bank.down_CD.grad
        torch.testing.assert_close(move_CD[:2], -0.1 * gradient_CD[:2], atol=1e-8, rtol=1e-4)
        torch.testing.assert_close(move_CD[2:4], -0.2 * gradient_CD[2:4], atol=1e-8, rtol=1e-4)


def test_an_optimizer_without_the_slots_cannot_be_attached(tiny_model):
    base = tiny_model("qwen2")
    optimizer = torch.optim.AdamW(base.parameters())
    model = GrowableModel(base, capacity=64)
    with pytest.raises(GrowthError, match="does not hold the slots of 3 of 3"):
        model.attach(optimizer)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_foams_optimizer_continues_from_its_state(dtype, tiny_model, tokens_BT):
    model = GrowableModel(tiny_model("qwen2", dtype), growth_cooldown=3, capacity=64).train()
    optimizer = model.optimizer(lr=1e-3)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1 / (1 + step))
    train(model, optimizer, tokens_BT, 4)
    schedule.step()
    assert {group["lr"] for group in optimizer.param_groups} == {5e-4}
    other = GrowableModel(tiny_model("qwen2", dtype), growth_cooldown=3, capacity=64).train()
    other.load_state_dict(model.state_dict())
    again = other.optimizer(lr=1.0)
    again.load_state_dict(optimizer.state_dict())
    for one, its in ((model, optimizer), (other, again)):
        train(one, its, tokens_BT, 3)
    assert other.growing.step == 7 and num_live(other) == num_live(model)
    assert len(model.records) == 2 and other.records[0].born == model.records[1].born
    for (name, mine), value in zip(model.named_parameters(), other.parameters(), strict=True):
        assert torch.equal(mine, value), name


def test_a_state_dict_of_the_model_itself_holds_growth_too(tiny_model, tokens_BT):
    """Trainer saves and loads the model within the wrapper, and never calls the wrapper."""
    model = growable(tiny_model, "llama", enable_replacement=True)
    model.growing.policy = replace(
        model.growing.policy, recycling=Wanda(dormant_threshold=0.0, max_move_frac=0.5)
    )
    train(model, torch.optim.AdamW(model.parameters(), lr=1e-3), tokens_BT, 4)
    other = growable(tiny_model, "llama", enable_replacement=True)
    other.model.load_state_dict(model.model.state_dict(), strict=True)
    assert (other.growing.step, other.growing.state) == (4, model.growing.state)
    for mine, its in zip(model.growing.context().signals, other.growing.context().signals, strict=True):
        assert mine.num_samples == its.num_samples == 2 and torch.equal(mine.pressure_N, its.pressure_N)
    assert other.growing._dead and [n for _, n in other.growing._dead] == [n for _, n in model.growing._dead]
    before = other.growing.state
    other.model.load_state_dict(tiny_model("llama").state_dict(), strict=False)  # a file without growth
    assert other.growing.state == before


def test_what_is_saved_is_a_plain_model(tiny_model, tokens_BT, tmp_path):
    model = growable(tiny_model)
    train(model, torch.optim.Adam(model.parameters(), lr=1e-3), tokens_BT, 5)
    model.save_pretrained(tmp_path)
    plain = AutoModelForCausalLM.from_pretrained(tmp_path)
    assert plain.config.intermediate_size == 128
    torch.testing.assert_close(plain(tokens_BT).logits, model.eval()(tokens_BT).logits, atol=1e-4, rtol=1e-4)


def test_a_model_is_loaded_by_folder_or_hub_id(tiny_folder):
    model = GrowableQwen(str(tiny_folder), capacity=64, freeze_attention=True)
    assert model.tokenizer is not None and len(growable_ffns(model)) == 2
    assert model(torch.tensor([[1, 2]])).logits.shape[:2] == (1, 2)


def test_policies_of_equal_values_are_one():
    values = {
        "gradient_percentile": 90.0,
        "max_growth_per_step": 1,
        "growth_cooldown": 5,
        "maturation_age": 9,
    }
    policy = growth_policy(**values, enable_replacement=False)
    assert policy is growth_policy(**values, enable_replacement=False)
    assert policy.track_every_steps == 5  # at least one measurement between two events
