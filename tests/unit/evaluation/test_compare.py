import math

import pytest

from foam_cli.core.errors import DataError
from foam_cli.core.metric import Metric, TaskResult
from foam_cli.core.seeds import rng
from foam_cli.evaluation.compare import at_chance, bootstrap_mean, compare, mcnemar


def result(hits: dict[str, bool | None], task: str = "science", **more) -> TaskResult:
    items = [
        {"id": key, "prompt": "", "answer": "", "expected": "", "correct": hit, **more}
        for key, hit in hits.items()
    ]
    metrics = {"acc": Metric.from_hits(sum(map(bool, hits.values())), len(hits))}
    return TaskResult(task=task, metrics=metrics, items=items, recipe="", data_sha256="", primary="acc")


def test_items_are_paired_by_id():
    before = result({"a": True, "b": True, "c": False, "only before": True})
    after = result({"c": True, "b": False, "a": True, "only after": False})
    found = compare(before, after, seed=0)
    assert (found.num_gained, found.num_lost, found.before.n) == (1, 1, 3)
    assert found.before.value == found.after.value == pytest.approx(2 / 3)
    assert found.difference.value == 0.0 and found.p_value == 1.0


def test_the_same_model_differs_by_nothing():
    same = result({str(n): n % 3 > 0 for n in range(30)})
    found = compare(same, same, seed=0)
    assert (found.difference.value, found.difference.low, found.difference.high) == (0.0, 0.0, 0.0)
    assert found.p_value == 1.0


def test_only_items_of_the_main_score_count():
    before, after = result({"a": True}, in_primary=False), result({"a": False}, in_primary=False)
    with pytest.raises(DataError, match="share no"):
        compare(before, after, seed=0)


def test_what_is_not_right_or_wrong_is_refused():
    with pytest.raises(DataError, match="science"):
        compare(result({"a": None}), result({"a": None}), seed=0)
    with pytest.raises(DataError, match="identity"):
        compare(result({"a": True}), result({"a": True}, task="identity"), seed=0)


@pytest.mark.parametrize(
    ("gained", "lost", "p"),
    [(0, 0, 1.0), (1, 0, 1.0), (0, 5, 2 / 32), (9, 1, 2 * 11 / 1024), (4, 4, 1.0), (2, 8, 2 * 56 / 1024)],
)
def test_mcnemar_by_hand(gained, lost, p):
    assert mcnemar(gained, lost) == pytest.approx(p)
    assert mcnemar(lost, gained) == pytest.approx(p)


def test_mcnemar_of_many_changes_is_finite():
    assert mcnemar(3000, 2900) == pytest.approx(math.erfc(99 / math.sqrt(2 * 5900)), rel=0.01)


def test_bootstrap_agrees_with_the_normal_approximation():
    random = rng(0, "differences")
    values = [random.choice([-1.0, 0.0, 0.0, 0.0, 1.0, 1.0]) for _ in range(900)]
    mean = sum(values) / 900
    error = math.sqrt(sum((value - mean) ** 2 for value in values) / 900 / 900)
    found = bootstrap_mean(values, seed=0, name="x")
    assert found.value == pytest.approx(mean)
    assert found.low == pytest.approx(mean - 1.96 * error, abs=0.15 * error)
    assert found.high == pytest.approx(mean + 1.96 * error, abs=0.15 * error)


def test_bootstrap_depends_on_the_seed_alone():
    values = [0.0, 1.0, 1.0, 0.0, 1.0, -1.0]
    assert bootstrap_mean(values, 1, "x") == bootstrap_mean(values, 1, "x")


@pytest.mark.parametrize(
    ("hits", "chance", "flag"), [(25, 0.25, True), (33, 0.25, True), (40, 0.25, False), (5, 0.25, False)]
)
def test_at_chance_is_when_the_interval_covers_it(hits, chance, flag):
    # Wilson intervals at n = 100: 33 hits [24.6, 42.7] %, 40 hits [30.9, 49.8] %, 5 hits [2.2, 11.2] %.
    assert at_chance(result({str(n): n < hits for n in range(100)}, chance=chance)) is flag


def test_without_a_chance_level_nothing_is_at_chance():
    assert not at_chance(result({"a": True, "b": False}))
