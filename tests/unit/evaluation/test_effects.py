import itertools
import math

import pytest

from foam_cli.core.errors import DataError
from foam_cli.core.metric import Metric, TaskResult
from foam_cli.core.seeds import rng
from foam_cli.evaluation.effects import (
    bootstrap_over_seeds_and_items,
    cohens_h,
    corrected,
    effect,
    holm,
    verdict,
)


def result(hits: list[bool], task: str = "science") -> TaskResult:
    items = [{"id": str(n), "correct": hit} for n, hit in enumerate(hits)]
    metrics = {"acc": Metric.from_hits(sum(hits), len(hits))}
    return TaskResult(task=task, metrics=metrics, items=items, recipe="", data_sha256="", primary="acc")


def flips(num_gained: int, num_lost: int, num_same: int) -> tuple[TaskResult, TaskResult]:
    before = [False] * num_gained + [True] * num_lost + [True] * num_same
    after = [True] * num_gained + [False] * num_lost + [True] * num_same
    return result(before), result(after)


def test_one_seed_is_tested_as_by_hand():
    found = effect({0: flips(9, 1, 10)}, seed=0)
    assert found is not None
    assert (found.baseline_acc, found.arm_acc, found.points) == (0.55, 0.95, pytest.approx(40))
    assert (found.num_seeds, found.num_items, found.test) == (1, 20, "mcnemar")
    assert found.p_value == pytest.approx(2 * 11 / 1024)  # 9 or 10 heads of 10, both sides
    # The resampled mean of 20 values in {-1, 0, 1}: its standard deviation is known.
    deviation = math.sqrt((10 / 20 - 0.4**2) / 20)
    assert found.high - found.low == pytest.approx(100 * 2 * 1.96 * deviation, rel=0.1)


def test_resampling_seeds_and_items_has_the_variance_that_theory_says():
    """Differences a_s + b_i: a resampled mean varies by Var(a)/S, with S - 1 in Var(a), plus Var(b)/N."""
    a, b = [0.3, -0.1, 0.1, 0.5], [0.2, -0.2, 0.0, 0.4, -0.4, 0.6, 0.1, -0.1, 0.3, 0.1]
    differences = [{str(i): x + y for i, y in enumerate(b)} for x in a]
    low, high, _ = bootstrap_over_seeds_and_items(differences, seed=1, name="t")
    mean_a, mean_b = sum(a) / 4, sum(b) / 10
    variance = sum((x - mean_a) ** 2 for x in a) / 3 / 4 + sum((y - mean_b) ** 2 for y in b) / 10 / 10
    assert (low + high) / 2 == pytest.approx(mean_a + mean_b, abs=0.03)
    assert high - low == pytest.approx(2 * 1.96 * math.sqrt(variance), rel=0.08)


def test_more_seeds_of_the_same_items_are_not_more_items():
    one = {str(n): float(n % 5 == 0) for n in range(50)}
    alone = bootstrap_over_seeds_and_items([one], seed=0, name="t")
    many = bootstrap_over_seeds_and_items([one] * 8, seed=0, name="t")
    assert many[1] - many[0] == pytest.approx(alone[1] - alone[0], rel=0.1)


def test_seeds_with_items_of_their_own_are_resampled_as_they_are():
    differences = [{f"{s}-{i}": float(i % 2) for i in range(40)} for s in range(3)]
    low, high, p_value = bootstrap_over_seeds_and_items(differences, seed=0, name="t")
    assert low < 0.5 < high < 0.7 and low > 0.3 and p_value < 0.001
    # Disjoint items are independent, so three seeds know more than one.
    assert high - low < 0.85 * 2 * 1.96 * math.sqrt(0.25 / 40)


def test_p_values_under_the_null_are_not_too_small():
    """Of 60 studies without any effect about 3 have p < 0.05; a test that took seeds for certain has many."""
    small = 0
    for study in range(60):
        draw = rng(study, "null")
        seeds = [draw.gauss(0, 0.05) for _ in range(5)]
        differences = [{str(i): x + draw.choice([-1.0, 0.0, 1.0]) for i in range(60)} for x in seeds]
        small += bootstrap_over_seeds_and_items(differences, seed=study, name="null")[2] < 0.05
    assert small <= 9


def test_equal_models_show_no_difference():
    same = flips(0, 0, 30)
    found = effect({0: same, 1: same, 2: same}, seed=0)
    assert found is not None
    assert (found.points, found.low, found.high, found.p_value, found.cohens_h) == (0, 0, 0, 1.0, 0)
    assert (
        verdict("a", "b", [found])
        == "a against b, 3 seeds: no difference shown in science (+0.0 points [+0.0, +0.0])."
    )


def test_what_is_not_right_or_wrong_is_left_out():
    nothing = result([])
    assert effect({0: (nothing, nothing)}, seed=0) is None
    with pytest.raises(DataError, match="identity"):
        effect({0: (result([True]), result([True], task="identity"))}, seed=0)
    assert "no difference shown" in verdict("a", "b", [])


def test_holm_by_hand():
    # Sorted 0.01, 0.02, 0.03, 0.04 times 4, 3, 2, 1 = 0.04, 0.06, 0.06, 0.04; never below one before it.
    assert holm([0.04, 0.01, 0.03, 0.02]) == pytest.approx([0.06, 0.04, 0.06, 0.06])
    assert holm([0.7, 0.6]) == [1.0, 1.0]
    assert holm([]) == []
    for p_values in itertools.permutations([0.001, 0.2, 0.02]):
        assert sorted(holm(p_values)) == pytest.approx([0.003, 0.04, 0.2])


def test_cohens_h_by_hand():
    assert cohens_h(0.0, 1.0) == pytest.approx(math.pi)
    assert cohens_h(0.5, 0.5) == 0.0
    assert cohens_h(0.25, 0.75) == pytest.approx(
        math.pi / 3
    )  # arcsines of 1/2 and sqrt(3)/2: 30 and 60 degrees
    assert cohens_h(0.75, 0.25) == -cohens_h(0.25, 0.75)


def test_the_verdict_says_what_is_better_what_is_worse_and_what_is_not_shown():
    better = effect({s: flips(30, 0, 30) for s in range(3)}, seed=0)
    worse = effect({s: flips(0, 30, 30) for s in range(3)}, seed=0)
    unclear = effect({s: flips(1, 1, 58) for s in range(3)}, seed=0)
    assert better and worse and unclear
    sentence = verdict("v3", "none", corrected([better, worse, unclear]))
    assert sentence.startswith("v3 against none, 3 seeds: better in science (+50.0 points [")
    assert "; worse in science (-50.0 points [" in sentence
    assert "; no difference shown in science (+0.0 points" in sentence
    assert "one seed says nothing" in verdict(
        "v3", "none", corrected([effect({0: flips(30, 0, 30)}, seed=0)])
    )


def test_a_difference_that_many_comparisons_explain_is_not_shown():
    lucky = effect({0: flips(6, 0, 54)}, seed=0)
    assert lucky is not None and lucky.p_value == pytest.approx(2 / 2**6)
    assert corrected([lucky])[0].finding == "better"
    noise = effect({0: flips(1, 1, 58)}, seed=0)
    assert noise is not None
    assert {one.finding for one in corrected([lucky, noise, noise])} == {"no difference shown"}
