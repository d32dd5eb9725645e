"""The matrix R and its summaries, against values computed by hand."""

import pytest

from foam_cli.core.errors import DataError
from foam_cli.core.metric import Metric, TaskResult
from foam_cli.evaluation.transfer import transfer


def result(task, num_right, n=10, first=0):
    right = {(first + k) % n for k in range(num_right)}
    items = [{"id": f"{task}{i}", "correct": i in right} for i in range(n)]
    metrics = {"acc": Metric.from_hits(num_right, n)}
    return TaskResult(task=task, metrics=metrics, items=items, recipe="", data_sha256="", primary="acc")


def stream(**columns):
    """Right answers of ten per task, before the first stage and after each."""
    length = len(next(iter(columns.values())))
    return [{task: result(task, counts[t]) for task, counts in columns.items()} for t in range(length)]


def test_three_stages_by_hand():
    found = transfer(stream(a=(0, 9, 8, 6), b=(1, 2, 10, 7), c=(0, 1, 3, 9), science=(10, 9, 9, 8)), "abc", 0)
    assert found.tasks == ("a", "b", "c", "science")
    assert found.matrix[0] == (0.0, 0.1, 0.0, 1.0)
    assert found.matrix[3] == (0.6, 0.7, 0.9, 0.8)
    values = {name: metric.value for name, metric in found.metrics.items()}
    assert values == pytest.approx(
        {
            "average_accuracy": (0.6 + 0.7 + 0.9) / 3,
            "bwt": ((0.6 - 0.9) + (0.7 - 1.0)) / 2,
            "forgetting": ((0.9 - 0.6) + (1.0 - 0.7)) / 2,
            "forward_transfer": ((0.2 - 0.1) + (0.3 - 0.0)) / 2,
            "general_change": 0.8 - 1.0,
        }
    )


def test_what_the_base_knew_and_lost_counts_as_forgotten():
    found = transfer(stream(a=(10, 5, 5), b=(0, 0, 10)), "ab", 0)
    assert found.metrics["forgetting"].value == pytest.approx(0.5)
    assert found.metrics["bwt"].value == 0.0


def test_intervals_cover_the_value_and_shrink_with_items():
    widths = []
    for n in (20, 2000):
        results = [{"a": result("a", k * n // 20, n), "b": result("b", k * n // 20, n)} for k in (2, 10, 14)]
        metric = transfer(results, "ab", 0).metrics["average_accuracy"]
        assert metric.low <= metric.value <= metric.high
        widths.append(metric.high - metric.low)
    # the standard error of the mean of two means of n items, p = 0.7, times 2 · 1.96
    assert widths[0] == pytest.approx(2 * 1.96 * (0.7 * 0.3 / 20 / 2) ** 0.5, rel=0.15)
    assert widths[1] == pytest.approx(2 * 1.96 * (0.7 * 0.3 / 2000 / 2) ** 0.5, rel=0.15)


def test_items_are_paired_over_stages():
    # the same items right before and after: whatever is resampled, nothing is forgotten
    found = transfer([{"a": result("a", k)} | {"b": result("b", k)} for k in (0, 5, 5)], "ab", 0)
    assert (found.metrics["bwt"].low, found.metrics["bwt"].high) == (0.0, 0.0)
    # as many, but others: the difference may be luck, and its interval says so
    moved = [{"a": result("a", 5, first=f), "b": result("b", 5, first=f)} for f in (0, 0, 5)]
    assert transfer(moved, "ab", 0).metrics["bwt"].low < -0.1


def test_one_stage_has_no_transfer():
    assert set(transfer(stream(a=(0, 5)), "a", 0).metrics) == {"average_accuracy"}


def test_other_items_and_unscored_tasks_are_refused():
    with pytest.raises(DataError, match="other items"):
        transfer([{"a": result("a", 1)}, {"a": result("a", 1, n=9)}], "a", 0)
    with pytest.raises(DataError, match="no right-or-wrong"):
        transfer([{"a": result("a", 1)}], ["a", "b"], 0)
