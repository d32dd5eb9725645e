"""The tracker against gradients worked out by autograd on an unrolled FFN."""

import pytest
import torch

from foam_cli.core.errors import CheckpointError
from foam_cli.core.growth import GrowthPlan, NeuronBirths
from foam_cli.growth.signals import PressureTracker
from foam_cli.model.blocks import insert_block
from foam_cli.model.neurons import growable_ffns, make_growable
from foam_cli.model.surgery import apply


def grown(family, tiny_model):
    model = tiny_model(family)
    ffns = make_growable(model, 2)
    gated = ffns[0].views.gate is not None
    for block in range(3):
        rows = torch.randn(2, 32, generator=torch.Generator().manual_seed(block)) * 0.2
        births = NeuronBirths(
            block=block,
            up_GD=rows,
            gate_GD=rows.flip(1) if gated else None,
            bias_G=None if gated else rows[:, 0],
            down_GD=rows.roll(1, 1),
            sources=(None, None),
        )
        apply(model, GrowthPlan(event=1, step=0, reason="test", neurons=(births,)), 0)
    return model, ffns


def tracker_of(ffns, every=1):
    return PressureTracker(ffns, every_steps=every, pressure_decay=0.9, activity_decay=0.99)


@pytest.mark.parametrize("frozen", [False, True])
def test_gradients_may_be_gone_at_the_end_where_that_was_said(frozen, tiny_model, tokens_BT):
    model, ffns = grown("qwen2", tiny_model)
    if frozen:
        for ffn in ffns:
            ffn.core.requires_grad_(False)
    usual, early = tracker_of(ffns), tracker_of(ffns)
    with usual.watch(0):
        early.begin(keeps_gradients=False)
        for part in tokens_BT.split(2):  # two passes whose gradients are added up
            loss_of(model, part).backward()
        assert early.is_watching
    model.zero_grad(set_to_none=False)
    early.end()
    assert not early.is_watching and not any(module._forward_pre_hooks for module in model.modules())
    for mine, expected in zip(early.signals, usual.signals, strict=True):
        assert mine.pressure_N.any() and torch.equal(mine.pressure_N, expected.pressure_N)
        assert torch.equal(mine.mean_abs_N, expected.mean_abs_N)


def test_a_discarded_step_leaves_no_trace(tiny_model, tokens_BT):
    model, ffns = grown("qwen2", tiny_model)
    tracker = tracker_of(ffns)
    with pytest.raises(RuntimeError, match="stop"), tracker.watch(0):
        loss_of(model, tokens_BT).backward()
        raise RuntimeError("stop")
    assert not any(signals.num_samples or signals.pressure_N.any() for signals in tracker.signals)


def loss_of(model, tokens_BT):
    return model(tokens_BT, labels=tokens_BT, use_cache=False).loss


@pytest.mark.parametrize("family", ["gpt2", "qwen2"])
@pytest.mark.parametrize("frozen", [False, True])
def test_pressure_and_activity_equal_a_direct_computation(family, frozen, tiny_model, tokens_BT):
    model, ffns = grown(family, tiny_model)
    captured = []
    handles = [
        ffn.views.down.register_forward_pre_hook(lambda _, args: captured.append(args[0])) for ffn in ffns
    ]
    loss_of(model, tokens_BT).backward(
        inputs=[h for h in captured if h.retain_grad() is None] + list(model.parameters())
    )
    for handle in handles:
        handle.remove()
    core = [(h.detach() * h.grad).flatten(0, 1).sum(0).abs() for h in captured]
    rows = [
        sum(
            p.grad.square().sum(1 - dim) for p, dim in ffn.views.neuron_parameters()[:-1] if p.ndim == 2
        ).sqrt()
        for ffn in ffns
    ]
    model.zero_grad()
    if frozen:
        for name, parameter in model.named_parameters():
            parameter.requires_grad_(".bank." in name)
    tracker = tracker_of(ffns)
    with tracker.watch(0):
        loss_of(model, tokens_BT[:1]).mul(0.25).backward()  # the batch in two micro-batches
        loss_of(model, tokens_BT[1:]).mul(0.75).backward()
    for signals, force, row, h, ffn in zip(tracker.signals, core, rows, captured, ffns, strict=True):
        torch.testing.assert_close(
            signals.pressure_N[:80], 0.1 * (force if frozen else row), atol=1e-6, rtol=1e-3
        )
        torch.testing.assert_close(
            signals.mean_abs_N[:80], 0.01 * h.detach().abs().mean((0, 1)), atol=1e-7, rtol=1e-4
        )
        rms = 0.01 * h.detach().square().mean((0, 1))
        torch.testing.assert_close(signals.mean_square_N[:80], rms, atol=1e-7, rtol=1e-4)
        assert signals.pressure_N[80:82].all() and not signals.pressure_N[82:].any()
        assert signals.mean_abs_N[80:82].all() and not signals.mean_abs_N[82:].any()
        assert ffn.views.down._forward_pre_hooks == {}


def test_a_slot_is_pressed_as_the_same_neuron_in_the_core_is(tiny_model, tokens_BT):
    """The two forms must agree between core and bank: compare a core neuron with its copy in a slot."""
    for frozen in (False, True):
        model = tiny_model("llama")
        ffn = make_growable(model, 1)[1]
        views = ffn.views
        with torch.no_grad():
            for rows, core in ((ffn.bank.up_CD, views.up_FD), (ffn.bank.gate_CD, views.gate_FD)):
                rows[0] = core[7]
            ffn.bank.down_CD[0] = views.down_FD[7]
        ffn.bank.live_C[0] = True
        ffn.bank.recount()
        if frozen:
            for name, parameter in model.named_parameters():
                parameter.requires_grad_(".bank." in name)
        tracker = tracker_of([ffn])
        with tracker.watch(0):
            loss_of(model, tokens_BT).backward()
        (signals,) = tracker.signals
        for values in (signals.pressure_N, signals.mean_abs_N, signals.mean_square_N):
            assert values[80].item() == pytest.approx(values[7].item(), rel=1e-3)


def test_time_constants_are_in_steps(tiny_model, tokens_BT):
    model, ffns = grown("llama", tiny_model)
    every = {1: tracker_of(ffns, 1), 5: tracker_of(ffns, 5)}
    for interval, tracker in every.items():
        for step in range(0, 10):
            model.zero_grad()
            with tracker.watch(step):
                loss_of(model, tokens_BT).backward()
        assert tracker.signals[0].num_samples == 10 // interval
    # a constant signal s gives s (1 - 0.9^10) after ten steps, however often it was looked at
    torch.testing.assert_close(
        every[1].signals[0].pressure_N, every[5].signals[0].pressure_N, rtol=1e-4, atol=1e-9
    )


def test_watching_does_not_change_gradients(tiny_model, tokens_BT):
    for frozen in (False, True):
        model, ffns = grown("qwen2", tiny_model)
        if frozen:
            for name, parameter in model.named_parameters():
                parameter.requires_grad_(".bank." in name)
        loss_of(model, tokens_BT).backward()
        before = {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}
        model.zero_grad()
        with tracker_of(ffns).watch(0), torch.no_grad():
            loss_of(model, tokens_BT)  # a teacher's pass is not counted
        with tracker_of(ffns).watch(0):
            loss_of(model, tokens_BT).backward()
        assert all(
            torch.equal(p.grad, before[name]) for name, p in model.named_parameters() if name in before
        )


def test_statistics_move_with_their_blocks_and_survive_a_round_trip(tiny_model, tokens_BT):
    model, ffns = grown("llama", tiny_model)
    tracker = tracker_of(ffns)
    with tracker.watch(0):
        loss_of(model, tokens_BT).backward()
    old = tracker.signals
    insert_block(model, 0, 1)
    tracker.follow(growable_ffns(model))
    assert tracker.signals[0] is old[0] and tracker.signals[2] is old[1]
    assert tracker.signals[1].num_samples == 0
    other = tracker_of(growable_ffns(model))
    other.load_state_tensors(tracker.state_tensors())
    assert torch.equal(other.signals[3].pressure_N, old[2].pressure_N)
    assert [signals.num_samples for signals in other.signals] == [1, 0, 1, 1]
    with pytest.raises(CheckpointError, match="resume with"):
        tracker_of(ffns[:2]).load_state_tensors(tracker.state_tensors())
