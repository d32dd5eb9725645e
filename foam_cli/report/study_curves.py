"""A study's losses and ages, a panel per arm. Each returns None where the study has nothing to draw."""

import statistics
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from foam_cli.report.canvas import GROWTH, INK, KEPT, new_panels
from foam_cli.report.numbers import as_number
from foam_cli.report.run_folder import RunFolder
from foam_cli.report.study_folder import Spread, StudyArm, spread
from foam_cli.report.study_panels import MAX_PANELS, band, columns_of, curves_figure, name_arm, name_steps

_NUM_POINTS = 60
_NUM_AGES = 20


def losses_figure(arms: Sequence[StudyArm]) -> Figure | None:
    """Training and validation loss: medians over seeds, shaded to the extremes.

    Args:
        arms: The arms.

    Returns:
        The figure; all panels have the same scale, which the rare peaks do not set.
    """
    shown = [arm for arm in arms if any("loss" in row for run in arm.runs.values() for row in run.metrics)]
    shown = shown[:MAX_PANELS]
    curves = {arm.name: [_curve(arm, key) for key in ("loss", "validation_loss")] for arm in shown}
    if not any(curve for both in curves.values() for curve in both):
        return None
    points = sorted(one.median for arm in shown for curve in curves[arm.name] for one in curve.values())
    low, high = points[0], points[min(len(points) - 1, int(0.98 * len(points)))]
    margin = 0.06 * (high - low) or 0.1

    def draw(arm: StudyArm, axes: Axes) -> None:
        for curve, colour, marker in zip(curves[arm.name], (INK, KEPT), ("", "o"), strict=True):
            band(axes, curve, colour, marker)
        axes.set_ylim(low - margin, high + margin)

    return curves_figure(shown, draw, {"training loss": INK, "validation loss": KEPT})


def _curve(arm: StudyArm, key: str) -> dict[float, Spread]:
    """Step to the spread over seeds; neighbouring steps are one point where there are very many."""
    rows = [_logged(run, key) for run in arm.runs.values()]
    last = max((step for one in rows for step in one), default=0.0)
    width = max(last / _NUM_POINTS, 1.0)
    values: dict[float, list[float | None]] = {}
    for one in rows:
        bins: dict[float, list[float]] = {}
        for step, value in one.items():
            bins.setdefault(min(last, width * -(-step // width)), []).append(value)
        for step, found in bins.items():
            values.setdefault(step, []).append(statistics.fmean(found))
    spreads = {step: spread(values[step]) for step in sorted(values)}
    return {step: one for step, one in spreads.items() if one is not None}


def _logged(run: RunFolder, key: str) -> dict[float, float]:
    found = ((as_number(row.get("step")), as_number(row[key])) for row in run.metrics if key in row)
    return {step: value for step, value in found if step is not None and value is not None}


def ages_figure(arms: Sequence[StudyArm]) -> Figure | None:
    """Histogram of the neurons' ages at the last step, the mean over seeds.

    Args:
        arms: The arms.

    Returns:
        The figure, a panel per arm that grew; all panels have the same scales.
    """
    grown = [arm for arm in arms if any(run.neurons_born for run in arm.runs.values())][:MAX_PANELS]
    if not grown:
        return None
    oldest = max(1, *(run.last_step for arm in grown for run in arm.runs.values()))
    edges = np.linspace(0, oldest, min(_NUM_AGES, oldest) + 1)
    counts = {arm.name: _ages(arm, edges) for arm in grown}
    figure, panels = new_panels(len(grown), columns_of(len(grown)), 1.4)
    for arm, axes in zip(grown, panels, strict=True):
        _bars(axes, counts[arm.name], edges)
        axes.set_ylim(0, 1.06 * max(float(one.max()) for one in counts.values()))
        axes.locator_params(nbins=4)
        name_arm(axes, arm)
    name_steps(figure, "age at the last step (optimizer steps since birth)")
    return figure


def _ages(arm: StudyArm, edges: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    ages = [max(run.last_step - event.step, 0) for run in arm.runs.values() for event in run.growth]
    born = [sum(event.born.values()) for run in arm.runs.values() for event in run.growth]
    return np.histogram(ages, edges, weights=born)[0] / len(arm.runs)


def _bars(axes: Axes, counts: npt.NDArray[np.float64], edges: npt.NDArray[np.float64]) -> None:
    axes.stairs(counts, edges, fill=True, color=GROWTH)
    axes.grid(axis="x", visible=False)
    axes.set_xlim(0, float(edges[-1]))
