"""How numbers are written for people. What is not a finite number becomes a dash."""

import math
import re
from typing import Any

from foam_cli.core.text import visible

DASH = "–"
_NARROW_SPACE = "\u202f"
_FRACTION = re.compile(r"(^|_)(acc|accuracy|rate|frac)($|_)")
_LOWER_IS_BETTER = re.compile(r"(^|_)(loss|perplexity|nats|bits|invalid|leak|forgetting)($|_)")


def is_fraction(metric: str) -> bool:
    """Whether a metric is a fraction, to be written as a percentage.

    Args:
        metric: The metric's name, without its task.

    Returns:
        True for accuracies, rates and fractions.
    """
    return _FRACTION.search(metric) is not None


def lower_is_better(metric: str) -> bool:
    """Whether a smaller value of a metric is the better one.

    Args:
        metric: The metric's name, without its task.

    Returns:
        True for losses, perplexities and rates of mistakes.
    """
    return _LOWER_IS_BETTER.search(metric) is not None


def as_number(value: Any) -> float | None:
    """Read a number from data that may hold anything.

    Args:
        value: What a JSON file holds.

    Returns:
        A finite number, or None.
    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if math.isfinite(value) else None


def count(value: Any) -> str:
    """Write a whole number with its thousands set apart.

    Args:
        value: The number.

    Returns:
        E.g. `2 103 424`.
    """
    number = as_number(value)
    return DASH if number is None else f"{round(number):,}".replace(",", _NARROW_SPACE)


def short_count(value: Any) -> str:
    """Write a large number in three digits and a unit.

    Args:
        value: The number.

    Returns:
        E.g. `2.10 M`.
    """
    number = as_number(value)
    if number is None:
        return DASH
    for unit, size in (("B", 1e9), ("M", 1e6), ("k", 1e3)):
        if abs(number) >= size:
            return f"{number / size:.3g}{_NARROW_SPACE}{unit}"
    return f"{number:.0f}"


def score(value: Any, metric: str, *, unit: bool = True) -> str:
    """Write a score: fractions as a percentage, everything else with four digits.

    Args:
        value: The score.
        metric: The metric's name, which says what kind of number it is.
        unit: Whether to write the percent sign.

    Returns:
        E.g. `95.3 %` or `3.142`.
    """
    number = as_number(value)
    if number is None:
        return DASH
    if not is_fraction(metric):
        return f"{number:.4g}"
    digits = f"{100 * number:.1f}".removesuffix(".0")
    return f"{digits}{_NARROW_SPACE}%" if unit else digits


def change(before: Any, after: Any, metric: str) -> str:
    """Write a difference of two scores, with its sign.

    Args:
        before: The earlier score.
        after: The later score.
        metric: The metric's name.

    Returns:
        E.g. `+95` (percentage points) or `-0.21`.
    """
    low, high = as_number(before), as_number(after)
    if low is None or high is None:
        return DASH
    if not is_fraction(metric):
        return f"{high - low:+.3g}".replace("-", "−")
    digits = f"{100 * (high - low):+.1f}".removesuffix(".0")
    return "0" if digits in ("+0", "-0") else digits.replace("-", "−")


def small(value: Any) -> str:
    """Write a number whose order of magnitude is what matters.

    Args:
        value: The number.

    Returns:
        E.g. `3.1e-07`, and `0` for an exact zero.
    """
    number = as_number(value)
    if number is None:
        return DASH
    return "0" if number == 0 else f"{number:.1e}"


def decimal(value: Any) -> str:
    """Write a loss with four decimals.

    Args:
        value: The number.

    Returns:
        E.g. `1.2345`.
    """
    number = as_number(value)
    return DASH if number is None else f"{number:.4f}"


def duration(seconds: Any) -> str:
    """Write a time in the two largest units that say something.

    Args:
        seconds: The time in seconds.

    Returns:
        E.g. `1 min 52 s`.
    """
    number = as_number(seconds)
    if number is None:
        return DASH
    if number < 60:
        return f"{number:.3g}{_NARROW_SPACE}s"
    minutes, rest = divmod(round(number), 60)
    if minutes < 60:
        return f"{minutes}{_NARROW_SPACE}min {rest}{_NARROW_SPACE}s"
    return f"{minutes // 60}{_NARROW_SPACE}h {minutes % 60}{_NARROW_SPACE}min"


def memory(num_bytes: Any) -> str:
    """Write an amount of memory.

    Args:
        num_bytes: The amount in bytes.

    Returns:
        E.g. `1.24 GiB`.
    """
    number = as_number(num_bytes)
    if number is None:
        return DASH
    unit, size = ("GiB", 2**30) if number >= 1000 * 2**20 else ("MiB", 2**20)
    return f"{number / size:.3g}{_NARROW_SPACE}{unit}"


def words(name: str) -> str:
    """Turn an identifier into words.

    Args:
        name: E.g. `tool_use`.

    Returns:
        E.g. `tool use`, on one line.
    """
    return visible(" ".join(name.replace("_", " ").split()))


def plural(number: int, noun: str) -> str:
    """Write a number of things.

    Args:
        number: How many.
        noun: One of them.

    Returns:
        E.g. `2 events`.
    """
    return f"{count(number)} {noun}{'' if number == 1 else 's'}"


def block_ranges(blocks: list[int]) -> str:
    """Write indices as ranges.

    Args:
        blocks: The indices, in any order.

    Returns:
        E.g. `0–3, 7`.
    """
    runs: list[list[int]] = []
    for block in sorted(set(blocks)):
        if runs and block == runs[-1][-1] + 1:
            runs[-1].append(block)
        else:
            runs.append([block])
    return ", ".join(str(run[0]) if len(run) == 1 else f"{run[0]}–{run[-1]}" for run in runs)
