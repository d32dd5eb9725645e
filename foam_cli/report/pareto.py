"""Which of many are surpassed by none."""

from collections.abc import Mapping


def pareto(points: Mapping[str, tuple[float, float]]) -> list[str]:
    """Find the points that no other surpasses: as good in both, and better in one.

    Args:
        points: Name to (x, y); more is better.

    Returns:
        Their names, by x.
    """
    best = [
        name
        for name, (x, y) in points.items()
        if not any(a >= x and b >= y and (a, b) != (x, y) for a, b in points.values())
    ]
    return sorted(best, key=lambda name: points[name])
