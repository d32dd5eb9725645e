"""What a study costs beside its runs: serial, in processes of their own. See benchmarks/README.md."""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from foam_cli.core.files import read_json, write_json
from foam_cli.engine import machine

#: A tiny run: the embedded model and world, with little of everything.
TINY = ["evaluation=heldout", "export=none", "data.num_examples=400"]
QUICK = {"runs": 2, "steps": 2}


def parse(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=12, help="runs of the study")
    parser.add_argument("--steps", type=int, default=40, help="optimizer steps of each run")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="a setting of foam's")
    parser.add_argument("--study-only", action="store_true", help="leave the `foam train` commands out")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results", help="results folder")
    parser.add_argument("--quick", action="store_true", help="two short runs: times mean nothing")
    if "--quick" in argv:
        parser.set_defaults(**QUICK)
    return parser.parse_args(argv)


def timed(words: Sequence[str]) -> float:
    """Seconds of a foam command, its start and its imports included."""
    started = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "foam_cli.cli.main", *words], capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise SystemExit(done.stdout + done.stderr)
    return time.monotonic() - started


def alone(settings: Sequence[str], args: argparse.Namespace, folder: Path) -> list[float]:
    """Seconds of every fourth run as a `foam train` command of its own."""
    return [
        timed(["train", *settings, f"seed={seed}", f"output_dir={folder}"]) for seed in range(0, args.runs, 4)
    ]


def measure(args: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Run the study, and every other of its runs alone.

    Args:
        args: The command line's arguments.
        folder: Where everything goes.

    Returns:
        The seconds.
    """
    settings = [*TINY, f"train.steps={args.steps}", f"train.warmup_steps={min(5, args.steps - 1)}", *args.set]
    (folder / "study").mkdir()
    seeds = list(range(args.runs))
    (folder / "study" / "tiny.yaml").write_text(f"seeds: {seeds}\narms: {{v3: []}}\n", "utf-8")
    words = [f"output_dir={folder / 'outputs'}", f"results_dir={folder}", "--config-dir", str(folder)]
    began = time.time()
    study = timed(["ablate", "tiny", *settings, *words])
    files = sorted((folder / "outputs").glob("*/*/*/attempt.json"), key=lambda file: file.stat().st_mtime)
    runs = [read_json(file)["seconds"] for file in files]
    ends = [file.stat().st_mtime - began for file in files]
    trained = [] if args.study_only else alone(settings, args, folder / "alone")
    of_alone = args.runs * sum(trained) / len(trained) if trained else None
    return {
        "study_seconds": study,
        # Of what comes on top: up to the first run, from one run to the next, and after the last one.
        "start_seconds": ends[0] - runs[0],
        "between_seconds": ends[-1] - ends[0] - sum(runs[1:]),
        "end_seconds": study - ends[-1],
        "run_seconds": runs,
        "sum_of_runs_seconds": sum(runs),
        "train_command_seconds": trained,
        "sum_of_train_commands_seconds": of_alone,
        "study_to_runs_in_their_processes": study / sum(runs),
        "study_to_train_commands": study / of_alone if of_alone else None,
    }


def main(argv: Sequence[str]) -> Path:
    """Measure, print and write the results.

    Args:
        argv: The command line's arguments.

    Returns:
        The results file.
    """
    args = parse(argv)
    with tempfile.TemporaryDirectory() as folder:
        found = measure(args, Path(folder))
    path = args.out / f"study_overhead{'_quick' if args.quick else ''}.json"
    arguments = {key: value for key, value in vars(args).items() if key != "out"}
    write_json(path, {**machine.describe(), "arguments": arguments, "target": 1.05, **found})
    print(json.dumps(found, indent=2))
    print(f"written: {path}")
    return path


if __name__ == "__main__":
    main(sys.argv[1:])
