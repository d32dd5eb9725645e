"""TINY against least squares: newborns begin as the best fit of low rank, and the loss never rises."""

from dataclasses import replace

import pytest
import torch
from tiny_families import tiny_family

from foam_cli.core.growth import GrowthPlan
from foam_cli.engine.measure import Measurements
from foam_cli.growth.context import GrowthContext
from foam_cli.growth.initializers.tiny import Tiny
from foam_cli.growth.newborn import newborn_output
from foam_cli.model.neurons import growable_ffns, make_growable
from foam_cli.model.surgery import apply

NUM, BLOCK = 4, 1
#: More tokens than features, so that least squares has one answer.
TOKENS = torch.randint(2, 97, (16, 16), generator=torch.Generator().manual_seed(1))
EXACT = Tiny(damping_frac=1e-10, num_amplitudes=10)


def context_of(model):
    def loss():
        return model(TOKENS, labels=TOKENS, use_cache=False).loss

    return GrowthContext(
        step=0, seed=0, ffns=growable_ffns(model), signals=(), validation_losses=(), block_births=(None,) * 3,
        measure=Measurements(model, lambda pool: [loss]),
    )  # fmt: skip


def left_over(features_TK, targets_TD):
    return targets_TD - features_TK @ torch.linalg.lstsq(features_TK, targets_TD, driver="gelsd").solution


def best_fit(features_TK, targets_TD, rank):
    """Reduced-rank regression: the fitted values of least squares, cut down to their leading directions."""
    fitted_TD = targets_TD - left_over(features_TK, targets_TD)
    u_TR, sigma_R, v_RD = torch.linalg.svd(fitted_TD, full_matrices=False)
    return u_TR[:, :rank] * sigma_R[:rank] @ v_RD[:rank]


def with_one(rows_TK):
    return torch.cat([rows_TK, torch.ones_like(rows_TK[:, :1])], dim=1)


def seen(model):
    """Input of the FFN and what its own neurons cannot follow, from the activities that its core computes."""
    ffn, activity = growable_ffns(model)[BLOCK], []
    sample = context_of(model).measure.ffn_samples("new")[BLOCK]
    handle = ffn.views.down.register_forward_pre_hook(lambda _, args: activity.append(args[0]))
    ffn.core(sample.x_TD)
    handle.remove()
    h_TN = activity[0].detach()
    has_bias = getattr(ffn.views.down, "bias", None) is not None
    return ffn, sample.x_TD, left_over(with_one(h_TN) if has_bias else h_TN, -sample.g_TD)


def test_plain_newborns_are_the_best_linear_fit_of_their_rank(tiny_model):
    model = tiny_model("gpt2", torch.float64)
    make_growable(model, 1)
    births = EXACT.bear(context_of(model), BLOCK, tuple(range(NUM)), event=1)
    _, x_TD, v_TD = seen(model)
    linear_TD = newborn_output(births, lambda a: a, x_TD)
    expected_TD = best_fit(with_one(x_TD), v_TD, NUM)
    torch.testing.assert_close(linear_TD, expected_TD, rtol=1e-3, atol=1e-4 * float(expected_TD.abs().max()))
    norms = births.down_GD.norm(dim=1)
    both = torch.cat([births.up_GD, births.bias_G[:, None]], dim=1).double()
    sizes = (with_one(x_TD) @ both.T).square().mean(0).sqrt()
    torch.testing.assert_close(sizes, norms.double(), rtol=1e-3, atol=0)  # √Λ on either side


@pytest.mark.parametrize("name", ["llama", "llama-biased", "phi3"])
def test_gated_newborns_are_the_best_fit_with_their_gate_one_after_the_other(name):
    model = tiny_family(name, torch.float64)
    make_growable(model, 1)
    sources = (7, 3, 40, 20)
    births = EXACT.bear(context_of(model), BLOCK, sources, event=1)
    ffn, x_TD, v_TD = seen(model)
    assert births.sources == sources
    for index, source in enumerate(sources):
        names = ("up_GD", "gate_GD", "bias_G", "gate_bias_G", "down_GD")
        rows = {name: getattr(births, name) for name in names}
        rows = {name: value if value is None else value[index, None] for name, value in rows.items()}
        one = replace(births, sources=(source,), **rows)
        has_bias = births.bias_G is not None
        assert has_bias == (name == "llama-biased")
        gated_T = x_TD @ ffn.views.gate_FD[source] + (ffn.core.gate_proj.bias[source] if has_bias else 0)
        gated_TE = torch.nn.functional.silu(gated_T)[:, None] * (with_one(x_TD) if has_bias else x_TD)
        expected_TD = best_fit(gated_TE.detach(), v_TD, 1)
        found_TD = newborn_output(one, ffn.bank.activation, x_TD)
        scale = float(expected_TD.abs().max())
        torch.testing.assert_close(found_TD, expected_TD, rtol=1e-3, atol=1e-3 * scale)
        v_TD = v_TD - expected_TD


@pytest.mark.parametrize("family", ["gpt2", "llama", "qwen2"])
def test_the_loss_falls_as_far_as_was_measured(family, tiny_model):
    model = tiny_model(family, torch.float64)
    make_growable(model, NUM)
    context, rule = context_of(model), Tiny(damping_frac=0.1, num_amplitudes=10)
    births = tuple(rule.bear(context, block, tuple(range(NUM)), event=1) for block in range(3))
    settled = rule.settle(context, births)
    before, promised = context.measure.loss_with(()), context.measure.loss_with(settled)
    apply(model, GrowthPlan(event=1, step=0, reason="test", neurons=settled), 0)
    after = context_of(model).measure.loss_with(())
    assert after == pytest.approx(promised, abs=1e-9)
    assert after < before - 1e-3
    assert all(one.down_GD.any(1).all() for one in settled)


@pytest.mark.parametrize("family", ["gpt2", "llama"])
def test_where_no_amplitude_lowers_the_loss_the_function_stays_and_neurons_can_learn(family, tiny_model):
    model = tiny_model(family, torch.float64)
    make_growable(model, NUM)
    context = context_of(model)
    births = EXACT.bear(context, BLOCK, tuple(range(NUM)), event=1)
    uphill = replace(births, down_GD=-births.down_GD)
    (settled,) = EXACT.settle(context, (uphill,))
    before = model(TOKENS).logits
    apply(model, GrowthPlan(event=1, step=0, reason="test", neurons=(settled,)), 0)
    assert torch.equal(model(TOKENS).logits, before)
    assert not settled.down_GD.any() and settled.up_GD.any(1).all()


def test_many_neurons_leave_something_to_follow_where_it_is_damped(tiny_model):
    """Without damping, 80 neurons explain the gradients of fewer tokens, and nothing is left of them."""
    model = tiny_model("llama", torch.float64)
    make_growable(model, 1)
    few = TOKENS[:2]
    context = replace(
        context_of(model),
        measure=Measurements(model, lambda pool: [lambda: model(few, labels=few, use_cache=False).loss]),
    )
    damped = Tiny(damping_frac=0.1, num_amplitudes=10).bear(context, BLOCK, (1, 2), event=1)
    exact = EXACT.bear(context, BLOCK, (1, 2), event=1)
    assert exact.down_GD.norm() < 1e-2 * damped.down_GD.norm()
