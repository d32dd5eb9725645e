"""Two models on the same items: what the difference is, and whether it could be luck."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from foam_cli.core.errors import DataError
from foam_cli.core.metric import Metric, TaskResult
from foam_cli.core.seeds import torch_generator

NUM_RESAMPLES = 2000


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """One task, two models, item by item.

    Attributes:
        task: The task.
        before: Accuracy of the first model on the items that both were asked.
        after: Accuracy of the second.
        difference: after - before, with its 95 % bootstrap interval over items.
        num_gained: Items that only the second model got right.
        num_lost: Items that only the first model got right.
        p_value: Exact two-sided McNemar test of "both are equally good".
        before_at_chance: Whether guessing explains the first model's accuracy.
        after_at_chance: Whether guessing explains the second's.
    """

    task: str
    before: Metric
    after: Metric
    difference: Metric
    num_gained: int
    num_lost: int
    p_value: float
    before_at_chance: bool
    after_at_chance: bool


def compare(before: TaskResult, after: TaskResult, seed: int) -> Comparison:
    """Compare two results of the same task on the items that count towards its main score.

    Args:
        before: One model's result.
        after: The other's.
        seed: For the bootstrap.

    Returns:
        The comparison over the items that both were asked.

    Raises:
        DataError: The results are of different tasks, have no item in common, or are not right-or-wrong.
    """
    if before.task != after.task:
        raise DataError(f"cannot compare {before.task} with {after.task}; both must be the same task")
    old, new = hits(before), hits(after)
    shared = [key for key in old if key in new]
    if not shared:
        raise DataError(f"{before.task}: the two results share no right-or-wrong item, so nothing is paired")
    a = [old[key] for key in shared]
    b = [new[key] for key in shared]
    gained = sum(y and not x for x, y in zip(a, b, strict=True))
    lost = sum(x and not y for x, y in zip(a, b, strict=True))
    return Comparison(
        task=before.task,
        before=Metric.from_hits(sum(a), len(a)),
        after=Metric.from_hits(sum(b), len(b)),
        difference=bootstrap_mean([float(y - x) for x, y in zip(a, b, strict=True)], seed, before.task),
        num_gained=gained,
        num_lost=lost,
        p_value=mcnemar(gained, lost),
        before_at_chance=at_chance(before),
        after_at_chance=at_chance(after),
    )


def hits(result: TaskResult) -> dict[str, bool]:
    """Which items were answered right, of those that count towards a task's main score.

    Args:
        result: What the task found.

    Returns:
        Item to right or wrong; empty where items are not right or wrong.
    """
    return {
        str(item["id"]): item["correct"]
        for item in result.items
        if item.get("correct") is not None and item.get("in_primary", True)
    }


def bootstrap_mean(values: Sequence[float], seed: int, name: str) -> Metric:
    """A mean and its 95 % percentile bootstrap interval.

    Args:
        values: One per item; items are resampled.
        seed: For the resampling.
        name: What is resampled: another name draws other samples.

    Returns:
        The mean with its interval.

    Source: B. Efron, "Bootstrap methods: another look at the jackknife", 1979.
    """
    values_N = torch.tensor(values, dtype=torch.float64)
    generator = torch_generator(seed, "bootstrap", name)
    n = len(values)
    means = [
        values_N[torch.randint(n, (n,), generator=generator)].mean().item() for _ in range(NUM_RESAMPLES)
    ]
    ends = torch.tensor([0.025, 0.975], dtype=torch.float64)
    low, high = torch.tensor(means, dtype=torch.float64).quantile(ends).tolist()
    return Metric(value=values_N.mean().item(), n=n, low=low, high=high)


def mcnemar(num_gained: int, num_lost: int) -> float:
    """Exact two-sided McNemar test.

    Args:
        num_gained: Items that only the second model got right.
        num_lost: Items that only the first model got right.

    Returns:
        The probability of a split at least this uneven if each changed item were a fair coin.

    Source: Q. McNemar, "Note on the sampling error of the difference between correlated proportions", 1947;
        the exact form is the binomial test of the discordant pairs.
    """
    changed = num_gained + num_lost
    ways, tail = 1, 0
    for k in range(min(num_gained, num_lost) + 1):
        tail += ways
        ways = ways * (changed - k) // (k + 1)
    return min(1.0, 2 * tail / 2**changed)


def at_chance(result: TaskResult) -> bool:
    """Whether guessing explains a result.

    Args:
        result: Of a task whose items carry `chance`.

    Returns:
        True if the interval of the main metric covers the chance level; False where there is no such level.
    """
    metric = result.metrics[result.primary]
    chances = [item["chance"] for item in result.items if "chance" in item and item.get("in_primary", True)]
    if not chances or metric.low is None or metric.high is None:
        return False
    return metric.low <= sum(chances) / len(chances) <= metric.high
