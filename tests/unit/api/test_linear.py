"""A growable linear layer: nn.Linear until it grows, and afterwards what the formula says."""

import copy

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from foam_cli import GrowableLinear
from foam_cli.core.errors import GrowthError, ModelError


def layer_of(seed=0, **settings):
    torch.manual_seed(seed)
    return GrowableLinear(6, 10, **{"growth_cooldown": 4, "max_growth_per_step": 3, **settings})


def data(num=32):
    generator = torch.Generator().manual_seed(7)
    return torch.randn(num, 6, generator=generator), torch.randn(num, 10, generator=generator)


def steps(layer, optimizer, num, grow=True):
    """A plain training loop; gives the results of all events and the losses."""
    x, y = data()
    results, losses = [], []
    for _ in range(num):
        optimizer.zero_grad()
        loss = F.mse_loss(layer(x), y)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()  # gradients are gone before growth is asked
        losses.append(loss.item())
        should_grow, sources = layer.check_growth()
        if should_grow and grow:
            results.append(layer.perform_growth(sources))
    return results, losses


def grown(**settings):
    layer = layer_of(**{"gradient_percentile": 20.0, **settings})
    steps(layer, torch.optim.Adam(layer.parameters(), lr=0.05), 9)
    assert layer.grown.live_C.sum() == 6
    return layer


@pytest.mark.slow
@pytest.mark.parametrize("bias", [True, False])
def test_until_it_grows_it_is_nn_linear(bias):
    torch.manual_seed(3)
    plain = nn.Linear(6, 10, bias)
    layer = layer_of(3, bias=bias)
    assert isinstance(layer, nn.Linear)
    assert list(layer.state_dict()) == list(plain.state_dict())
    x, y = data()
    for one in (plain, layer):  # in training too
        optimizer = torch.optim.AdamW(one.parameters(), lr=0.05, weight_decay=0.1)
        for _ in range(3):
            optimizer.zero_grad()
            F.mse_loss(one(x), y).backward()
            optimizer.step()
    assert torch.equal(layer(x), plain(x))
    assert torch.equal(layer(x[0]), plain(x[0]))


def test_growing_preserves_the_function_and_then_follows_the_formula():
    layer, (x, _) = grown(), data()
    before = layer(x)
    assert layer.perform_growth([0, 3]) == {"born": 2, "replaced": 0, "died": 0}
    # One more term of the sum is exactly zero; the sum may be formed in another order.
    torch.testing.assert_close(layer(x), before, atol=1e-6, rtol=0)
    w_in, w_out = layer.grown.up_CD, layer.grown.down_CD.T
    expected = x @ layer.weight.T + layer.bias + F.gelu(x @ w_in.T) @ w_out.T
    torch.testing.assert_close(layer(x), expected, atol=1e-5, rtol=1e-5)
    assert layer.grown.down_CD[:6].abs().sum() > 0 and not layer.grown.down_CD[6:].any()


@pytest.mark.slow
def test_grown_neurons_learn_what_a_linear_layer_cannot():
    x, _ = data(256)
    y = x.abs() @ torch.randn(6, 10, generator=torch.Generator().manual_seed(1))
    losses = {}
    for grow in (False, True):
        layer = layer_of(growth_cooldown=5, max_growth_per_step=8)
        optimizer = torch.optim.Adam(layer.parameters(), lr=0.02)
        for _ in range(200):
            optimizer.zero_grad()
            loss = F.mse_loss(layer(x), y)
            loss.backward()
            optimizer.step()
            should_grow, sources = layer.check_growth()
            if should_grow and grow:
                layer.perform_growth(sources)
        losses[grow] = loss.item()
    with torch.no_grad():  # nothing linear can do better than this
        ones = torch.cat([x, torch.ones(256, 1)], dim=1)
        least_squares = F.mse_loss(ones @ torch.linalg.lstsq(ones, y).solution, y).item()
    assert losses[False] >= least_squares * 0.999
    assert losses[True] < 0.5 * least_squares


def test_the_hardest_pressed_rows_are_sources():
    layer = layer_of(max_growth_per_step=1)
    x, _ = data()
    for _ in range(4):
        (100 * layer(x)[:, 7].square().mean() + layer(x).square().mean()).backward()
        layer.zero_grad()
        answer = layer.check_growth()
    assert answer == (True, [7])
    assert layer_of().check_growth() == (False, [])


def test_growth_that_is_not_performed_is_offered_again():
    layer = layer_of()
    results, _ = steps(layer, torch.optim.SGD(layer.parameters(), lr=0.1), 4, grow=False)
    assert not results
    x, _ = data()
    layer(x).square().sum().backward()
    should_grow, sources = layer.check_growth()
    assert (
        should_grow and layer.perform_growth(sources)["born"] == len(sources) == 1
    )  # above 90 % of ten rows


def test_an_optimizer_that_was_made_before_keeps_working():
    layer = layer_of()
    optimizer = torch.optim.AdamW(layer.parameters(), lr=0.05)
    held = {id(one) for group in optimizer.param_groups for one in group["params"]}
    steps(layer, optimizer, 12)
    assert {id(one) for one in layer.parameters()} == held
    rows = layer.grown.down_CD
    state = optimizer.state[rows]["exp_avg"]
    live_C = layer.grown.live_C
    assert state.shape == rows.shape and state[live_C].abs().sum() > 0
    assert not rows[~live_C].any() and not state[~live_C].any()  # empty slots stay exactly zero


def test_grown_neurons_are_replaced_and_rows_never():
    layer = layer_of(enable_replacement=True, maturation_age=1, growth_cooldown=2, capacity=64)
    x, y = data()
    optimizer = torch.optim.Adam(layer.parameters(), lr=0.05)
    total = {"born": 0, "replaced": 0, "died": 0}
    for _ in range(40):
        optimizer.zero_grad()
        F.mse_loss(layer(x), y).backward()
        optimizer.step()
        with torch.no_grad():
            layer.grown.down_CD.mul_(1e-4)  # what has grown matters to nothing
        _, sources = layer.check_growth()
        before = layer.grown.live_C.sum().item()
        result = layer.perform_growth(sources)
        change = result["born"] - result["replaced"] - result["died"]
        assert layer.grown.live_C.sum().item() == before + change
        total = {key: total[key] + result[key] for key in total}
    assert total["replaced"] > 0
    assert layer.growing.ffns[0].core_live_F.all() and (layer.weight != 0).any(1).all()


@pytest.mark.parametrize("wrong", [[10], [-1], [0, 700]])
def test_sources_that_do_not_live_are_refused(wrong):
    with pytest.raises(GrowthError, match="no living neurons"):
        layer_of().perform_growth(wrong)


def test_a_full_layer_says_so_and_stops():
    layer = layer_of(capacity=64)
    with pytest.warns(UserWarning, match="larger capacity"):
        assert layer.perform_growth([0] * 70)["born"] == 64
    assert layer.perform_growth([0]) == {"born": 0, "replaced": 0, "died": 0}


def test_state_dict_round_trip():
    layer, (x, _) = grown(), data()
    state = {name: value.clone() for name, value in layer.state_dict().items()}
    assert {name for name in state if name not in ("weight", "bias")} == {
        "grown.up_CD", "grown.down_CD", "grown.live_C", "grown.birth_C", "grown.counts",
    }  # fmt: skip
    for capacity in (256, 320):  # as many slots, and more
        other = layer_of(5, capacity=capacity)
        other.load_state_dict(state, strict=True)
        torch.testing.assert_close(other(x), layer(x))
        # Both go on alike: the same steps counted, the same noise.
        assert other.growing.step == 9 and other.growing.state == layer.growing.state
        assert other.perform_growth([1]) == {"born": 1, "replaced": 0, "died": 0}
    with pytest.raises(RuntimeError, match="size mismatch"):
        layer_of(capacity=64).load_state_dict(state)


def test_a_plain_state_dict_loads_strictly_and_empties_the_slots():
    torch.manual_seed(11)
    plain, layer, (x, _) = nn.Linear(6, 10), grown(), data()
    layer.load_state_dict(plain.state_dict(), strict=True)
    assert torch.equal(layer(x), plain(x)) and list(layer.state_dict()) == ["weight", "bias"]
    plain.load_state_dict(layer.state_dict(), strict=True)
    nested = nn.Sequential(nn.ReLU(), grown())
    nested.load_state_dict({"1.weight": plain.weight, "1.bias": plain.bias}, strict=True)
    assert torch.equal(nested[1](x), plain(x))


def test_a_copy_grows_on_its_own():
    layer, (x, _) = grown(), data()
    other = copy.deepcopy(layer)
    other.perform_growth([0])
    assert (layer.grown.live_C.sum(), other.grown.live_C.sum()) == (6, 7)
    torch.testing.assert_close(other(x), layer(x))


def test_a_frozen_layer_grows_by_the_pressure_on_its_outputs():
    layer = layer_of(max_growth_per_step=1)
    layer.weight.requires_grad_(False)
    x, _ = data()
    for _ in range(4):
        (layer(x)[:, 2].square().mean() * 50 + layer(x).square().mean()).backward()
        answer = layer.check_growth()
    assert answer == (True, [2])


def test_an_attached_optimizer_moves_the_young_at_twice_the_rate():
    layer, (x, y) = layer_of(), data()
    optimizer = torch.optim.SGD(layer.parameters(), lr=0.1)
    layer.attach(optimizer)
    layer.perform_growth([0, 1])
    F.mse_loss(layer(x), y).backward()
    weight = layer.weight.detach().clone()
    optimizer.step()
    torch.testing.assert_close(layer.grown.down_CD.detach(), -0.2 * layer.grown.down_CD.grad)
    torch.testing.assert_close(layer.weight.detach(), weight - 0.1 * layer.weight.grad)


def test_an_activation_that_is_heard_at_zero_is_refused():
    with pytest.raises(ModelError, match="does not map 0 to 0"):
        GrowableLinear(2, 2, activation=torch.sigmoid)
