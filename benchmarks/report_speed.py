"""How long `foam report` takes for a study of many runs. See benchmarks/README.md."""

import argparse
import json
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from foam_cli.core.files import read_json, write_json, write_text
from foam_cli.engine import machine
from foam_cli.engine.study.plan import Arm
from foam_cli.engine.study.results import compare_arms
from foam_cli.engine.study.settings import Study

#: A run with a little of everything that a page shows: curves, growth, answers.
REAL = [
    "evaluation.max_items=40", "evaluation.every_steps=50", "export=none", "data.num_examples=400",
    "growth.trigger.cooldown_steps=40", "train.warmup_steps=5", "train.log_every_steps=1",
]  # fmt: skip
LEFT_OUT = shutil.ignore_patterns("checkpoints", "export", "figures", "report.html", ".lock")
QUICK = {"arms": 2, "seeds": 2, "steps": 4}
TARGET_SECONDS, TARGET_BYTES = 10, 3_000_000


def parse(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--arms", type=int, default=40, help="arms of the study")
    parser.add_argument("--seeds", type=int, default=5, help="seeds of every arm")
    parser.add_argument("--steps", type=int, default=400, help="optimizer steps of the run that is copied")
    parser.add_argument("--run", type=Path, help="copy this finished run instead of training one")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results", help="results folder")
    parser.add_argument("--quick", action="store_true", help="four short runs: times mean nothing")
    if "--quick" in argv:
        parser.set_defaults(**QUICK)
    return parser.parse_args(argv)


def foam(*words: str) -> float:
    """Seconds of a foam command, its start and its imports included."""
    started = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "foam_cli.cli.main", *words], capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise SystemExit(done.stdout + done.stderr)
    return time.monotonic() - started


def real_run(steps: int, folder: Path) -> Path:
    """Train the run that is copied."""
    foam("train", *REAL, f"train.steps={steps}", f"output_dir={folder}")
    (result,) = folder.rglob("result.json")
    return result.parent


def copied(run: Path, target: Path, arm: str, seed: int) -> None:
    """Copy a run as another arm and seed, with scores of its own."""
    shutil.copytree(run, target, ignore=LEFT_OUT)
    config = yaml.safe_load((run / "config.yaml").read_text("utf-8"))
    config |= {"seed": seed, "name": {"study": "many", "arm": arm}}
    config["train"]["lr"] *= 1 + len(arm) + int(arm.removeprefix("arm"))
    write_text(target / "config.yaml", yaml.safe_dump(config))
    write_json(target / "manifest.json", read_json(run / "manifest.json") | {"seed": seed})
    result, draw = read_json(run / "result.json"), random.Random(f"{arm} {seed}")
    scores = {key: _moved(key, value, draw) for key, value in result["metrics"].items()}
    write_json(target / "result.json", {**result, "seed": seed, "metrics": scores})


def _moved(key: str, value: Any, draw: random.Random) -> Any:
    return draw.uniform(0, 1) if key.startswith("final/") and isinstance(value, float) else value


def study_of(run: Path, folder: Path, arms: int, seeds: int) -> float:
    """Make a study of copies, and its comparison; the seconds that comparing took."""
    names = [f"arm{number}" for number in range(arms)]
    runs = {(arm, seed): folder / arm / str(seed) for arm in names for seed in range(seeds)}
    for (arm, seed), target in runs.items():
        copied(run, target, arm, seed)
    overrides: Mapping[str, list[str]] = {arm: [f"train.lr={number}"] for number, arm in enumerate(names)}
    study = Study(
        name="many", seeds=list(range(seeds)), settings=[], arms=dict(overrides), grid={}, baseline=None,
        skip=[], search=None,
    )  # fmt: skip
    sides = [Arm(name=arm, family=arm, overrides=words) for arm, words in overrides.items()]
    started = time.monotonic()
    found = compare_arms(study, sides, dict.fromkeys(names[1:], names[0]), runs, {})
    seconds = time.monotonic() - started
    write_json(folder / "ablation_comparison.json", found)
    return seconds


def main(argv: Sequence[str]) -> Path:
    """Measure, print and write the results.

    Args:
        argv: The command line's arguments.

    Returns:
        The results file.
    """
    args = parse(argv)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "many"
        run = args.run or real_run(args.steps, Path(name) / "outputs")
        compare = study_of(run, folder, args.arms, args.seeds)
        found = {
            "runs": args.arms * args.seeds,
            "report_seconds": foam("report", str(folder)),
            "page_bytes": (folder / "report.html").stat().st_size,
            "compare_seconds": compare,
        }
    path = args.out / f"report_speed{'_quick' if args.quick else ''}.json"
    arguments = {key: value for key, value in vars(args).items() if key not in ("out", "run")}
    targets = {"report_seconds": TARGET_SECONDS, "page_bytes": TARGET_BYTES}
    write_json(path, {**machine.describe(), "arguments": arguments, "targets": targets, **found})
    print(json.dumps(found, indent=2))
    print(f"written: {path}")
    return path


if __name__ == "__main__":
    main(sys.argv[1:])
