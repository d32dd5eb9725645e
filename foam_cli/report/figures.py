"""The figures of one run. Each returns None where the run has nothing to draw."""

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from foam_cli.report.canvas import (
    BEFORE,
    GROWTH,
    INK,
    KEPT,
    LEARNT,
    MUTED,
    PAPER,
    draw_cell,
    legend,
    new_axes,
    short,
)
from foam_cli.report.numbers import as_number, is_fraction, score
from foam_cli.report.run_folder import RunFolder, mapping
from foam_cli.report.scores import Score

_MAX_POINTS = 400
_MAX_COLUMNS = 40
_MAX_TASKS = 16


def scores_figure(rows: list[Score]) -> Figure | None:
    """Bars of every task's primary metric, base above final, with intervals.

    Args:
        rows: The run's scores.

    Returns:
        The figure; only fractions are drawn, since they share an axis.
    """
    shown = [row for row in rows if row.primary and is_fraction(row.metric)]
    shown = [row for row in shown if row.base is not None or row.final is not None][:_MAX_TASKS]
    if not shown:
        return None
    figure, axes = new_axes(0.6 + 0.42 * len(shown), 0.23, right=0.2, bottom_inches=0.24)
    for place, row in enumerate(shown):
        colour = LEARNT if row.role == "learnt" else KEPT
        _bar(axes, row, "base", place - 0.19, BEFORE)
        _bar(axes, row, "final", place + 0.19, colour)
        text = f"{score(row.base, row.metric, unit=False)} → {score(row.final, row.metric)}"
        axes.text(1.04, place, text, transform=axes.get_yaxis_transform(), va="center", color=INK)
    axes.set_yticks(range(len(shown)), [short(row.task) for row in shown])
    axes.tick_params(axis="y", labelcolor=INK)
    axes.set_ylim(len(shown) - 0.45, -0.55)
    axes.set_xlim(0, 1)
    axes.set_xticks([0, 0.25, 0.5, 0.75, 1], ["0", "25", "50", "75", "100 %"])
    axes.grid(axis="y", visible=False)
    axes.spines["left"].set_visible(False)
    for label, colour in (("base", BEFORE), ("final: to be learnt", LEARNT), ("final: to be kept", KEPT)):
        axes.bar(0, 0, color=colour, label=label)
    legend(axes, 3)
    return figure


def _bar(axes: Axes, row: Score, when: str, place: float, colour: str) -> None:
    reading = row.readings[when]
    if reading.value is None:
        return
    axes.barh(place, reading.value, height=0.32, color=colour)
    if reading.low is not None and reading.high is not None:
        axes.plot(
            [reading.low, reading.high], [place, place], color=INK, linewidth=0.9, solid_capstyle="butt"
        )


def _points(run: RunFolder, key: str) -> list[tuple[float, float]]:
    found = ((as_number(row.get("step")), as_number(row.get(key))) for row in run.metrics)
    return [(step, value) for step, value in found if step is not None and value is not None]


def _thinned(points: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """Means of neighbours, so that a long run costs no more to draw than a short one."""
    size = -(-len(points) // _MAX_POINTS)
    chunks = [points[start : start + size] for start in range(0, len(points), max(size, 1))]
    return [(chunk[-1][0], sum(y for _, y in chunk) / len(chunk)) for chunk in chunks]


def _smoothed(points: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """Centred means over a thirtieth of the run: unlike an exponential mean they do not lag behind."""
    half = max(len(points) // 60, 1)
    windows = (points[max(0, place - half) : place + half + 1] for place in range(len(points)))
    means = (sum(y for _, y in window) / len(window) for window in windows)
    return [(step, mean) for (step, _), mean in zip(points, means, strict=True)]


def loss_figure(run: RunFolder) -> Figure | None:
    """Training loss, validation loss and the moments of growth.

    Args:
        run: The run.

    Returns:
        The figure.
    """
    train, validation = _thinned(_points(run, "loss")), _points(run, "validation_loss")
    if not train and not validation:
        return None
    figure, axes = new_axes(2.7, 0.1)
    if train:
        axes.plot(*zip(*train, strict=True), color=BEFORE, linewidth=0.7, alpha=0.7)
        axes.plot(*zip(*_smoothed(train), strict=True), color=INK, linewidth=1.5, label="training loss")
    if validation:
        axes.plot(*zip(*validation, strict=True), color=KEPT, linewidth=1, marker="o", markersize=3.2,
                  markerfacecolor=PAPER, label="validation loss")  # fmt: skip
    _mark_growth(axes, run)
    values = sorted(value for _, value in train + validation)
    top = values[min(len(values) - 1, int(0.995 * len(values)))]
    margin = 0.05 * (top - values[0]) or 0.1
    axes.set_ylim(values[0] - margin, top + margin)
    axes.set_xlabel("optimizer steps")
    axes.margins(x=0.01)
    legend(axes, 3)
    return figure


def _mark_growth(axes: Axes, run: RunFolder) -> None:
    for place, step in enumerate(dict.fromkeys(event.step for event in run.growth)):
        label = "growth" if place == 0 else None
        axes.axvline(step, color=GROWTH, linewidth=0.9, alpha=0.7, dashes=(1.5, 1.5), label=label)


def during_figure(run: RunFolder, rows: list[Score]) -> Figure | None:
    """Primary metrics as they were measured while training went on.

    Args:
        run: The run.
        rows: Its scores, which say what is to be learnt and what is to be kept.

    Returns:
        The figure.
    """
    lines: dict[str, list[tuple[float, float]]] = {}
    for row in run.metrics:
        step = as_number(row.get("step"))
        for key, value in mapping(row.get("evaluation")).items():
            number = as_number(value)
            if step is not None and number is not None:
                lines.setdefault(key, []).append((step, number))
    roles = {f"{row.task}/{row.metric}": row for row in rows if row.primary and is_fraction(row.metric)}
    shown = {key: _with_ends(lines[key], roles[key], run.last_step) for key in roles if key in lines}
    shown = {key: points for key, points in shown.items() if len(points) > 1}
    if not shown:
        return None
    figure, axes = new_axes(2.7, 0.1, right=0.2, top_inches=0.15)
    _mark_growth(axes, run)
    ends: list[tuple[float, str, str]] = []
    for key, points in shown.items():
        colour = LEARNT if roles[key].role == "learnt" else KEPT
        axes.plot(*zip(*points, strict=True), color=colour, linewidth=1.3, marker="o", markersize=2.5)
        ends.append((points[-1][1], short(roles[key].task, 14), colour))
    _label_ends(axes, ends)
    axes.set_ylim(-0.03, 1.03)
    axes.set_yticks([0, 0.25, 0.5, 0.75, 1], ["0", "25", "50", "75", "100 %"])
    axes.set_xlabel("optimizer steps")
    axes.margins(x=0.01)
    return figure


def _with_ends(points: list[tuple[float, float]], row: Score, last_step: int) -> list[tuple[float, float]]:
    """The base before the first step and the final model after the last belong to the curve."""
    before = [(0.0, row.base)] if row.base is not None and points[0][0] > 0 else []
    after = [(float(last_step), row.final)] if row.final is not None and points[-1][0] < last_step else []
    return [*before, *points, *after]


def _label_ends(axes: Axes, ends: list[tuple[float, str, str]]) -> None:
    """Name each line at its end, from the top down, never two names on one another."""
    place = 1.1
    for value, name, colour in sorted(ends, reverse=True):
        place = min(value, place - 0.065)
        axes.text(1.02, place, name, transform=axes.get_yaxis_transform(), va="center", color=colour)


def births_figure(run: RunFolder) -> Figure | None:
    """Heat map: neurons born, block by event.

    Args:
        run: The run.

    Returns:
        The figure; neighbouring events share a column where there are very many.
    """
    events = [event for event in run.growth if event.born]
    if not events:
        return None
    size = -(-len(events) // _MAX_COLUMNS)
    columns = [events[start : start + size] for start in range(0, len(events), size)]
    num_blocks = 1 + max(block for event in events for block in event.born)
    cells = [
        [sum(event.born.get(block, 0) for event in column) for column in columns]
        for block in range(num_blocks)
    ]
    figure, axes = new_axes(max(1.6, min(0.9 + 0.16 * num_blocks, 4.2)), 0.1, top_inches=0.32)
    most = max(max(row) for row in cells)
    for block, row in enumerate(cells):
        for place, born in enumerate(row):
            draw_cell(axes, place, block, born / most)
    if len(columns) <= 16 and num_blocks <= 24:
        _write_cells(axes, cells, most)
    steps = [column[0].step for column in columns]
    _cell_ticks(axes, steps, num_blocks)
    axes.set_title(f"strongest shade: {most} neurons", loc="left", fontsize=8, color=MUTED, pad=5)
    return figure


def _write_cells(axes: Axes, cells: list[list[int]], most: int) -> None:
    for block, row in enumerate(cells):
        for column, born in enumerate(row):
            colour = PAPER if born > 0.55 * most else INK
            if born:
                axes.text(
                    column, block, str(born), ha="center", va="center_baseline", fontsize=7, color=colour
                )


def _cell_ticks(axes: Axes, steps: list[int], num_blocks: int) -> None:
    axes.grid(visible=False)
    for spine in axes.spines.values():
        spine.set_visible(False)
    stride = -(-len(steps) // 8)
    axes.set_xticks(range(0, len(steps), stride), [str(step) for step in steps[::stride]])
    axes.set_yticks(range(0, num_blocks, -(-num_blocks // 12)))
    axes.set_xlim(-0.55, max(len(steps), 6) - 0.45)
    axes.set_ylim(-0.55, num_blocks - 0.45)
    axes.set_xlabel("step of the growth event")
    axes.set_ylabel("block")


def ages_figure(run: RunFolder) -> Figure | None:
    """Histogram of the neurons' ages at the last step.

    Args:
        run: The run.

    Returns:
        The figure.
    """
    born: dict[int, int] = {}
    last_step = run.last_step
    for event in run.growth:
        age = max(last_step - event.step, 0)
        born[age] = born.get(age, 0) + sum(event.born.values())
    if not any(born.values()):
        return None
    figure, axes = new_axes(2.3, 0.1, top_inches=0.15)
    oldest = max(*born, 1)
    axes.hist(list(born), bins=min(20, oldest), range=(0, oldest), weights=list(born.values()), color=GROWTH,
              rwidth=0.88)  # fmt: skip
    axes.set_xlabel("age at the last step (optimizer steps since birth)")
    axes.set_ylabel("neurons")
    axes.grid(axis="x", visible=False)
    axes.margins(x=0.01)
    return figure
