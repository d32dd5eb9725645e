"""Recognition by layout, and views that mean the same in every layout."""

import pytest
import torch
from torch import nn

from foam_cli.core.errors import GrowthError, ModelError
from foam_cli.model.neurons import GrowableFFN, growable_ffns, make_growable, num_parameters_in_use
from foam_cli.model.sites import find_blocks, find_ffn_sites

FAMILIES = ("gpt2", "qwen2", "llama")


@pytest.mark.parametrize("family", FAMILIES)
def test_views_compute_the_ffn_neuron_by_neuron(family, tiny_model):
    site = find_ffn_sites(tiny_model(family))[1]
    views = site.views
    x = torch.randn(5, 32, generator=torch.Generator().manual_seed(0))
    total = torch.zeros(5, 32)
    for i in range(views.width):
        pre = x @ views.up_FD[i]
        if views.bias_F is not None:
            pre = pre + views.bias_F[i]
        h = views.activation(pre) if views.gate_FD is None else views.activation(x @ views.gate_FD[i]) * pre
        total += h[:, None] * views.down_FD[i]
    bias = getattr(views.down, "bias", None)
    expected = views.module(x) - (0 if bias is None else bias)
    torch.testing.assert_close(total, expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("family", FAMILIES)
def test_sites_are_one_per_block_and_views_write_through(family, tiny_model):
    model = tiny_model(family)
    sites = find_ffn_sites(model)
    assert [site.block for site in sites] == [0, 1, 2]
    assert all(model.get_submodule(site.path) is site.views.module for site in sites)
    assert all(getattr(site.parent, site.attribute) is site.views.module for site in sites)
    sites[2].views.down_FD[7] = 0.0
    weight = sites[2].views.down.weight
    assert not (weight[7] if family == "gpt2" else weight[:, 7]).any()


@pytest.mark.parametrize("family", FAMILIES)
def test_neuron_parameters_cover_exactly_one_neuron(family, tiny_model):
    model = tiny_model(family)
    views = find_ffn_sites(model)[0].views
    for parameter, dim in views.neuron_parameters():
        assert parameter.shape[dim] == views.width
    num = sum(p.numel() // views.width for p, _ in views.neuron_parameters())
    assert num == {"gpt2": 2 * 32 + 1, "qwen2": 3 * 32, "llama": 3 * 32}[family]


def test_sites_of_a_growable_model_are_the_cores(tiny_model):
    model = tiny_model("qwen2")
    before = [site.views.module for site in find_ffn_sites(model)]
    make_growable(model, 1)
    after = find_ffn_sites(model)
    assert [site.views.module for site in after] == before
    assert [site.path for site in after] == [f"model.layers.{i}.mlp.core" for i in range(3)]


def test_a_linear_layout_inside_an_mlp_is_recognised(tiny_model):
    class Mlp(nn.Module):
        def __init__(self):
            super().__init__()
            self.fc1, self.fc2, self.activation_fn = nn.Linear(8, 24), nn.Linear(24, 8), nn.ReLU()

        def forward(self, x):
            return self.fc2(self.activation_fn(self.fc1(x)))

    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.blocks = nn.ModuleList(nn.ModuleDict({"mlp": Mlp()}) for _ in range(2))

    model = Model()
    assert [site.path for site in find_ffn_sites(model)] == ["blocks.0.mlp", "blocks.1.mlp"]
    x = torch.randn(3, 8)
    expected = model.blocks[0]["mlp"](x)
    make_growable(model, 3)
    assert torch.equal(model.blocks[0]["mlp"](x), expected)


def test_an_unknown_layout_says_what_an_adapter_must_state():
    class Odd(nn.Module):
        def __init__(self):
            super().__init__()
            self.mixer = nn.Linear(4, 4)

    model = nn.Module()
    model.blocks = nn.ModuleList([Odd()])
    with pytest.raises(ModelError) as caught:
        find_ffn_sites(model)
    message = str(caught.value)
    for word in (
        "blocks.0",
        "Odd",
        "mixer",
        "in-projection",
        "gate",
        "out-projection",
        "activation",
        "transposed",
    ):
        assert word in message


def test_a_mixture_of_experts_is_refused(tiny_model):
    model = tiny_model("llama")
    block = find_blocks(model)[1][1]
    block.second_mlp = type(block.mlp)(model.config)
    with pytest.raises(ModelError, match=r"model\.layers\.1.*2 feed-forward modules"):
        find_ffn_sites(model)


def test_an_activation_that_is_not_zero_at_zero_is_refused(tiny_model):
    model = tiny_model("gpt2")
    find_ffn_sites(model)[2].views.module.act = nn.Sigmoid()  # the last block: the others stay untouched
    with pytest.raises(ModelError, match="does not map 0 to 0"):
        make_growable(model, 1)
    assert not growable_ffns(model)


@pytest.mark.parametrize(("asked", "made"), [(0, 0), (1, 64), (64, 64), (65, 128)])
def test_capacity_is_rounded_up_to_64(asked, made, tiny_model):
    model = tiny_model("llama")
    before = num_parameters_in_use(model)
    ffns = make_growable(model, asked)
    assert [ffn.bank.capacity for ffn in ffns] == [made] * 3
    assert growable_ffns(model) == ffns
    assert isinstance(model.model.layers[0].mlp, GrowableFFN)
    assert num_parameters_in_use(model) == before


def test_growable_twice_is_refused(tiny_model):
    model = tiny_model("llama")
    make_growable(model, 1)
    with pytest.raises(GrowthError, match="already"):
        make_growable(model, 1)


def test_banks_are_fp32_beside_bf16(tiny_model):
    ffn = make_growable(tiny_model("gpt2", torch.bfloat16), 1)[0]
    assert {p.dtype for p in ffn.bank.parameters()} == {torch.float32}
    x = torch.randn(2, 32, dtype=torch.bfloat16)
    assert ffn(x).dtype == torch.bfloat16
