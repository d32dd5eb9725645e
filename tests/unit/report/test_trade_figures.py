"""The stream's matrix and the way from the base to the trained model, on a run's page."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from foam_cli.report.page import run_report
from foam_cli.report.run_folder import read_run
from foam_cli.report.scores import scores
from foam_cli.report.trade_figures import interpolation_figure, transfer_figure, transfer_summaries
from tests.html_page import Page

Write = Callable[[Path, Any], None]


def add(run_dir: Path, write: Write, **more: Any) -> None:
    result = json.loads((run_dir / "result.json").read_text())
    result["metrics"] |= more.pop("metrics", {})
    write(run_dir / "result.json", result | more)


TRANSFER = {
    "tasks": ["tool_use", "science"],
    "matrix": [[0.0, 0.99], [0.95, 0.5]],
    "metrics": {
        "average_accuracy": {"value": 0.95, "low": 0.91, "high": 0.97, "n": 1},
        "general_change": {"value": -0.49, "low": -0.55, "high": -0.4, "n": 1},
    },
}


def test_the_matrix_has_a_row_per_stage_and_a_column_per_task(run_dir: Path, write: Write):
    add(run_dir, write, transfer=TRANSFER)
    run = read_run(run_dir)
    figure = transfer_figure(run, scores(run))
    assert figure is not None
    axes = figure.axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["base", "stage 1"]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["tool\nuse", "science"]
    written = {(text.get_position(), text.get_text()) for text in axes.texts}
    assert written == {((0, 0), "0"), ((1, 0), "99"), ((0, 1), "95"), ((1, 1), "50")}


def test_summaries_stand_beside_the_matrix(run_dir: Path, write: Write):
    add(run_dir, write, transfer=TRANSFER)
    assert transfer_summaries(read_run(run_dir)) == [
        ("average accuracy", "95\u202f%", "91 to 97"),
        ("general change", "−49 points", "−55 to −40"),
    ]
    page = Page(run_report(run_dir).read_text())
    assert ("id", "figure-transfer") in page.attributes
    assert "general change −49 points −55 to −40" in page.text


def test_the_way_to_the_trained_model_starts_at_the_base(run_dir: Path, write: Write):
    halfway = {"alpha_0.50/tool_use/full_call_acc": 0.3, "alpha_0.50/scienceplain/acc": 0.9}
    add(run_dir, write, metrics=halfway)
    run = read_run(run_dir)
    figure = interpolation_figure(run, scores(run))
    assert figure is not None
    thick = {
        line.get_label(): np.asarray(line.get_xydata())
        for line in figure.axes[0].lines
        if line.get_marker() == "o"
    }
    assert {name: data.tolist() for name, data in thick.items()} == {
        "to be learnt": [[0, 0.0], [0.5, 0.3], [1, 0.95]],
        "to be kept": [[0, 0.99], [0.5, 0.9], [1, 0.9833]],
    }
    page = Page(run_report(run_dir).read_text())
    assert ("id", "figure-interpolation") in page.attributes
    assert ("id", "figure-transfer") not in page.attributes


def test_other_runs_have_neither(run_dir: Path):
    page = Page(run_report(run_dir).read_text())
    assert "Learning against keeping" not in page.text
    assert not (run_dir / "figures" / "transfer.svg").exists()


def test_damaged_numbers_draw_nothing(run_dir: Path, write: Write):
    for wrong in ({"tasks": 3, "matrix": []}, {"tasks": ["a"], "matrix": [[1, 2], "x"]}, [1], None):
        add(run_dir, write, transfer=wrong, metrics={"alpha_x/tool_use/full_call_acc": 1})
        run = read_run(run_dir)
        assert transfer_figure(run, scores(run)) is None
        assert interpolation_figure(run, scores(run)) is None
        assert transfer_summaries(run) == []
