"""What size and computation buy: loss and learning of every arm against its parameters and its operations."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from foam_cli.report.canvas import BEFORE, GROWTH, MUTED, new_panels
from foam_cli.report.numbers import as_number
from foam_cli.report.pareto import pareto
from foam_cli.report.points import MAX_NAMED, name_points
from foam_cli.report.run_folder import RunFolder
from foam_cli.report.study_folder import Spread, StudyArm, spread


@dataclass(frozen=True, kw_only=True)
class _Axis:
    """A number of an arm, and how it is drawn.

    Attributes:
        name: What stands at the axis.
        of: The arm's number.
        scale: What it is multiplied with.
        sign: 1 where more is better.
    """

    name: str
    of: Callable[[StudyArm], Spread | None]
    scale: float
    sign: int


def _loss(arm: StudyArm) -> Spread | None:
    return spread([_last_validation(run) for run in arm.runs.values()])


def _last_validation(run: RunFolder) -> float | None:
    losses = [as_number(row["validation_loss"]) for row in run.metrics if "validation_loss" in row]
    return losses[-1] if losses else None


@dataclass(frozen=True, kw_only=True)
class _Panel:
    """One scatter.

    Attributes:
        cost: To the right.
        gain: Upwards.
        points: Arm to both.
    """

    cost: _Axis
    gain: _Axis
    points: dict[str, tuple[Spread, Spread]]


_COSTS = (
    _Axis(
        name="parameters (millions)", of=lambda arm: arm.spread("parameters", "final"), scale=1e-6, sign=-1
    ),
    _Axis(name="operations in training (10¹²)", of=lambda arm: arm.spread("flops"), scale=1e-12, sign=-1),
)
_GAINS = (
    _Axis(name="validation loss (nats per token)", of=_loss, scale=1.0, sign=-1),
    _Axis(name="learnt (%)", of=lambda arm: arm.learnt, scale=100.0, sign=1),
)


def size_figure(arms: Sequence[StudyArm]) -> Figure | None:
    """Scatter of the arms: a column per cost, a row per gain.

    Args:
        arms: The arms.

    Returns:
        The figure; None where all arms are of one size, or nothing was measured.
    """
    sizes = [size for arm in arms if (size := _COSTS[0].of(arm)) is not None]
    if len({size.median for size in sizes}) < 2:
        return None
    panels = [panel for gain in _GAINS for cost in _COSTS if (panel := _panel(arms, cost, gain)).points]
    if not panels:
        return None
    figure, all_axes = new_panels(len(panels), 2, 2.7)
    # Rows and columns have names of their own here, so they need more room than panels of one kind.
    figure.subplots_adjust(left=0.065, wspace=0.18, hspace=0.34)
    grown = {arm.name for arm in arms if any(run.growth for run in arm.runs.values())}
    for panel, axes in zip(panels, all_axes, strict=True):
        _draw(figure, axes, panel, grown)
    for name, colour in (("grew", GROWTH), ("did not grow", BEFORE)):
        all_axes[0].plot([], [], color=colour, marker="o", linestyle="", label=name)
    figure.legend(loc="upper right", ncols=2, labelcolor=MUTED, handlelength=1.2, borderaxespad=0.2)
    return figure


def _panel(arms: Sequence[StudyArm], cost: _Axis, gain: _Axis) -> _Panel:
    known = {arm.name: (cost.of(arm), gain.of(arm)) for arm in arms}
    points = {name: (x, y) for name, (x, y) in known.items() if x is not None and y is not None}
    return _Panel(cost=cost, gain=gain, points=points)


def _draw(figure: Figure, axes: Axes, panel: _Panel, grown: set[str]) -> None:
    cost, gain, points = panel.cost, panel.gain, panel.points
    middles = {name: (cost.scale * x.median, gain.scale * y.median) for name, (x, y) in points.items()}
    for name, (x, y) in points.items():
        colour, (at, height) = GROWTH if name in grown else BEFORE, middles[name]
        ends = [cost.scale * x.low, cost.scale * x.high], [gain.scale * y.low, gain.scale * y.high]
        axes.plot(ends[0], [height] * 2, color=colour, linewidth=1.2, alpha=0.6)
        axes.plot([at] * 2, ends[1], color=colour, linewidth=1.2, alpha=0.6)
        axes.plot(at, height, marker="o", markersize=5, color=colour, zorder=3)
    axes.set_xlabel(cost.name)
    axes.set_ylabel(gain.name)
    axes.margins(x=0.1, y=0.16)
    best = pareto({name: (cost.sign * x, gain.sign * y) for name, (x, y) in middles.items()})
    name_points(figure, axes, middles, best if len(middles) > MAX_NAMED else list(middles))


def size_caption() -> dict[str, str]:
    """What stands beside the figure.

    Returns:
        Its title, its explanation, and what is said where there is nothing to draw.
    """
    return {
        "title": "What size and computation bought",
        "text": "Every arm at its median over seeds; thin lines reach to the lowest and highest seed. The "
        "loss is that of the last validation. Operations are those of all training passes. Where there are "
        "many arms, only those are named that none surpasses at a lower cost.",
        "absent": "All arms are of one size.",
    }
