"""Learning against keeping: the matrix of a stream, and the way from base to trained model."""

from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from foam_cli.report.canvas import INK, KEPT, LEARNT, PAPER, draw_cell, legend, new_axes, short
from foam_cli.report.numbers import as_number, change, is_fraction, score, words
from foam_cli.report.run_folder import RunFolder, mapping
from foam_cli.report.scores import Score

_MAX_TASKS = 10
_MAX_STAGES = 24
_COLOURS = {"learnt": LEARNT, "kept": KEPT}


def _matrix(run: RunFolder) -> tuple[list[str], list[list[float | None]]]:
    found = mapping(run.result.get("transfer"))
    tasks, rows = found.get("tasks"), found.get("matrix")
    if not isinstance(tasks, list) or not isinstance(rows, list):
        return [], []
    cells = [[as_number(value) for value in row] for row in rows if isinstance(row, list)]
    return [str(task) for task in tasks], [row for row in cells if len(row) == len(tasks)]


def transfer_figure(run: RunFolder, rows: list[Score]) -> Figure | None:
    """Heat map: accuracy on every task after every stage.

    Args:
        run: The run.
        rows: Its scores, which say what is to be learnt and what is to be kept.

    Returns:
        The figure; only the first tasks and stages where there are very many.
    """
    tasks, matrix = _matrix(run)
    tasks, matrix = tasks[:_MAX_TASKS], matrix[: _MAX_STAGES + 1]
    if not tasks or not matrix:
        return None
    roles = {row.task: row.role for row in rows}
    figure, axes = new_axes(0.8 + 0.3 * len(matrix), 0.14, top_inches=0.62, bottom_inches=0.08)
    for stage, values in enumerate(matrix):
        for place, value in enumerate(values[:_MAX_TASKS]):
            if value is not None:
                draw_cell(axes, place, stage, value, LEARNT if roles.get(tasks[place]) == "learnt" else KEPT)
                _write_share(axes, place, stage, value)
    names = ["base", *(f"stage {stage}" for stage in range(1, len(matrix)))]
    axes.set_yticks(range(len(names)), names)
    axes.set_xticks(range(len(tasks)), [_two_lines(task) for task in tasks])
    axes.xaxis.tick_top()
    axes.tick_params(labelcolor=INK)
    axes.set_xlim(-0.55, max(len(tasks), 4) - 0.45)
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.grid(visible=False)
    for spine in axes.spines.values():
        spine.set_visible(False)
    return figure


def _two_lines(task: str) -> str:
    return "\n".join(short(word, 9) for word in words(task).split(" ", 1))


def _write_share(axes: Axes, column: int, row: int, value: float) -> None:
    colour = PAPER if value > 0.55 else INK
    text = score(value, "acc", unit=False)
    axes.text(column, row, text, ha="center", va="center_baseline", fontsize=7, color=colour)


def transfer_summaries(run: RunFolder) -> list[tuple[str, str, str]]:
    """What a stream's matrix comes to.

    Args:
        run: The run.

    Returns:
        Name, value and 95 % interval of every summary, as text.
    """
    rows: list[tuple[str, str, str]] = []
    for name, metric in mapping(mapping(run.result.get("transfer")).get("metrics")).items():
        value, low, high = (mapping(metric).get(key) for key in ("value", "low", "high"))
        if name == "average_accuracy":
            ends = [score(end, "acc", unit=False) for end in (low, high)]
            rows.append(("average accuracy", score(value, "acc"), " to ".join(ends)))
        else:
            ends = [change(0, end, "acc") for end in (low, high)]
            label = {"bwt": "backward transfer"}.get(name, words(name))
            rows.append((label, f"{change(0, value, 'acc')} points", " to ".join(ends)))
    return rows


def interpolation_figure(run: RunFolder, rows: list[Score]) -> Figure | None:
    """Scores along the way from the base to the trained model.

    Args:
        run: The run.
        rows: Its scores, which say what is to be learnt and what is to be kept.

    Returns:
        The figure; None where no point between the two was measured.
    """
    metrics = mapping(run.result.get("metrics"))
    whens = dict.fromkeys(key.partition("/")[0] for key in metrics)
    alphas = {when: alpha for when in whens if (alpha := _alpha(when)) is not None}
    if len(alphas) < 3:
        return None
    figure, axes = new_axes(2.7, 0.1)
    for role, name in (("learnt", "to be learnt"), ("kept", "to be kept")):
        shown = [row for row in rows if row.primary and row.role == role and is_fraction(row.metric)]
        curves = [_curve(metrics, alphas, row) for row in shown]
        curves = [curve for curve in curves if len(curve) == len(alphas)]
        for curve in curves:
            axes.plot(list(curve), list(curve.values()), color=_COLOURS[role], linewidth=0.8, alpha=0.45)
        if curves:
            means = {alpha: sum(curve[alpha] for curve in curves) / len(curves) for alpha in curves[0]}
            axes.plot(list(means), list(means.values()), color=_COLOURS[role], linewidth=1.8, marker="o",
                      markersize=3.2, label=name)  # fmt: skip
    if not axes.lines:
        return None
    axes.set_ylim(-0.03, 1.03)
    axes.set_yticks([0, 0.25, 0.5, 0.75, 1], ["0", "25", "50", "75", "100 %"])
    axes.set_xlabel("alpha: 0 is the base, 1 the trained model")
    axes.margins(x=0.02)
    legend(axes, 2)
    return figure


def _alpha(when: str) -> float | None:
    if when in ("base", "final"):
        return float(when == "final")
    try:
        return float(when.removeprefix("alpha_")) if when.startswith("alpha_") else None
    except ValueError:
        return None


def _curve(metrics: dict[str, Any], alphas: dict[str, float], row: Score) -> dict[float, float]:
    key = f"{row.task}/{row.metric}"
    values = {alpha: as_number(metrics.get(f"{when}/{key}")) for when, alpha in alphas.items()}
    return {alpha: value for alpha, value in sorted(values.items()) if value is not None}
