"""Arms as points: which no other surpasses, and where their names stand."""

from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from foam_cli.core.text import visible
from foam_cli.report.canvas import INK, PAPER

#: Where there are more points, only the best are named.
MAX_NAMED = 14


def label(arm: str, length: int) -> str:
    """An arm as its folder is called, cut where that is too long.

    Args:
        arm: Its name.
        length: Letters at the most.

    Returns:
        What is shown.
    """
    return visible(arm if len(arm) <= length else arm[: length - 1] + "…")


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


def name_points(
    figure: Figure, axes: Axes, points: Mapping[str, tuple[float, float]], names: Sequence[str]
) -> None:
    """Name points to the side where there is room, and below one another where names would touch.

    Args:
        figure: The figure.
        axes: Where the points are; its limits are final.
        points: Name to (x, y).
        names: Which ones are named.
    """
    left, right = axes.get_xlim()
    low, high = axes.get_ylim()
    scale = axes.get_position().height * figure.get_figheight() * 72 / (high - low)
    taken: list[tuple[float, float]] = []
    for name in sorted(names, key=lambda one: -points[one][1]):
        x, y = points[name]
        offset = 6.0
        while any(abs(x - a) < 0.2 * (right - left) and abs(y * scale + offset - b) < 10 for a, b in taken):
            offset -= 3
        taken.append((x, y * scale + offset))
        is_far = x > left + 0.75 * (right - left)
        axes.annotate(
            label(name, 32), (x, y), xytext=(-7 if is_far else 7, offset), textcoords="offset points",
            ha="right" if is_far else "left", va="center", color=INK,
            bbox={"facecolor": PAPER, "alpha": 0.85, "linewidth": 0, "pad": 0.8},
        )  # fmt: skip
