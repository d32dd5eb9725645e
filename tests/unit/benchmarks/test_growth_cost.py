import json
from pathlib import Path
from types import SimpleNamespace

import jaxtyping
import pytest
import torch

pytestmark = pytest.mark.slow  # whole small benchmarks


def rows_of(load, tmp_path: Path, *parts: str) -> dict[str, list[dict]]:
    path = load("growth_cost").main(["--quick", "--parts", *parts, "--out", str(tmp_path)])
    written = json.loads(path.read_text())
    assert written["versions"]["torch"] == torch.__version__
    return {part: [row for row in written["rows"] if row["part"] == part] for part in parts}


@pytest.mark.parametrize(
    ("part", "names"), [("tracking", ["tracking", "no growth"]), ("frozen", ["full", "grown"])]
)
def test_step_times_are_compared_within_the_results_file(load, tmp_path: Path, part: str, names: list[str]):
    (row,) = rows_of(load, tmp_path, part)[part]
    above, below = row["measurements"]["runs"]
    assert [above["contender"], below["contender"]] == names
    assert row["value"] == pytest.approx(above["step_seconds"] / below["step_seconds"])
    assert [above["num_events"], below["num_events"]] == [0, int(part == "frozen")]


@pytest.mark.slow
def test_events_of_every_initializer_are_measured(load, tmp_path: Path):
    rows = rows_of(load, tmp_path, "events")["events"]
    files = (Path(__file__).parents[3] / "conf" / "growth" / "initializer").glob("*.yaml")
    assert [row["what"] for row in rows] == [
        f"event in steps, {name}" for name in sorted(file.stem for file in files)
    ]
    for row in rows:
        (run,) = row["measurements"]["runs"]
        # Six steps, an event after each but the last; the clock starts after the first step's.
        assert (run["num_events"], len(run["event_seconds"])) == (5, 4)
        in_steps = [seconds / run["step_seconds"] for seconds in run["event_seconds"]]
        assert (row["low"], row["high"]) == (min(in_steps), max(in_steps))


def test_banks_take_what_their_docstrings_say(load, tmp_path: Path):
    rows = rows_of(load, tmp_path, "memory")["memory"]
    assert len(rows) == 6 and all(row["met"] for row in rows)
    # Two blocks of hidden size 32 with 64 slots: three fp32 matrices, a bool and an int64 for each slot;
    # two fp32 moments of every parameter, an fp32 and an int64 for each slot.
    parameters = 3 * 64 * 32
    assert rows[0]["measurements"]["bytes"] == 2 * (4 * parameters + 64 * (1 + 8))
    assert rows[1]["measurements"]["bytes"] == 2 * (8 * parameters + 64 * (4 + 8))


def test_slots_are_occupied_and_events_are_not_steps(load, monkeypatch: pytest.MonkeyPatch):
    runs, cases, script = (load(name) for name in ("growth_cost_runs", "train_speed_case", "growth_cost"))
    case = cases.build_case("tiny", "fp32", script.parse(["--quick"]))
    seen = []

    def look(case, settings, model, clock, *, prepare, backend):
        ffns = load("train_speed_contestants").make_growable(model, 128)
        prepare(ffns)
        seen.extend(ffns)
        clock._marks = [0.0, 8.0]
        # One event during the warm-up, one while the clock runs.
        return SimpleNamespace(records=[SimpleNamespace(step=n, seconds=2.0) for n in (1, 3)])

    monkeypatch.setattr(runs, "train_with_foam", look)
    ran = runs.run(case, runs.Contender(name="some", overrides=("growth=v3",), num_slots=100), 0)
    assert [ffn.bank.num_slots_in_use for ffn in seen] == [128, 128]
    assert [int(ffn.bank.live_C.sum()) for ffn in seen] == [100, 100]
    assert seen[0].bank(torch.ones(1, 32)).detach().any()
    # Four timed steps in 8 seconds, of which 2 went to an event.
    assert (ran.step_seconds, ran.event_seconds, ran.num_events) == (1.5, (2.0,), 2)


def test_a_ratio_is_of_medians_and_its_extremes_are_within_rounds(load):
    runs = load("growth_cost_runs")

    def ran(*seconds):
        return [
            runs.Ran(contender="", turn=turn, step_seconds=one, event_seconds=(), num_events=0)
            for turn, one in enumerate(seconds)
        ]

    assert runs.ratio(ran(2.0, 3.0, 8.0), ran(1.0, 6.0, 2.0)) == {"value": 1.5, "low": 0.5, "high": 4.0}


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of torch's own, while it compiles
def test_growth_compiles_nothing_anew(load, tmp_path: Path):
    jaxtyping.config.update("jaxtyping_disable", True)  # checks of shapes cannot be compiled
    try:
        (row,) = rows_of(load, tmp_path, "recompilations")["recompilations"]
    finally:
        jaxtyping.config.update("jaxtyping_disable", False)
    assert row["value"] == 0 and row["met"]
    assert row["measurements"]["graphs"]["never"] > 0
