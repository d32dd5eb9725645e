"""Against the package `gromo`: the same layer, data and loss, its own statistics and its own solver."""

from types import SimpleNamespace

import pytest
import torch

from foam_cli.growth.context import GrowthContext
from foam_cli.growth.initializers.gradmax import GradMax
from foam_cli.growth.initializers.tiny import Tiny
from foam_cli.growth.samples import sample_ffns
from foam_cli.model.adapters.layout import FFNLayout, FFNViews
from foam_cli.model.neurons import GrowableFFN

growing = pytest.importorskip("gromo.modules.linear_growing_module")

NUM, D, F, T = 5, 12, 20, 300


class PlainFFN(torch.nn.Module):
    """Linear, activation, linear."""

    def __init__(self, bias):
        super().__init__()
        self.up, self.down = torch.nn.Linear(D, F, bias=bias), torch.nn.Linear(F, D, bias=bias)
        self.act = torch.nn.GELU()

    def forward(self, x):
        return self.down(self.act(self.up(x)))


@pytest.fixture
def problem():
    """A layer, its input and the loss of its output; correlated inputs of a mean that is not zero."""

    def make(bias):
        with torch.random.fork_rng():
            torch.manual_seed(0)
            ffn = PlainFFN(bias).double()
            x_TD = torch.randn(T, D, dtype=torch.float64) @ torch.randn(D, D, dtype=torch.float64) + 0.5
            target_T = torch.randint(0, D, (T,))
        return ffn, x_TD, lambda y_TD: torch.nn.functional.cross_entropy(y_TD, target_T)

    return make


def foams(initializer, ffn, x_TD, loss_of):
    layout = FFNLayout(up="up", gate=None, down="down", activation="act", transposed=False)
    grown = GrowableFFN(FFNViews(ffn, layout), 64)
    samples = sample_ffns([grown], [lambda: loss_of(grown(x_TD))])
    context = GrowthContext(
        step=0, seed=0, ffns=[grown], signals=(), validation_losses=(), block_births=(None,)
    )
    object.__setattr__(context, "measure", SimpleNamespace(ffn_samples=lambda pool: samples))
    return initializer.bear(context, 0, tuple(range(NUM)), event=1)


def gromos(ffn, x_TD, loss_of, bias, **options):
    """In-rows, biases, out-columns and singular values of gromo's newborns."""
    up = growing.LinearGrowingModule(D, F, use_bias=bias, post_layer_function=torch.nn.GELU())
    down = growing.LinearGrowingModule(F, D, use_bias=bias, previous_module=up)
    up.layer.load_state_dict(ffn.up.state_dict())
    down.layer.load_state_dict(ffn.down.state_dict())
    up, down = up.double(), down.double()
    for one in (up.layer, down.layer):
        one.double()
    down.init_computation()
    loss_of(down(up(x_TD))).backward()
    down.update_computation()
    down.compute_optimal_updates(
        numerical_threshold=0.0, statistical_threshold=0.0, maximum_added_neurons=NUM, compute_delta=False,
        dtype=torch.float64, **options,
    )  # fmt: skip
    return up.extended_output_layer, down.extended_input_layer


@pytest.mark.parametrize("bias", [True, False])
def test_tiny_neurons_are_gromos(problem, bias):
    ffn, x_TD, loss_of = problem(bias)
    theirs_in, theirs_out = gromos(ffn, x_TD, loss_of, bias)
    births = foams(Tiny(damping_frac=1e-9, num_amplitudes=1), ffn, x_TD, loss_of)
    assert len(births.up_GD) == NUM == theirs_in.weight.shape[0]
    # in-row and out-column of a neuron may both have the other sign
    sign_G1 = (births.down_GD.double() * theirs_out.weight.T).sum(1, keepdim=True).sign()
    near = {"rtol": 1e-4, "atol": 1e-4}
    torch.testing.assert_close(sign_G1 * births.down_GD, theirs_out.weight.T.detach(), **near)
    torch.testing.assert_close(sign_G1 * births.up_GD, theirs_in.weight.detach(), **near)
    if bias:
        torch.testing.assert_close(sign_G1[:, 0] * births.bias_G, theirs_in.bias.detach(), **near)


def test_gradmax_columns_point_where_gromos_do(problem):
    ffn, x_TD, loss_of = problem(False)
    theirs_in, theirs_out = gromos(
        ffn, x_TD, loss_of, False, use_covariance=False, alpha_zero=True, use_projection=False,
        ignore_singular_values=True,
    )  # fmt: skip
    births = foams(GradMax(column_frac=0.5, num_candidates=1), ffn, x_TD, loss_of)
    assert not births.up_GD.any() and not theirs_in.weight.any()
    cosines_G = torch.nn.functional.cosine_similarity(births.down_GD.double(), theirs_out.weight.T)
    torch.testing.assert_close(cosines_G.abs(), torch.ones(NUM, dtype=torch.float64), rtol=0, atol=1e-6)
