"""All figures of a run's page, and what stands beside each."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from foam_cli.report.canvas import drawing, save
from foam_cli.report.figures import ages_figure, births_figure, during_figure, loss_figure, scores_figure
from foam_cli.report.run_folder import RunFolder
from foam_cli.report.scores import Score
from foam_cli.report.trade_figures import interpolation_figure, transfer_figure


def draw_all(run: RunFolder, rows: list[Score], folder: Path) -> dict[str, str]:
    """Draw every figure that the run has numbers for.

    Args:
        run: The run.
        rows: Its scores.
        folder: Where the PNG and SVG files go.

    Returns:
        For each figure its SVG for use inside a page.
    """
    makers: dict[str, Callable[[], Figure | None]] = {
        "scores": lambda: scores_figure(rows),
        "loss": lambda: loss_figure(run),
        "during": lambda: during_figure(run, rows),
        "births": lambda: births_figure(run),
        "ages": lambda: ages_figure(run),
        "transfer": lambda: transfer_figure(run, rows),
        "interpolation": lambda: interpolation_figure(run, rows),
    }
    return draw(makers, folder)


def draw(makers: Mapping[str, Callable[[], Figure | None]], folder: Path) -> dict[str, str]:
    """Draw and save figures.

    Args:
        makers: Name to what draws it, or returns None where there is nothing to draw.
        folder: Where the PNG and SVG files go.

    Returns:
        For each figure that was drawn its SVG for use inside a page.
    """
    drawn: dict[str, str] = {}
    with drawing():
        for name, make in makers.items():
            figure = make()
            if figure is not None:
                drawn[name] = save(figure, folder, name)
    return drawn


def captions() -> dict[str, dict[str, Any]]:
    """What stands beside each figure.

    Returns:
        For each figure its title, its explanation, and what is said where there is nothing to draw.
    """
    return {
        "scores": {
            "title": "Learnt and forgotten",
            "text": "Every task's main metric, before and after. Thin lines are 95 % Wilson intervals.",
            "absent": "No task was evaluated before or after training.",
        },
        "loss": {
            "title": "Loss",
            "text": "Nats per token. Dotted lines mark growth; the pale line is the loss before smoothing.",
            "absent": "No loss was logged.",
        },
        "during": {
            "title": "Scores while training",
            "text": "The same metrics, on the items asked during training. Dotted lines mark growth.",
            "absent": "Fewer than two evaluations were made during training.",
        },
        "births": {
            "title": "Where neurons were born",
            "text": "New neurons by block (upwards: nearer to the output) and by growth event.",
            "absent": "No neuron was born.",
        },
        "ages": {
            "title": "How old they are",
            "text": "All neurons born during the run, by their age at its last step.",
            "absent": "No neuron was born.",
        },
        "transfer": {
            "title": "What each stage did to every task",
            "text": "The matrix R: accuracy after each stage of the stream, in percent.",
            "absent": "The run was no stream of stages.",
        },
        "interpolation": {
            "title": "Between the base and the trained model",
            "text": "Main metrics with weights at a point between the base (0) and the trained model (1). "
            "Thick lines are means.",
            "absent": "No point between the base and the trained model was measured.",
        },
    }
