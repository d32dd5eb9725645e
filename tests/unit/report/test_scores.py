"""The verdict: derived by hand from small sets of numbers."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from foam_cli.core.metric import Metric
from foam_cli.report.run_folder import read_run
from foam_cli.report.scores import scores, verdict

Write = Callable[[Path, Any], None]


def judge(
    write: Write, folder: Path, tasks: dict[str, tuple[str, float | None, float | None]], **result: Any
) -> str:
    """Verdict of a run whose main metrics are the given {task/metric: (role, base, final)}."""
    metrics: dict[str, float] = {}
    for task, (_, base, final) in tasks.items():
        metrics |= {f"base/{task}": base} if base is not None else {}
        metrics |= {f"final/{task}": final} if final is not None else {}
    known: dict[str, Any] = {
        "status": "finished",
        "metrics": metrics,
        "roles": {task.split("/")[0]: role for task, (role, _, _) in tasks.items()},
        "primary": dict(task.split("/") for task in tasks),
    }
    write(folder / "result.json", known | result)
    run = read_run(folder)
    return " ".join(map(str, verdict(run, scores(run)))).replace("\u202f", " ")


@pytest.mark.parametrize(
    ("tasks", "said"),
    [
        (
            {"tool_use/acc": ("learnt", 0.0, 0.95), "science/acc": ("kept", 0.99, 0.98)},
            "Learnt: tool use 0 → 95 %. Forgot: science 99 → 98 %.",
        ),
        (
            {"a/acc": ("learnt", 0.5, 0.4), "b/acc": ("kept", 0.5, 0.5)},
            "Not learnt: a 50 → 40 %. Kept: b 50 → 50 %.",
        ),
        # What whole percentages would hide is written out.
        (
            {"a/acc": ("learnt", 0.1, 0.9), "b/acc": ("kept", 0.994, 0.991)},
            "Learnt: a 10 → 90 %. Forgot: b 99.4 → 99.1 %.",
        ),
        # Lower is better: a perplexity that rises is forgetting, one that falls is not.
        (
            {
                "a/acc": ("learnt", 0.1, 0.9),
                "b/word_perplexity": ("kept", 20.0, 30.0),
                "c/bits_per_byte": ("kept", 2.0, 1.5),
            },
            "Learnt: a 10 → 90 %. Forgot: b 20 → 30. Kept: c 2 → 1.5.",
        ),
        (
            {"a/acc": ("learnt", 0.1, 0.9)},
            "Learnt: a 10 → 90 %. Not measured: whether anything old was forgotten.",
        ),
        ({"b/acc": ("kept", 0.9, 0.9)}, "Kept: b 90 → 90 %. Not measured: whether a new skill was learnt."),
        (
            {},
            "No verdict: nothing was evaluated, so this run shows neither what was learnt "
            "nor what was forgotten.",
        ),
        ({"a/acc": ("learnt", 0.1, None)}, "No verdict: the trained model was not evaluated."),
        (
            {"a/acc": ("learnt", None, 0.1)},
            "No verdict: the base model was not evaluated, so there is nothing to compare with.",
        ),
        (
            {"a/acc": ("other", 0.1, 0.2)},
            "No verdict: no task says whether it was to be learnt or to be kept.",
        ),
    ],
)
def test_verdicts(
    tasks: dict[str, tuple[str, float | None, float | None]], said: str, tmp_path: Path, write: Write
):
    assert judge(write, tmp_path, tasks) == said


def wilson(hits: int, n: int) -> list[float | None]:
    metric = Metric.from_hits(hits, n)
    return [metric.low, metric.high, n]


def test_a_gain_that_chance_explains_is_not_called_learnt(tmp_path: Path, write: Write):
    tasks = {"a/acc": ("learnt", 0.2, 0.4), "b/acc": ("kept", 0.9, 0.9)}
    few = {"base/a/acc": wilson(2, 10), "final/a/acc": wilson(4, 10)}
    many = {"base/a/acc": wilson(200, 1000), "final/a/acc": wilson(400, 1000)}
    assert judge(write, tmp_path, tasks, intervals=few).startswith(
        "Not learnt: a 20 → 40 % (intervals overlap)."
    )
    assert judge(write, tmp_path, tasks, intervals=many).startswith("Learnt: a 20 → 40 %.")


def test_doubt_is_said_of_whom_it_concerns(tmp_path: Path, write: Write):
    tasks = {"a/acc": ("kept", 0.9, 0.8), "b/acc": ("kept", 0.9, 0.8), "c/acc": ("learnt", 0.0, 1.0)}
    unsure = {"base/a/acc": wilson(9, 10), "final/a/acc": wilson(8, 10)}
    sure = {"base/b/acc": wilson(900, 1000), "final/b/acc": wilson(800, 1000)}
    assert "Forgot: a 90 → 80 % (intervals overlap), b 90 → 80 %." in judge(
        write, tmp_path, tasks, intervals=unsure | sure
    )


@pytest.mark.parametrize("status", ["interrupted", "failed"])
def test_how_a_run_ended_comes_first(status: str, tmp_path: Path, write: Write):
    write(tmp_path / "metrics.jsonl", [{"step": 41, "loss": 1.0}, {"step": 42, "loss": 1.0}])
    text = judge(write, tmp_path, {"a/acc": ("learnt", 0.1, 0.9)}, status=status)
    assert text.startswith(f"{status.capitalize()}: after step 42. Learnt: a 10 → 90 %.")


def test_learnt_tasks_come_before_kept_ones_and_main_metrics_first(tmp_path: Path, write: Write):
    metrics = {"final/z/acc": 1, "final/a/name_acc": 1, "final/a/acc": 1, "final/m/nats": 1}
    write(
        tmp_path / "result.json",
        {"metrics": metrics, "roles": {"z": "kept", "a": "learnt"}, "primary": {"a": "acc"}},
    )
    assert [(row.task, row.metric) for row in scores(read_run(tmp_path))] == [
        ("a", "acc"),
        ("a", "name_acc"),
        ("z", "acc"),
        ("m", "nats"),
    ]
