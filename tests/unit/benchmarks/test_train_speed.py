import importlib.util
import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch

pytestmark = pytest.mark.slow  # whole small benchmarks

TINY = [
    "--models",
    "nano",
    "--precision",
    "fp32",
    "--examples",
    "24",
    "--batch-tokens",
    "256",
    "--threads",
    "1",
]


def test_foam_and_the_bare_loop_do_the_same_work(load):
    # Both are AdamW on the mean loss per target of the same batches: the weights must agree.
    contestants, cases, script = (
        load(name) for name in ("train_speed_contestants", "train_speed_case", "train_speed")
    )
    case = cases.build_case("nano", "fp32", script.parse([*TINY, "--steps", "2", "--warmup", "1"]))
    start = case.model.state_dict()
    trained = {}
    for name in ("foam", "foam-growth-off", "bare"):
        model, clock = cases.fresh_copy(case.model), cases.Clock(1, last=3)
        contestants.CONTESTANTS[name](case, model, clock)
        assert clock.num_steps == 4
        trained[name] = {key.replace(".core.", "."): value for key, value in model.state_dict().items()}
    moved = max(float((trained["bare"][key] - start[key]).abs().max()) for key in start)
    assert moved > 1e-5
    # The growth event after the last step recycles neurons, so with growth only the rest can be compared.
    for name, keys in {
        "foam-growth-off": start,
        "foam": [key for key in start if ".mlp." not in key],
    }.items():
        for key in keys:
            torch.testing.assert_close(trained[name][key], trained["bare"][key], rtol=0, atol=0.02 * moved)


def test_results_file_holds_every_measurement(load, tmp_path: Path):
    argv = [*TINY, "--steps", "2", "--warmup", "1", "--rounds", "2", "--contestants", "foam", "bare"]
    written = json.loads(load("train_speed").main([*argv, "--out", str(tmp_path)]).read_text())
    raw = written["measurements"]
    assert [(one["round"], one["contestant"]) for one in raw] == [
        (0, "foam"), (0, "bare"), (1, "foam"), (1, "bare")
    ]  # fmt: skip
    for one in raw:
        assert one["tokens_per_second"] * one["seconds"] == pytest.approx(one["tokens"])
        assert 0 <= one["padding_frac"] < 1
    assert raw[0]["tokens"] == raw[1]["tokens"]
    speeds = {
        name: [one["tokens_per_second"] for one in raw if one["contestant"] == name]
        for name in ("foam", "bare")
    }
    (bare,) = [row for row in written["summary"] if row["contestant"] == "bare"]
    assert bare["tokens_per_second"]["median"] == pytest.approx(sum(speeds["bare"]) / 2)
    ratios = [a / b for a, b in zip(speeds["foam"], speeds["bare"], strict=True)]
    assert bare["foam_speed_ratio"]["min"] == pytest.approx(min(ratios))
    assert written["versions"]["torch"] == torch.__version__


def test_clock_counts_whole_steps_between_warmup_and_last(load, monkeypatch: pytest.MonkeyPatch):
    cases = load("train_speed_case")
    clock = cases.Clock(warmup=2, last=4)
    times = iter([10.0, 14.0])
    monkeypatch.setattr(cases.time, "perf_counter", lambda: next(times))
    for _ in range(5):
        clock.tick()
    measured = clock.measured([cases.Tokens(real=10**n, padded=2 * 10**n) for n in range(5)])
    assert measured["tokens"] == 1100  # steps 2 and 3
    assert measured["tokens_per_second"] == 1100 / 4
    assert measured["padding_frac"] == 0.5


@pytest.mark.parametrize("by_length", [False, True])
def test_trainer_gets_batches_as_large_as_the_budget(load, by_length: bool):
    lengths = np.random.default_rng(0).integers(20, 101, size=4000)
    rows = load("train_speed_contestants").rows_per_batch(lengths, 2048, by_length=by_length)
    # n lengths, uniform on 20..100: the longest of n is 20 + 80 n / (n + 1) on average, the mean is 60.
    longest = 60 if by_length else 20 + 80 * rows / (rows + 1)
    assert math.isclose(rows * longest, 2048, rel_tol=0.05)


@pytest.mark.skipif(importlib.util.find_spec("accelerate") is None, reason="the Trainer needs accelerate")
@pytest.mark.filterwarnings("ignore")
def test_trainer_takes_part(load, tmp_path: Path):
    names = ["trainer", "trainer-by-length"]
    argv = [*TINY, "--steps", "2", "--warmup", "1", "--rounds", "1", "--contestants", *names]
    written = json.loads(load("train_speed").main([*argv, "--out", str(tmp_path)]).read_text())
    assert [one["contestant"] for one in written["measurements"]] == names
    assert all(one["tokens_per_second"] > 0 for one in written["measurements"])
