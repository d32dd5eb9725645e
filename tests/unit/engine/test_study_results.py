"""What is written about a study, from run folders that only pretend."""

import csv
import json
from importlib.resources import files
from pathlib import Path

import jsonschema
import pytest
from rich.console import Console

from foam_cli.config import Composed
from foam_cli.core.files import read_json, write_json
from foam_cli.core.metric import Metric, TaskResult
from foam_cli.engine import examine
from foam_cli.engine.study.estimate import estimate
from foam_cli.engine.study.plan import PlannedRun, arms_of, baseline_of
from foam_cli.engine.study.results import compare_arms, write_results
from foam_cli.engine.study.settings import Study
from foam_cli.engine.study.tables import side_by_side

STUDY = Study(
    name="s", seeds=[0, 1, 2], settings=[], arms={"none": ["growth=none"], "v3": [], "slow": []},
    grid={}, baseline=None, skip=[], search=None,
)  # fmt: skip
SCHEMA = json.loads((files("foam_cli") / "assets" / "ablation_comparison.schema.json").read_text("utf-8"))


def science(num_right: int) -> TaskResult:
    items = [{"id": str(n), "correct": n < num_right} for n in range(100)]
    metrics = {"acc": Metric.from_hits(num_right, 100)}
    return TaskResult(task="science", metrics=metrics, items=items, recipe="", data_sha256="", primary="acc")


def pretend(folder: Path, num_right: int, **more) -> Path:
    results = {"final": {"science": science(num_right)}}
    examine.save(results["final"], folder / "evaluations" / "final")
    metrics, _ = examine.flat(results)
    write_json(
        folder / "result.json",
        {
            "metrics": metrics, "primary": {"science": "acc"}, "roles": {"science": "kept"}, "seconds": 2.5,
            "training_seconds": 1.5, "tokens": 300, "peak_memory_bytes": 10**9,
            "parameters": {"base": 10, "final": 12, "trainable": 4}, **more,
        },
    )  # fmt: skip
    return folder


@pytest.fixture
def runs(tmp_path):
    """none is right in 50, v3 in 80 and slow in 51 of 100; one seed of slow has failed."""
    rights = {"none": 50, "v3": 80, "slow": 51}
    return {
        (arm, seed): pretend(tmp_path / arm / str(seed), right + seed)
        for arm, right in rights.items()
        for seed in STUDY.seeds
        if (arm, seed) != ("slow", 2)
    }


def document(runs, failures):
    arms = arms_of(STUDY)
    return compare_arms(STUDY, arms, baseline_of(STUDY, arms), runs, failures)


def test_the_document_fits_its_published_schema_and_says_what_the_runs_say(runs, tmp_path):
    failures = {"slow/2": "its process was killed by SIGKILL"}
    written = write_results(document(runs, failures), runs, tmp_path / "results")
    found = read_json(written)
    jsonschema.Draft202012Validator(SCHEMA).validate(found)
    assert found["arms"]["v3"]["metrics"]["final/science/acc"] == {
        "median": 0.81, "min": 0.8, "max": 0.82, "values": [0.8, 0.81, 0.82],
    }  # fmt: skip
    assert found["arms"]["slow"]["seeds"] == [0, 1]
    assert found["arms"]["v3"]["metrics"]["parameters/trainable"]["median"] == 4
    assert "flops" not in found["arms"]["v3"]["metrics"]
    better, unclear = (one["tasks"]["science"] for one in found["comparisons"])
    assert (better["points"], better["finding"], better["num_seeds"]) == (pytest.approx(30), "better", 3)
    assert better["p_holm"] == pytest.approx(2 * better["p_value"])
    assert (unclear["finding"], unclear["num_seeds"]) == ("no difference shown", 2)
    assert found["verdicts"][1].startswith("slow against none, 2 seeds: no difference shown in science (+1.0")
    assert found["failures"] == failures


def test_a_document_that_lacks_something_does_not_fit_the_schema(runs):
    found = document(runs, {})
    for change in ({"schema_version": 1}, {"verdicts": None}, {"surprise": 1}):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate({**found, **change}, SCHEMA)


def test_the_csv_has_a_row_per_run_and_the_markdown_every_number(runs, tmp_path):
    write_results(document(runs, {"slow/2": "boom"}), runs, tmp_path)
    with (tmp_path / "ablation_comparison.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["arm"], row["seed"]) for row in rows] == [(arm, str(seed)) for arm, seed in runs]
    assert rows[3]["final/science/acc"] == "0.8" and rows[3]["seconds"] == "2.5"
    page = (tmp_path / "ablation_comparison.md").read_text()
    expected = [
        "| arm | seeds | trainable | seconds |",
        "| v3 | 3 | 4 | 2.5 |",
        "| arm | science, base | science, final |",
        "| v3 | - | 0.810 [0.800, 0.820] |",
        "Median [lowest, highest] of 2 to 3 seeds.",
        "| v3 | none | science | +30.0 [",
        "Failed: slow/2: boom",
        "v3 against none, 3 seeds: better",
    ]
    assert [words for words in expected if words not in page] == []
    assert "flops" not in page


def test_many_arms_are_rows_of_what_they_learnt_and_forgot(runs):
    found = document(runs, {})
    short = {"learnt": 0.953, "forgotten/science": -0.005}
    side = found["arms"]["v3"]
    side["metrics"] |= {
        key: {"median": v, "min": v, "max": v + 0.01, "values": [v, v + 0.01]} for key, v in short.items()
    }
    many = {**found, "arms": {f"v3+lr={n}": side for n in range(5)}}
    console = Console(width=200, record=True)
    console.print(side_by_side(many))
    text = console.export_text()
    assert "learnt, %" in text and "forgot science, points" in text and "median of 3 seeds" in text
    row = next(line for line in text.splitlines() if "v3+lr=4" in line)
    assert "95.3 [95.3, 96.3]" in row and "-0.5 [-0.5, 0.5]" in row and "2.5" in row


def test_an_arm_without_a_finished_run_is_compared_with_nothing(runs):
    found = document({(arm, seed): run for (arm, seed), run in runs.items() if arm != "slow"}, {})
    jsonschema.Draft202012Validator(SCHEMA).validate(found)
    assert found["arms"]["slow"]["seeds"] == [] and found["comparisons"][1]["tasks"] == {}
    assert found["verdicts"][1] == "slow against none: no seed of both is finished."


def test_flops_stand_beside_the_scores_where_they_were_counted(runs, tmp_path):
    counted = {key: pretend(folder, 50, flops=7e15) for key, folder in runs.items()}
    found = document(counted, {})
    jsonschema.validate(found, SCHEMA)
    assert found["arms"]["none"]["metrics"]["flops"]["median"] == 7e15
    write_results(found, counted, tmp_path)
    assert "| FLOPs, 10¹² |" in (tmp_path / "ablation_comparison.md").read_text()
    assert "| 7000.0 |" in (tmp_path / "ablation_comparison.md").read_text()


def test_an_estimate_is_the_median_of_the_arms_finished_seeds(tmp_path):
    nothing = Composed(values={}, choices={})
    planned = [PlannedRun(arm=arm, seed=seed, composed=nothing) for arm in ("a", "b") for seed in range(3)]
    finished = {
        f"a/{seed}": pretend(tmp_path / str(seed), 1, seconds=s) for seed, s in enumerate((2.0, 4.0, 9.0))
    }
    found = estimate(planned, {"a/0": finished["a/0"], "a/1": finished["a/1"]})
    assert (found["a/2"].seconds, found["a/2"].source) == (3.0, "finished runs of this arm")
    assert (found["b/0"].seconds, found["b/0"].memory_bytes) == (3.0, 10**9)
    assert "this study" in found["b/0"].source
