"""A measured number together with what is needed to believe it."""

import math
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Metric:
    """One score.

    Attributes:
        value: The score itself: a fraction for accuracies, nats or bits where the name says so.
        n: How many items it is the mean of.
        low: Lower end of its 95 % interval, or None where none is known.
        high: Upper end of its 95 % interval, or None where none is known.
    """

    value: float
    n: int
    low: float | None = None
    high: float | None = None

    @staticmethod
    def from_hits(hits: int, n: int) -> "Metric":
        """Accuracy with its Wilson score interval.

        Args:
            hits: Items answered correctly.
            n: Items asked; 0 gives NaN.

        Returns:
            hits/n and its 95 % interval.

        Source: E. B. Wilson, "Probable inference, the law of succession, and statistical inference", 1927.
        """
        if n == 0:
            return Metric(value=math.nan, n=0)
        z = 1.959963984540054
        p = hits / n
        centre = (p + z * z / (2 * n)) / (1 + z * z / n)
        half = z / (1 + z * z / n) * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
        return Metric(value=p, n=n, low=max(0.0, centre - half), high=min(1.0, centre + half))


@dataclass(frozen=True, kw_only=True)
class TaskResult:
    """What one evaluation task found.

    Attributes:
        task: The task's name as it is in conf/evaluation.
        metrics: Metric name to Metric.
        items: One plain dict per item: at least `id`, `prompt`, `answer`, `expected`, `correct`.
        recipe: How it was scored, in a few words; printed beside every number.
        data_sha256: Hash of the items that were asked.
        primary: The metric that stands for the task in one-line summaries.
    """

    task: str
    metrics: dict[str, Metric]
    items: list[dict[str, Any]]
    recipe: str
    data_sha256: str
    primary: str
