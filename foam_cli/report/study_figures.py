"""The figures of a study. Each returns None where the study has nothing to draw."""

import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path as FilePath

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import PathPatch, Rectangle
from matplotlib.path import Path

from foam_cli.report.canvas import (
    BEFORE,
    GROWTH,
    INK,
    KEPT,
    LEARNT,
    LINE,
    MUTED,
    new_page_row,
    new_panels,
)
from foam_cli.report.gallery import draw
from foam_cli.report.numbers import as_number
from foam_cli.report.pareto import pareto
from foam_cli.report.points import MAX_NAMED, label, name_points
from foam_cli.report.run_folder import RunFolder, mapping
from foam_cli.report.size_figure import size_caption, size_figure
from foam_cli.report.study_curves import ages_figure, losses_figure
from foam_cli.report.study_folder import Spread, StudyArm, StudyFolder, spread, tasks_of
from foam_cli.report.study_panels import MAX_PANELS, band, columns_of, curves_figure, name_steps

_MAX_BLOCKS = 24
_NUM_BINS = 20
_NUM_SHADES = 6
_COLOURS = {"learnt": LEARNT, "kept": KEPT}


def draw_study(study: StudyFolder, folder: FilePath) -> dict[str, str]:
    """Draw every figure that the study has numbers for.

    Args:
        study: The study.
        folder: Where the PNG and SVG files go.

    Returns:
        For each figure its SVG for use inside a page.
    """
    makers: dict[str, Callable[[], Figure | None]] = {
        "tradeoff": lambda: tradeoff_figure(study.arms),
        "size": lambda: size_figure(study.arms),
        "retention": lambda: retention_figure(study.arms),
        "losses": lambda: losses_figure(study.arms),
        "births": lambda: births_figure(study.arms),
        "ages": lambda: ages_figure(study.arms),
    }
    return draw(makers, folder)


# ---------------------------------------------------------------- learnt against kept


def tradeoff_figure(arms: Sequence[StudyArm]) -> Figure | None:
    """Scatter of the arms: what they learnt against what became of what they were to keep.

    Args:
        arms: The arms.

    Returns:
        The figure, with extremes over seeds and the line of arms that no other surpasses in both; where many
        arms lie close together in the corner of the best, that corner stands beside it once more, larger.
    """
    known = {arm.name: (arm.learnt, arm.kept) for arm in arms}
    points = {name: (x, y) for name, (x, y) in known.items() if x is not None and y is not None}
    if not points:
        return None
    middles = {name: (100 * x.median, 100 * y.median) for name, (x, y) in points.items()}
    best, near = pareto(middles), _near_the_best(middles)
    figure, panels = new_page_row(4.2, 2 if near else 1)
    for axes in panels:
        axes.axhline(0, color=BEFORE, linewidth=0.9)
        for name, (x, y) in points.items():
            _point(axes, x, y, LEARNT if name in best else BEFORE)
        line = [middles[name] for name in best]
        axes.plot(*zip(*line, strict=True), color=LEARNT, linewidth=1, dashes=(4, 2), zorder=1)
        axes.set_xlabel("learnt: mean score of what was to be learnt (%)")
    whole = panels[0]
    whole.set_ylabel("kept: mean change of what was to be kept (points)")
    whole.margins(x=0.12, y=0.14)
    others = [name for name in points if name not in near]
    few = len(others) <= MAX_NAMED
    name_points(figure, whole, middles, [name for name in others if few or name in best])
    if near:
        _look_closer(figure, whole, panels[1], {name: middles[name] for name in near})
    return figure


def _near_the_best(middles: Mapping[str, tuple[float, float]]) -> list[str]:
    """Arms within a fifth of all there is from the best in both; none where they need no second look."""
    xs, ys = zip(*middles.values(), strict=True)
    x_least, y_least = (max(of) - 0.2 * (max(of) - min(of)) for of in (xs, ys))
    near = [name for name, (x, y) in middles.items() if x >= x_least and y >= y_least]
    return near if len(near) > 3 and len(near) < len(middles) else []


def _look_closer(figure: Figure, whole: Axes, close: Axes, near: Mapping[str, tuple[float, float]]) -> None:
    """Show a part of the axes on others, with a frame around it in both."""
    for place, limit in enumerate((close.set_xlim, close.set_ylim)):
        values = [point[place] for point in near.values()]
        margin = 0.15 * (max(values) - min(values)) + 0.5
        limit(min(values) - margin, max(values) + margin)
    name_points(figure, close, near, list(near))
    (left, right), (low, high) = close.get_xlim(), close.get_ylim()
    frame = Rectangle((left, low), right - left, high - low, fill=False, edgecolor=MUTED, linewidth=0.8)
    whole.add_patch(frame)
    for spine in close.spines.values():
        spine.set(visible=True, edgecolor=MUTED)


def _point(axes: Axes, x: Spread, y: Spread, colour: str) -> None:
    middle = (100 * x.median, 100 * y.median)
    axes.plot([100 * x.low, 100 * x.high], [middle[1]] * 2, color=colour, linewidth=1.2, alpha=0.6)
    axes.plot([middle[0]] * 2, [100 * y.low, 100 * y.high], color=colour, linewidth=1.2, alpha=0.6)
    axes.plot(*middle, marker="o", markersize=6, color=colour, zorder=3)


# ---------------------------------------------------------------- while training


def retention_figure(arms: Sequence[StudyArm]) -> Figure | None:
    """Scores as they were measured while training went on, a panel per arm.

    Args:
        arms: The arms.

    Returns:
        The figure; None where no arm was evaluated during training.
    """
    curves = {arm.name: {role: _retained(arm, role) for role in _COLOURS} for arm in arms}
    shown = [arm for arm in arms if any(curves[arm.name].values())][:MAX_PANELS]
    if not shown:
        return None

    def draw(arm: StudyArm, axes: Axes) -> None:
        for role, colour in _COLOURS.items():
            band(axes, curves[arm.name][role], colour, "o")
        axes.set_ylim(-0.03, 1.03)
        axes.set_yticks([0, 0.5, 1], ["0", "50", "100 %"])

    return curves_figure(shown, draw, {"to be learnt": LEARNT, "to be kept": KEPT})


def _retained(arm: StudyArm, role: str) -> dict[int, Spread]:
    """Step to the mean score over the tasks of a role; base and final belong to it."""
    values: dict[int, list[float | None]] = {}
    for run in arm.runs.values():
        for step, value in _curve(run, tasks_of(run, role)).items():
            values.setdefault(step, []).append(value)
    found = {step: spread(values[step]) for step in sorted(values)}
    return {step: one for step, one in found.items() if one is not None}


def _curve(run: RunFolder, keys: list[str]) -> dict[int, float]:
    rows = {int(as_number(row.get("step")) or 0): mapping(row.get("evaluation")) for row in run.metrics
            if row.get("evaluation")}  # fmt: skip
    metrics = mapping(run.result.get("metrics"))
    measured = {step: [as_number(row.get(key)) for key in keys] for step, row in rows.items()}
    if not keys or not any(None not in values for values in measured.values()):
        return {}
    measured[0] = [as_number(metrics.get(f"base/{key}")) for key in keys]
    measured[run.last_step] = [as_number(metrics.get(f"final/{key}")) for key in keys]
    whole = {step: [one for one in values if one is not None] for step, values in measured.items()}
    return {step: statistics.fmean(values) for step, values in whole.items() if len(values) == len(keys)}


# ---------------------------------------------------------------- births


def births_figure(arms: Sequence[StudyArm]) -> Figure | None:
    """Heat map of neurons born per block over time, a panel per arm that grew; means over seeds.

    Args:
        arms: The arms.

    Returns:
        The figure; all panels have the same shades and the same time.
    """
    grown = [arm for arm in arms if any(run.neurons_born for run in arm.runs.values())][:MAX_PANELS]
    if not grown:
        return None
    runs = [run for arm in grown for run in arm.runs.values()]
    last = max(*(run.last_step for run in runs), 1)
    num_blocks = 1 + max(block for run in runs for event in run.growth for block in event.born)
    size = -(-num_blocks // _MAX_BLOCKS)
    cells = {arm.name: _born(arm, last, size) for arm in grown}
    most = max(value for one in cells.values() for value in one.values())
    num_rows = -(-num_blocks // size)
    figure, panels = new_panels(len(grown), columns_of(len(grown)), max(1.1, min(0.6 + 0.13 * num_rows, 3.0)))
    for arm, axes in zip(grown, panels, strict=True):
        _heat(axes, cells[arm.name], most, num_rows)
        total = statistics.fmean(run.neurons_born for run in arm.runs.values())
        title = f"{label(arm.name, 22)}  ·  {total:.0f} neurons"
        axes.set_title(title, loc="left", fontsize=8, color=INK, pad=4)
        ticks = [0, _NUM_BINS // 2, _NUM_BINS]
        axes.set_xticks([tick - 0.5 for tick in ticks], [f"{last * tick / _NUM_BINS:.0f}" for tick in ticks])
        stride = -(-num_rows // 6)
        axes.set_yticks(range(0, num_rows, stride), [str(row * size) for row in range(0, num_rows, stride)])
    name_steps(figure, "optimizer steps")
    figure.text(0.985, 1, f"strongest shade: {most:.3g} neurons", color=MUTED, ha="right", va="top")
    figure.text(0.005, 1, "upwards: blocks", color=MUTED, va="top")
    return figure


def _born(arm: StudyArm, last: int, size: int) -> dict[tuple[int, int], float]:
    """(span of time, blocks) to neurons born, the mean over seeds."""
    cells: dict[tuple[int, int], float] = {}
    for run in arm.runs.values():
        for event in run.growth:
            column = min(event.step * _NUM_BINS // last, _NUM_BINS - 1)
            for block, born in event.born.items():
                place = (column, block // size)
                cells[place] = cells.get(place, 0.0) + born / len(arm.runs)
    return cells


def _heat(axes: Axes, cells: dict[tuple[int, int], float], most: float, num_rows: int) -> None:
    """One path per shade, so that many panels stay small."""
    shades: dict[int, list[tuple[int, int]]] = {}
    for row in range(num_rows):
        for column in range(_NUM_BINS):
            share = cells.get((column, row), 0.0) / most
            shades.setdefault(math.ceil(share * _NUM_SHADES), []).append((column, row))
    for shade, places in shades.items():
        colour, alpha = (GROWTH, 0.15 + 0.85 * shade / _NUM_SHADES) if shade else (LINE, 0.6)
        squares = Path.make_compound_path(*(_square(*place) for place in places))
        axes.add_patch(PathPatch(squares, facecolor=colour, alpha=alpha, linewidth=0))
    axes.set_xlim(-0.55, _NUM_BINS - 0.45)
    axes.set_ylim(-0.55, num_rows - 0.45)
    axes.grid(visible=False)
    for spine in axes.spines.values():
        spine.set_visible(False)


def _square(column: int, row: int) -> Path:
    x, y = column - 0.46, row - 0.42
    return Path([(x, y), (x + 0.92, y), (x + 0.92, y + 0.84), (x, y + 0.84), (x, y)], closed=True)


def study_captions(arms: Sequence[StudyArm]) -> dict[str, dict[str, str]]:
    """What stands beside each figure.

    Args:
        arms: The arms.

    Returns:
        For each figure its title, its explanation, and what is said where there is nothing to draw.
    """
    cut = f" At most {MAX_PANELS} arms are drawn." if len(arms) > MAX_PANELS else ""
    return {
        "tradeoff": {
            "title": "Learnt against forgotten",
            "text": "Every arm at its median over seeds; thin lines reach to the lowest and highest seed. "
            "Further right learnt more, further up forgot less. No other arm surpasses those on the dashed "
            "line in both. Where many of the best crowd, the framed corner stands at the right, larger.",
            "absent": "No arm was asked both what was to be learnt and what was to be kept.",
        },
        "size": size_caption(),
        "retention": {
            "title": "Scores while training",
            "text": "Means over the tasks, on the items asked during training: medians over seeds, shaded to "
            "the extremes. Dotted lines mark growth of the first seed." + cut,
            "absent": "No arm was evaluated while it trained (evaluation.every_steps).",
        },
        "losses": {
            "title": "Loss",
            "text": "Nats per token: medians over seeds, shaded to the extremes. Dotted lines mark growth of "
            "the first seed." + cut,
            "absent": "No loss was logged.",
        },
        "births": {
            "title": "Where and when neurons were born",
            "text": "Neurons born by block (upwards: nearer to the output) and time, the mean over seeds."
            + cut,
            "absent": "No neuron was born in any arm.",
        },
        "ages": {
            "title": "How old they are",
            "text": "All neurons born during the runs, by their age at the last step, the mean over seeds."
            + cut,
            "absent": "No neuron was born in any arm.",
        },
    }
