"""Arms as points, and where their names stand."""

from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from foam_cli.core.text import visible
from foam_cli.report.canvas import BEFORE, INK, PAPER

#: Where there are more points, only the best are named.
MAX_NAMED = 14

_LEADER = {"arrowstyle": "-", "color": BEFORE, "linewidth": 0.7, "shrinkA": 0, "shrinkB": 3}
#: How wide a letter of a name is, about.
_LETTER_POINTS = 4.8


def label(arm: str, length: int) -> str:
    """An arm as its folder is called, cut where that is too long.

    Args:
        arm: Its name.
        length: Letters at the most.

    Returns:
        What is shown.
    """
    return visible(arm if len(arm) <= length else arm[: length - 1] + "…")


def name_points(
    figure: Figure, axes: Axes, points: Mapping[str, tuple[float, float]], names: Sequence[str]
) -> None:
    """Name points beside them, as near as there is room between other points and names.

    Args:
        figure: The figure.
        axes: Where the points are; its limits are final.
        points: Name to (x, y).
        names: Which ones are named.
    """
    (left, right), (low, high), area = axes.get_xlim(), axes.get_ylim(), axes.get_position()
    width = float(72 * figure.get_figwidth() * area.width)
    height = float(72 * figure.get_figheight() * area.height)
    places = {
        name: (width * float((x - left) / (right - left)), height * float((y - low) / (high - low)))
        for name, (x, y) in points.items()
    }
    taken = [(x - 3, y - 3, x + 3, y + 3) for x, y in places.values()]
    for name in sorted(names, key=lambda one: -points[one][1]):
        shown = label(name, 32)
        # To the right and a little higher is best; a line leads back from a place farther off.
        nearest = sorted(
            ((side, rise) for side in (1, -1) for rise in range(-36, 37, 3)),
            key=lambda place: abs(place[1] - 3) + 7 * (1 - place[0]),
        )
        boxes = {
            (side, rise): _box(*places[name], side * _LETTER_POINTS * len(shown), rise)
            for side, rise in nearest
        }
        room = (0.0, 0.0, width, height)
        free = (
            place
            for place, box in boxes.items()
            if _is_within(box, room) and not any(_touch(box, other) for other in taken)
        )
        side, rise = next(free, (1, 3))
        taken.append(boxes[side, rise])
        axes.annotate(
            shown, points[name], xytext=(7 * side, rise), textcoords="offset points",
            ha="left" if side > 0 else "right", va="center", color=INK, zorder=2.5,
            bbox={"facecolor": PAPER, "alpha": 0.85, "linewidth": 0, "pad": 0.8},
            arrowprops=_LEADER if abs(rise) > 9 else None,
        )  # fmt: skip


_Box = tuple[float, float, float, float]


def _box(x: float, y: float, width: float, rise: int) -> _Box:
    """Where a name would stand, to the right of a point or, with a negative width, to its left."""
    near, far = x + (7 if width > 0 else -7), x + (7 if width > 0 else -7) + width
    return min(near, far), y + rise - 5, max(near, far), y + rise + 5


def _touch(one: _Box, other: _Box) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def _is_within(one: _Box, room: _Box) -> bool:
    return one[0] >= room[0] and one[1] >= room[1] and one[2] <= room[2] and one[3] <= room[3]
