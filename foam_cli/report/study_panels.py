"""What a study's figures with a panel per arm share."""

from collections.abc import Callable, Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from foam_cli.report.canvas import GROWTH, INK, MUTED, new_panels
from foam_cli.report.points import label
from foam_cli.report.study_folder import Spread, StudyArm

MAX_PANELS = 16


def columns_of(count: int) -> int:
    """How many panels stand side by side.

    Args:
        count: How many there are.

    Returns:
        Two to four.
    """
    return min(max(count, 2), 4)


def name_arm(axes: Axes, arm: StudyArm) -> None:
    """Write an arm's name over its panel.

    Args:
        axes: The axes.
        arm: The arm.
    """
    axes.set_title(label(arm.name, 30), loc="left", fontsize=8, color=INK, pad=4)


def curves_figure(
    arms: Sequence[StudyArm], draw: Callable[[StudyArm, Axes], None], colours: Mapping[str, str]
) -> Figure:
    """Draw curves over the steps with growth marked, a panel per arm.

    Args:
        arms: The arms.
        draw: Draws an arm's curves into its panel.
        colours: What a colour means to its colour.

    Returns:
        The figure.
    """
    figure, panels = new_panels(len(arms), columns_of(len(arms)), 1.65)
    for arm, axes in zip(arms, panels, strict=True):
        growth_lines(axes, arm)
        draw(arm, axes)
        axes.locator_params(axis="x", nbins=5)
        name_arm(axes, arm)
        axes.margins(x=0.02)
    for name, colour in {**colours, "growth": GROWTH}.items():
        panels[0].plot([], [], color=colour, label=name)
    figure.legend(loc="upper right", ncols=3, labelcolor=MUTED, handlelength=1.2, borderaxespad=0.2)
    name_steps(figure, "optimizer steps")
    return figure


def band(axes: Axes, curve: Mapping[int, Spread] | Mapping[float, Spread], colour: str, marker: str) -> None:
    """Draw a curve of medians, shaded to the extremes.

    Args:
        axes: The axes.
        curve: Step to its spread over seeds.
        colour: Its colour.
        marker: What marks a point; nothing for none.
    """
    if curve:
        steps = list(curve)
        low, high = [one.low for one in curve.values()], [one.high for one in curve.values()]
        axes.fill_between(steps, low, high, color=colour, alpha=0.18, linewidth=0)
        middle = [one.median for one in curve.values()]
        axes.plot(steps, middle, color=colour, linewidth=1.4, marker=marker, markersize=2.4)


def growth_lines(axes: Axes, arm: StudyArm) -> None:
    """Mark growth of the first seed: others mostly grow at the same steps.

    Args:
        axes: The axes.
        arm: The arm.
    """
    run = next(iter(arm.runs.values()))
    for step in dict.fromkeys(event.step for event in run.growth):
        axes.axvline(step, color=GROWTH, linewidth=0.7, alpha=0.6, dashes=(1.5, 1.5))


def name_steps(figure: Figure, name: str) -> None:
    """Name the axis that all panels share.

    Args:
        figure: The figure.
        name: What its numbers are.
    """
    figure.supxlabel(name, fontsize=8, color=MUTED, y=0.01, va="bottom")
