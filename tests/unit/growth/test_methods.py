"""Triggers, placements, maturation and recycling, each against what its definition says."""

import json
import math
from dataclasses import replace

import pytest
import torch

from foam_cli.core.errors import GrowthError
from foam_cli.engine.measure import Measurements
from foam_cli.growth.activity import dormancy, output_moves
from foam_cli.growth.context import GrowthContext, NeuronSignals
from foam_cli.growth.initializers.copy_noise import CopyNoise
from foam_cli.growth.initializers.gradmax import GradMax
from foam_cli.growth.initializers.nullspace import Nullspace
from foam_cli.growth.initializers.paired import Paired
from foam_cli.growth.initializers.random import Random
from foam_cli.growth.initializers.split import Split
from foam_cli.growth.initializers.tiny import Tiny
from foam_cli.growth.maturation.freeze import Freeze
from foam_cli.growth.maturation.young_multiplier import YoungMultiplier
from foam_cli.growth.placements.after_blocks import AfterBlocks
from foam_cli.growth.placements.every_nth_block import EveryNthBlock
from foam_cli.growth.placements.least_important_blocks import LeastImportantBlocks
from foam_cli.growth.placements.top_pressure import TopPressure
from foam_cli.growth.placements.uniform import Uniform
from foam_cli.growth.recycling.dormant import Dormant
from foam_cli.growth.recycling.none import NoRecycling
from foam_cli.growth.recycling.wanda import Wanda
from foam_cli.growth.triggers.gradient_percentile import GradientPercentile
from foam_cli.growth.triggers.once import Once
from foam_cli.growth.triggers.plateau import Plateau
from foam_cli.growth.triggers.schedule import Schedule
from foam_cli.model.neurons import make_growable


def signals(pressure, mean_abs=None, mean_square=None, num_samples=1):
    pressure = torch.as_tensor(pressure, dtype=torch.float32)
    ones = torch.ones_like(pressure)
    return NeuronSignals(
        pressure_N=pressure,
        mean_abs_N=ones if mean_abs is None else torch.tensor(mean_abs),
        mean_square_N=ones if mean_square is None else torch.tensor(mean_square),
        num_samples=num_samples,
    )


def context(**changes):
    fields = {
        "step": 0,
        "seed": 0,
        "ffns": (),
        "signals": (),
        "validation_losses": (),
        "block_births": (None,) * 3,
    }
    return GrowthContext(**{**fields, **changes})


def test_schedule_fires_at_500_1000_1500():
    trigger = Schedule(every_steps=500)
    fired = [step for step in range(2000) if trigger.check({}, context(step=step))[0]]
    assert fired == [500, 1000, 1500]
    assert trigger.max_events(1999) == 3


def fired_by(trigger, curve, steps):
    """Steps at which a trigger fires; its state goes through JSON at every step, as in a resume."""
    state, fired, losses = trigger.initial_state(), [], []
    for step in range(steps):
        if step % 50 == 0 and step:
            losses.append((step, curve(step)))
        firing, state = trigger.check(state, context(step=step, validation_losses=tuple(losses)))
        state = json.loads(json.dumps(state))
        fired += [step] if firing else []
    return fired


def test_plateau_fires_at_500_1000_1500_where_each_cycle_stops_falling_after_250():
    def curve(step):
        cycle, within = divmod(step - 1, 500)
        return 7.0 - 0.1 * (5 * cycle + min(5, within // 50 + 1))

    # validations every 50 steps: 50 to 250 fall, 300 to 500 do not: five in a row, at 500; then again
    assert fired_by(Plateau(patience=5, min_delta_nats=0.01), curve, 2000) == [500, 1000, 1500]


def test_plateau_counts_from_the_best_loss_and_asks_for_the_whole_delta():
    flat = fired_by(Plateau(patience=5, min_delta_nats=0.01), lambda step: 2.0, 901)
    assert flat == [300, 550, 800]  # the first validation, at 50, sets the mark
    slow = fired_by(Plateau(patience=5, min_delta_nats=0.01), lambda step: 2.0 - step * 1e-6, 401)
    assert slow == [300]
    assert fired_by(Plateau(patience=5, min_delta_nats=0.01), lambda step: 2.0 - step * 1e-3, 901) == []
    worse = [3.0, 1.0, 2.0, 1.5, 1.4, 1.2, 1.1]  # falls from one to the next, but never below the best
    assert fired_by(Plateau(patience=5, min_delta_nats=0.01), lambda s: worse[s // 50 - 1], 351) == [350]


def test_once_fires_before_the_first_step_only():
    assert fired_by(Once(), lambda step: 1.0, 300) == [0]
    assert Once().check({"fired": True}, context(step=0))[0] is None  # resumed before the first step


def test_gradient_percentile_waits_and_names_the_top_tenth(tiny_model):
    ffns = make_growable(tiny_model("llama"), 1)
    pressures = [
        torch.cat([torch.arange(80.0), torch.full((64,), 1e9)]) for _ in ffns
    ]  # empty slots do not count
    trigger = GradientPercentile(percentile=90.0, cooldown_steps=200)
    state, fired = trigger.initial_state(), []
    for step in range(1000):
        firing, state = trigger.check(
            state, context(step=step, ffns=ffns, signals=[signals(pressure) for pressure in pressures])
        )
        if firing:
            fired.append(step)
            assert [mask.nonzero().flatten().tolist() for mask in firing.candidates] == [
                list(range(72, 80))
            ] * 3
    assert fired == [200, 400, 600, 800]
    assert trigger.max_events(1000) >= len(fired)


def test_gradient_percentile_says_no_where_all_press_alike(tiny_model):
    ffns = make_growable(tiny_model("llama"), 1)
    trigger = GradientPercentile(percentile=90.0, cooldown_steps=2)
    flat = [signals(torch.zeros(144))] * 3
    firing, state = trigger.check(trigger.initial_state(), context(step=50, ffns=ffns, signals=flat))
    assert firing is None
    assert state == {"last_event_step": 0}
    with pytest.raises(GrowthError, match="schedule"):
        trigger.check(trigger.initial_state(), context(step=50))


def test_top_pressure_ranks_per_block_or_over_all():
    pressures = [signals([1.0, 5.0, 3.0, 9.0]), signals([2.0, 8.0, 7.0, 8.0])]
    eligible = (torch.tensor([True, True, True, False]), torch.tensor([True] * 4))
    here = context(signals=pressures)
    assert TopPressure(scope="block").choose_neurons(here, eligible, 2) == {0: (1, 2), 1: (1, 3)}
    assert TopPressure(scope="global").choose_neurons(here, eligible, 4) == {1: (1, 3, 2), 0: (1,)}
    assert TopPressure(scope="global").choose_neurons(here, eligible, 99)[0] == (1, 2, 0)


def test_every_nth_block_spreads_and_begins_again():
    placement = EveryNthBlock(every_blocks=4)
    births: list[int | None] = [None] * 12
    events = []
    for step in range(4):
        after = placement.choose_blocks(context(block_births=births), 1)[0]
        births.insert(after + 1, step)
        events.append(after)
    assert events == [3, 8, 13, 3]  # after pretrained blocks 3, 7 and 11, counted with what came between
    assert placement.choose_blocks(context(block_births=(None,) * 12), 9) == (3, 7, 11)
    assert placement.choose_blocks(context(block_births=(None, None)), 1) == (1,)


def test_the_young_learn_faster_and_are_protected():
    rule = YoungMultiplier(mature_steps=500, multiplier=2.0, protected=True)
    age = torch.tensor([0, 499, 500, 900])
    assert rule.multipliers(age).tolist() == [2.0, 2.0, 1.0, 1.0]
    assert rule.is_protected(age).tolist() == [True, True, False, False]
    assert not replace(rule, protected=False).is_protected(age).any()


def test_mature_neurons_freeze():
    rule = Freeze(mature_steps=500)
    age = torch.tensor([0, 499, 500, 900])
    assert rule.multipliers(age).tolist() == [1.0, 1.0, 0.0, 0.0]
    assert rule.is_protected(age).tolist() == [True, True, False, False]


def test_uniform_gives_every_block_as_many_and_depends_on_its_keys_alone():
    eligible = tuple(torch.arange(40) % 2 == block % 2 for block in range(3))
    chosen = Uniform().choose_neurons(context(step=7), eligible, 6)
    assert [len(chosen[block]) for block in range(3)] == [6, 6, 6]
    assert all(eligible[block][list(sources)].all() for block, sources in chosen.items())
    torch.manual_seed(1)
    assert Uniform().choose_neurons(context(step=7), eligible, 6) == chosen
    assert Uniform().choose_neurons(context(step=8), eligible, 6) != chosen
    assert Uniform().choose_neurons(context(step=7, seed=1), eligible, 6) != chosen
    counts = torch.zeros(40)
    for step in range(400):
        counts[list(Uniform().choose_neurons(context(step=step), eligible[:1], 5)[0])] += 1
    # each of 20 neurons is drawn 100 times in the mean, with a standard deviation below 9
    assert ((counts[::2] - 100).abs() < 45).all() and not counts[1::2].any()
    assert len(Uniform().choose_neurons(context(), eligible, 10**6)[0]) == 20
    assert Uniform().choose_neurons(context(), (torch.zeros(4, dtype=torch.bool),), 3) == {}


def test_after_blocks_names_pretrained_blocks():
    placement = AfterBlocks(blocks=[-1, 0])
    births: list[int | None] = [None] * 3
    events = []
    for step in range(4):
        after = placement.choose_blocks(context(block_births=births), 1)[0]
        births.insert(after + 1, step)
        events.append(after)
    assert events == [2, 0, 3, 0]  # the last one, the first, and again, counted with what came between
    assert placement.choose_blocks(context(block_births=(None, 1, None)), 9) == (2, 0)
    with pytest.raises(GrowthError, match="blocks 0 to 2"):
        AfterBlocks(blocks=[3]).choose_blocks(context(), 1)
    with pytest.raises(GrowthError, match="are the same"):
        AfterBlocks(blocks=[2, -1]).choose_blocks(context(), 1)


def test_the_least_important_block_is_the_one_that_hardly_does_anything(tiny_model, tokens_BT):
    model = tiny_model("llama")
    with torch.no_grad():  # block 1 adds a thousandth of what it did, so that skipping it changes least
        for projection in (model.model.layers[1].self_attn.o_proj, model.model.layers[1].mlp.down_proj):
            projection.weight.mul_(1e-3)

    def loss():
        return model(tokens_BT, labels=tokens_BT, use_cache=False).loss

    measure = Measurements(model, lambda pool: [loss])
    changes = measure.skip_losses()
    whole = float(loss().detach())
    del model.model.layers[2]  # an independent way to skip the last block
    assert changes[2] == pytest.approx(float(loss().detach()) - whole, abs=1e-5)
    assert abs(changes[1]) < 0.01 * min(abs(changes[0]), abs(changes[2]))
    found = Measurements(tiny_model("llama"), lambda pool: [loss])
    found.skip_losses = lambda: changes
    ranked = LeastImportantBlocks().choose_blocks(context(measure=found), 3)
    assert ranked[0] == 1 and set(ranked) == {0, 1, 2}


def test_dormancy_is_relative_to_the_living():
    score = dormancy(signals([0.0] * 4, [1.0, 3.0, 0.0, 99.0]), torch.tensor([True, True, True, False]))
    assert score[:3].tolist() == pytest.approx([0.75, 2.25, 0.0])


def test_output_moves_equal_the_measured_change():
    generator = torch.Generator().manual_seed(0)
    h_TN, down_ND = torch.randn(50, 6, generator=generator), torch.randn(6, 8, generator=generator)
    moves = output_moves(signals(torch.zeros(6), [0.0] * 6, h_TN.square().mean(0).tolist()), down_ND)
    without = h_TN.clone()
    without[:, 2] = 0
    change = (h_TN @ down_ND - without @ down_ND).square().sum(1).mean().sqrt()
    assert moves[2].item() == pytest.approx(change.item(), rel=1e-5)


ALIVE = torch.tensor([True] * 5 + [False])


def test_dormant_gives_up_the_silent_as_far_as_tolerated():
    activity = [0.0, 1.0, 0.01, 2.0, 1.99, 0.0]  # mean of the living: 1
    statistics = signals([0.0] * 6, activity, [value**2 for value in activity])
    rule = Dormant(threshold=0.025, max_move_frac=0.5)
    found = rule.choose(statistics, ALIVE, torch.eye(6), 5)
    assert (found.neurons, found.num_dormant, found.num_refused) == ((0, 2), 2, 0)
    assert found.move_frac == pytest.approx(0.01 / math.hypot(*activity), rel=1e-4)
    strict = replace(rule, max_move_frac=1e-4).choose(statistics, ALIVE, torch.eye(6), 5)
    assert (strict.neurons, strict.num_dormant, strict.num_refused) == ((0,), 2, 1)
    assert rule.choose(statistics, ALIVE, torch.eye(6), 1).neurons == (0,)
    none = rule.choose(statistics, ALIVE, torch.eye(6), 0)
    assert (none.neurons, none.num_dormant) == ((), 2)


def test_wanda_weighs_activity_by_the_out_column():
    statistics = signals([0.0] * 6, [1.0] * 6, [1.0] * 6)
    down = torch.diag(torch.tensor([3.0, 0.02, 2.0, 0.01, 1.0, 0.0]))
    rule = Wanda(dormant_threshold=0.025, max_move_frac=0.01)
    found = rule.choose(statistics, ALIVE, down, 5)
    # 0.01 + 0.02 is below 1 % of |(3, 0.02, 2, 0.01, 1)| = 3.742; adding 1 is not
    assert (found.neurons, found.num_refused, found.num_dormant) == ((3, 1), 3, 0)


@pytest.mark.parametrize(
    "rule", [Dormant(threshold=1.0, max_move_frac=1.0), Wanda(dormant_threshold=1.0, max_move_frac=1.0)]
)
def test_nothing_is_recycled_before_anything_was_measured(rule):
    unmeasured = signals([0.0] * 6, [0.0] * 6, [0.0] * 6, num_samples=0)
    assert rule.choose(unmeasured, ALIVE, torch.eye(6), 3) is None
    assert NoRecycling().choose(signals([1.0] * 6), ALIVE, torch.eye(6), 3) is None


def test_copy_noise_points_away_from_neighbours_and_keeps_the_norm(tiny_model):
    ffns = make_growable(tiny_model("llama"), 1)
    rule = CopyNoise(noise_frac=0.1, num_neighbours=8)
    births = rule.bear(context(ffns=ffns), 1, (5, 40), event=1)
    for rows_FD, born_GD in ((ffns[1].views.up_FD, births.up_GD), (ffns[1].views.gate_FD, births.gate_GD)):
        for source, born in zip((5, 40), born_GD, strict=True):
            cosines = torch.nn.functional.cosine_similarity(rows_FD, rows_FD[source][None]).abs()
            cosines[source] = -1
            nearest = rows_FD[cosines.argsort(descending=True)[:8]]
            assert (nearest @ born).abs().max() < 1e-5
            assert born.norm().item() == pytest.approx(rows_FD[source].norm().item(), rel=1e-5)
            assert born @ rows_FD[source] / born.norm() ** 2 > 0.3  # still a copy
    assert not births.down_GD.any()


def test_copy_noise_depends_on_its_keys_alone(tiny_model):
    ffns = make_growable(tiny_model("gpt2"), 1)
    rule = CopyNoise(noise_frac=0.1, num_neighbours=3)
    state = torch.get_rng_state()
    first = rule.bear(context(ffns=ffns), 0, (1, 2), event=1)
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(rule.bear(context(ffns=ffns), 0, (1, 2), event=1).up_GD, first.up_GD)
    for other in (context(ffns=ffns, seed=1), context(ffns=ffns)):
        event = 1 if other.seed else 2
        assert not torch.equal(rule.bear(other, 0, (1, 2), event=event).up_GD, first.up_GD)


def test_a_copied_neighbour_does_not_break_the_basis(tiny_model):
    ffns = make_growable(tiny_model("llama"), 1)
    ffns[0].views.up_FD[1:4] = ffns[0].views.up_FD[0]
    births = CopyNoise(noise_frac=0.1, num_neighbours=8).bear(context(ffns=ffns), 0, (0,), event=1)
    assert births.up_GD.isfinite().all() and births.up_GD.norm() > 0.1
    assert (ffns[0].views.up_FD[1] @ births.up_GD[0]).abs() < 1e-5


@pytest.mark.parametrize(
    "make",
    [
        lambda: Schedule(every_steps=0),
        lambda: Plateau(patience=0, min_delta_nats=0.01),
        lambda: GradientPercentile(percentile=100.0, cooldown_steps=1),
        lambda: GradientPercentile(percentile=90.0, cooldown_steps=0),
        lambda: EveryNthBlock(every_blocks=0),
        lambda: AfterBlocks(blocks=[]),
        lambda: Freeze(mature_steps=0),
        lambda: Random(std=0.0),
        lambda: Paired(in_std=0.0, out_std=1.0),
        lambda: Split(alpha=0.5),
        lambda: GradMax(column_frac=0.0, num_candidates=1),
        lambda: Tiny(damping_frac=0.0, num_amplitudes=1),
        lambda: Tiny(damping_frac=0.1, num_amplitudes=0),
        lambda: Nullspace(std=0.0, unheld_frac=0.1),
        lambda: Nullspace(std=0.1, unheld_frac=1.0),
        lambda: YoungMultiplier(mature_steps=-1, multiplier=2.0, protected=True),
        lambda: CopyNoise(noise_frac=-1.0, num_neighbours=1),
    ],
)
def test_senseless_values_are_refused(make):
    with pytest.raises(ValueError, match="must"):
        make()
