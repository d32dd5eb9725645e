"""GradMax against matrices that autograd gives: M is the gradient of a zero map added to the FFN."""

import pytest
import torch

from foam_cli.core.errors import GrowthError
from foam_cli.core.growth import GrowthPlan
from foam_cli.engine.measure import Measurements
from foam_cli.growth.context import GrowthContext
from foam_cli.growth.initializers.gradmax import GradMax
from foam_cli.model.neurons import make_growable
from foam_cli.model.surgery import apply

NUM, BLOCK = 5, 1


def loss_of(model, tokens_BT):
    return model(tokens_BT, labels=tokens_BT, use_cache=False).loss


def context_of(model, ffns, tokens_BT):
    return GrowthContext(
        step=0, seed=0, ffns=ffns, signals=(), validation_losses=(), block_births=(None,) * 3,
        measure=Measurements(model, lambda pool: [lambda: loss_of(model, tokens_BT)]),
    )  # fmt: skip


def matrix(model, ffn, tokens_BT, weigh):
    """∇_A of the loss where the FFN gives y + A (a(x) x) with A = 0: that is Σ a(x) g xᵀ."""
    zero_DD = torch.zeros(32, 32, dtype=torch.float64, requires_grad=True)
    handle = ffn.register_forward_hook(lambda _, args, y: y + (weigh(args[0]) * args[0]) @ zero_DD.T)
    (gradient,) = torch.autograd.grad(loss_of(model, tokens_BT), zero_DD)
    handle.remove()
    return gradient


def born(family, tiny_model, tokens_BT):
    """A model that has grown, its FFN, the births, and the gradients of the newborn."""
    model = tiny_model(family, torch.float64)
    ffns = make_growable(model, 1)
    births = GradMax(column_frac=0.5, num_candidates=80).bear(
        context_of(model, ffns, tokens_BT), BLOCK, tuple(range(NUM)), event=1
    )
    apply(model, GrowthPlan(event=1, step=0, reason="test", neurons=(births,)), 0)
    loss_of(model, tokens_BT).backward()
    column = 0.5 * ffns[BLOCK].views.down_FD.norm(dim=1).mean()
    return model, ffns[BLOCK], births, column


def test_plain_gradients_are_the_largest_that_orthogonal_columns_can_have(tiny_model, tokens_BT):
    model, ffn, births, c = born("gpt2", tiny_model, tokens_BT)
    m_DD = matrix(model, ffn, tokens_BT, lambda x: 1.0)
    sigma = torch.linalg.svdvals(m_DD)
    slope = 0.5  # of GELU at 0
    found = ffn.bank.up_CD.grad[:NUM].double().square().sum()
    expected = slope**2 * c**2 * sigma[:NUM].square().sum()
    assert abs(found / expected - 1) < 1e-6
    assert not births.up_GD.any() and not births.bias_G.any()
    generator = torch.Generator().manual_seed(0)
    for _ in range(1000):
        columns_DG = torch.linalg.qr(torch.randn(32, NUM, generator=generator, dtype=torch.float64)).Q
        assert slope**2 * c**2 * (m_DD.T @ columns_DG).square().sum() < found


def test_gated_gradients_are_the_largest_of_each_gate(tiny_model, tokens_BT):
    model, ffn, births, c = born("llama", tiny_model, tokens_BT)
    generator = torch.Generator().manual_seed(0)
    explained_DD = torch.zeros(32, 32, dtype=torch.float64)
    for index in range(NUM):
        gate_D = births.gate_GD[index].double()
        m_DD = matrix(model, ffn, tokens_BT, lambda x, w=gate_D: torch.nn.functional.silu(x @ w)[..., None])
        m_DD = m_DD - explained_DD @ m_DD
        found = ffn.bank.up_CD.grad[index].double().norm()
        assert abs(found / (c * torch.linalg.matrix_norm(m_DD, 2)) - 1) < 1e-6
        columns_DR = torch.randn(32, 1000, generator=generator, dtype=torch.float64)
        columns_DR = columns_DR / columns_DR.norm(dim=0)
        assert (c * (m_DD.T @ columns_DR).norm(dim=0)).max() < found
        direction_D = births.down_GD[index].double() / births.down_GD[index].double().norm()
        explained_DD = explained_DD + torch.outer(direction_D, direction_D)
    assert not births.up_GD.any()
    # no other half of the neuron moves at first: two of its three factors would have to be alive for that
    assert not ffn.bank.gate_CD.grad.any() and not ffn.bank.down_CD.grad.any()


def test_every_gated_neuron_takes_the_gate_of_the_largest_ratio_that_is_left(tiny_model, tokens_BT):
    model = tiny_model("llama", torch.float64)
    ffns = make_growable(model, 1)
    context = context_of(model, ffns, tokens_BT)
    births = GradMax(column_frac=0.5, num_candidates=80).bear(context, BLOCK, (0,) * 12, event=1)
    (sample,) = context.measure.ffn_samples("new")[BLOCK : BLOCK + 1]
    x_TD, g_TD = sample.x_TD.double(), sample.g_TD.double()
    assert len(births.sources) == 12
    for source, gate_D, down_D in zip(births.sources, births.gate_GD, births.down_GD, strict=True):
        activity_FT = torch.nn.functional.silu(ffns[BLOCK].views.gate_FD.double() @ x_TD.T)
        sigma_F = torch.linalg.matrix_norm(torch.einsum("ft,td,te->fde", activity_FT, g_TD, x_TD), 2)
        ratio_F = sigma_F / activity_FT.norm(dim=1)
        # candidates are ranked by a few passes of power iteration, so close ones may change places
        assert ratio_F[source] > 0.95 * ratio_F.max()
        assert torch.equal(gate_D.double(), ffns[BLOCK].views.gate_FD[source])
        u_D = down_D.double() / down_D.double().norm()
        g_TD = g_TD - torch.outer(g_TD @ u_D, u_D)


def test_no_more_neurons_are_born_than_directions_have_a_gradient(tiny_model):
    tokens_BT = torch.tensor([[5, 6, 7, 8]])  # three tokens have a gradient
    for family in ("gpt2", "llama"):
        model = tiny_model(family, torch.float64)
        ffns = make_growable(model, 1)
        births = GradMax(column_frac=0.5, num_candidates=80).bear(
            context_of(model, ffns, tokens_BT), BLOCK, tuple(range(9)), event=1
        )
        assert len(births.down_GD) == len(births.sources) == 3
        cosines = births.down_GD @ births.down_GD.T / births.down_GD.square().sum(1)
        torch.testing.assert_close(cosines, torch.eye(3), atol=1e-5, rtol=0)


def test_an_activation_without_slope_at_zero_is_refused(tiny_model, tokens_BT):
    model = tiny_model("gpt2")
    for block in model.transformer.h:
        block.mlp.act = torch.nn.ReLU()
    ffns = make_growable(model, 1)
    with pytest.raises(GrowthError, match="no slope at 0"):
        GradMax(column_frac=0.5, num_candidates=80).bear(context_of(model, ffns, tokens_BT), 0, (1,), event=1)


def test_measuring_touches_no_gradient_and_changes_nothing(tiny_model, tokens_BT):
    for frozen in (False, True):
        model = tiny_model("qwen2")
        make_growable(model, 1)
        model.requires_grad_(not frozen)
        model.train()
        before = model(tokens_BT).logits
        samples = context_of(model, (), tokens_BT).measure.ffn_samples("new")
        assert all(p.grad is None for p in model.parameters()) and model.training
        assert torch.equal(model(tokens_BT).logits, before)
        assert [len(sample.x_TD) for sample in samples] == [4 * 15] * 3
