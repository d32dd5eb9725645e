"""The natural-gradient score against its definition, and against cases that can be worked out."""

import pytest
import torch

from foam_cli.engine.measure import Measurements
from foam_cli.growth.context import FFNSample, GrowthContext
from foam_cli.growth.expressivity import neuron_activity, present_and_grown, score
from foam_cli.growth.placements.expressivity import ExpressivityGain, shares
from foam_cli.growth.triggers.expressivity import Expressivity
from foam_cli.model.neurons import make_growable


def random(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_the_score_is_the_trace_of_its_definition():
    f, g = random(50, 7), random(50, 4, seed=1)
    a, b, m = f.T @ f / 50, g.T @ g / 50, g.T @ f / 50
    a += 0.3 * a.trace() / 7 * torch.eye(7, dtype=torch.float64)
    b += 0.3 * b.trace() / 4 * torch.eye(4, dtype=torch.float64)
    expected = torch.trace(a.inverse() @ m.T @ b.inverse() @ m)
    assert score(f, g, 0.3) == pytest.approx(float(expected), rel=1e-10)


def test_the_score_does_not_depend_on_the_coordinates_of_features_or_gradients():
    f, g = random(60, 5), random(60, 3, seed=1)
    turned = score(f @ random(5, 5, seed=2), g @ random(3, 3, seed=3), 1e-12)
    assert turned == pytest.approx(score(f, g, 1e-12), rel=1e-6)
    assert score(5 * f, 7 * g, 0.1) == pytest.approx(score(f, g, 0.1), rel=1e-10)


def test_the_score_counts_directions_of_the_gradient_that_features_follow():
    q = torch.linalg.qr(random(40, 9)).Q
    assert score(q[:, :4], q[:, 2:8], 1e-12) == pytest.approx(2.0)  # two of six are shared
    assert score(q[:, :4], q[:, 4:8], 1e-12) == pytest.approx(0.0, abs=1e-9)
    assert score(q, q[:, :6], 1e-12) == pytest.approx(6.0)


def context_of(model, tokens_BT, step):
    ffns = make_growable(model, 1)

    def loss():
        return model(tokens_BT, labels=tokens_BT, use_cache=False).loss

    measure = Measurements(model, lambda pool: [loss])
    return GrowthContext(
        step=step,
        seed=0,
        ffns=ffns,
        signals=(),
        validation_losses=(),
        block_births=(None,) * 3,
        measure=measure,
    )


def test_new_neurons_add_to_what_the_present_ones_can_follow(tiny_model):
    """A gradient that follows two neurons and two inputs: four directions, of which two are there already."""
    ffn = make_growable(tiny_model("llama", torch.float64), 1)[0]
    x_TD = random(300, 32)
    h_TN = neuron_activity(ffn, x_TD)
    directions_4D = torch.linalg.qr(random(32, 4, seed=1)).Q.T
    g_TD = torch.cat([h_TN[:, :2], x_TD[:, :2]], dim=1) @ directions_4D
    present, grown = present_and_grown(ffn, FFNSample(x_TD=x_TD, g_TD=g_TD), 1e-9)
    assert 2 <= present < 3.9 and grown == pytest.approx(4, abs=1e-2)


@pytest.mark.parametrize("family", ["gpt2", "llama"])
def test_an_ffn_of_silent_neurons_gains_and_one_whose_neurons_span_all_does_not(family, tiny_model):
    tokens_BT = torch.randint(2, 97, (8, 40), generator=torch.Generator().manual_seed(1))
    model = tiny_model(
        family, width=512
    )  # more neurons than tokens with a gradient: they can follow anything
    with torch.no_grad():
        mlp = (model.transformer.h if family == "gpt2" else model.model.layers)[1].mlp
        if family == "gpt2":
            mlp.c_fc.bias[2:] = 0
        up = mlp.c_fc.weight.T if family == "gpt2" else mlp.up_proj.weight
        up[2:] = 0  # only two neurons of block 1 do anything
    context = context_of(model, tokens_BT, 200)
    samples = context.measure.ffn_samples("new")
    scores = [present_and_grown(f, s, 1e-3) for f, s in zip(context.ffns, samples, strict=True)]
    assert scores[1][1] > 1.5 * scores[1][0]
    assert all(scores[block][1] < 1.2 * scores[block][0] for block in (0, 2))
    trigger = Expressivity(every_steps=100, min_ratio=1.5, min_gain=0.1, damping_frac=1e-3)
    firing, _ = trigger.check({}, context)
    assert firing is not None
    assert [bool(mask.any()) for mask in firing.candidates] == [False, True, False]
    chosen = ExpressivityGain(damping_frac=1e-3).choose_neurons(context, firing.candidates, 6)
    assert list(chosen) == [1] and len(chosen[1]) == 6
    strict = Expressivity(every_steps=100, min_ratio=1e6, min_gain=0.1, damping_frac=1e-3)
    assert strict.check({}, context)[0] is None
    floor = Expressivity(every_steps=100, min_ratio=1.0, min_gain=1e6, damping_frac=1e-3)
    assert floor.check({}, context)[0] is None


def test_shares_add_up():
    assert shares([1.0, 1.0, 2.0], 8) == [2, 2, 4]
    assert shares([1.0, 1.0, 1.0], 4) == [2, 1, 1]
    assert shares([0.0, 0.9, 0.1], 4) == [0, 4, 0]
    assert shares([0.0, 0.0], 3) == [0, 0]
