"""Loss and learning against size and operations, on a study's page."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from foam_cli.report.size_figure import size_figure
from foam_cli.report.study_folder import read_study
from foam_cli.report.study_page import study_report
from tests.html_page import Page

Write = Callable[[Path, Any], None]
#: Parameters in millions, 10¹² operations, last validation loss, learnt.
ARMS = {"small": (2.0, 7.0, 0.9, 0.5), "large": (3.0, 9.0, 0.4, 0.8)}


@pytest.fixture
def study(tmp_path: Path, write: Write, write_run: Callable[[Path, str], Path]) -> Path:
    for arm, (size, operations, loss, learnt) in ARMS.items():
        for seed in range(3):
            run = write_run(tmp_path / "mine" / arm / str(seed), "plain")
            result = json.loads((run / "result.json").read_text())
            result["parameters"]["final"] = size * 1e6
            result["metrics"]["final/tool_use/full_call_acc"] = learnt
            write(run / "result.json", result | {"flops": operations * 1e12})
            losses = [{"step": step, "validation_loss": loss + 1 - step} for step in (0, 1)]
            write(run / "metrics.jsonl", [*losses, {"step": 1, "loss": seed}])
            if arm == "small":
                write(run / "growth.jsonl", [])
    return tmp_path / "mine"


def points(axes: Any) -> dict[tuple[float, float], str]:
    """The drawn arms and their colours."""
    dots = [line for line in axes.lines if line.get_marker() == "o" and len(np.asarray(line.get_xydata()))]
    return {tuple(np.asarray(dot.get_xydata())[0].round(6)): dot.get_color() for dot in dots}


def test_every_arm_stands_at_its_costs_and_gains(study: Path):
    figure = size_figure(read_study(study).arms)
    assert figure is not None
    found = [points(axes) for axes in figure.axes]
    expected = [
        {(arm[cost], scale * arm[gain]) for arm in ARMS.values()}
        for gain, scale in ((2, 1), (3, 100))
        for cost in (0, 1)
    ]
    assert [one.keys() for one in found] == expected
    assert len({found[0][2.0, 0.9], found[0][3.0, 0.4]}) == 2  # what grew has a colour of its own
    assert {text.get_text() for text in figure.axes[0].texts} == set(ARMS)
    assert "parameters" in figure.axes[0].get_xlabel() and "loss" in figure.axes[0].get_ylabel()
    assert "operations" in figure.axes[3].get_xlabel() and "learnt" in figure.axes[3].get_ylabel()
    page = Page(study_report(study).read_text())
    assert ("id", "figure-size") in page.attributes and (study / "figures" / "size.png").is_file()


def test_arms_of_one_size_have_no_such_figure(study: Path, write: Write):
    for file in study.rglob("result.json"):
        result = json.loads(file.read_text())
        result["parameters"]["final"] = 5
        write(file, result)
    assert size_figure(read_study(study).arms) is None
    assert "Size and computation" not in Page(study_report(study).read_text()).text


def test_what_was_not_counted_is_not_drawn(study: Path, write: Write):
    for file in study.rglob("result.json"):
        write(file, {key: value for key, value in json.loads(file.read_text()).items() if key != "flops"})
    figure = size_figure(read_study(study).arms)
    assert figure is not None and len(figure.axes) == 2
