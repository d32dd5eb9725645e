"""What growth costs: tracking, growth events, banks, compilation, memory; and what a frozen core saves.

Everything is foam's own loop on the same batches, measured in turn. See benchmarks/README.md.
"""

import argparse
import shutil
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import torch
from growth_cost_parts import PARTS
from growth_cost_runs import Row
from rich.console import Console
from rich.table import Table
from train_speed_case import MODELS, PRECISIONS, SHAPES, build_case

from foam_cli.core.files import write_json
from foam_cli.engine import machine

#: Enough to see that everything runs.
QUICK = {
    "models": ["tiny"],
    "steps": 4,
    "warmup": 1,
    "rounds": 1,
    "threads": 1,
    "batch_tokens": 256,
    "examples": 24,
    "backend": "eager",
}


def parse(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    on_gpu = torch.cuda.is_available()
    compiler = "inductor" if on_gpu or shutil.which("g++") else "eager"
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--models", nargs="+", choices=SHAPES, default=list(MODELS))
    parser.add_argument("--precision", choices=PRECISIONS, default="bf16_autocast" if on_gpu else "fp32")
    parser.add_argument("--steps", type=int, default=20, help="timed steps of each run")
    parser.add_argument("--warmup", type=int, default=5, help="steps before the clock starts")
    parser.add_argument("--rounds", type=int, default=5, help="turns of every contender")
    parser.add_argument("--threads", type=int, default=None, help="CPU threads; one per core when not given")
    parser.add_argument("--batch-tokens", type=int, default=2048, help="token budget, padding included")
    parser.add_argument("--examples", type=int, default=8000, help="training examples to draw from")
    parser.add_argument("--backend", default=compiler, help="what torch.compile compiles with")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="a setting of foam's")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results", help="results folder")
    parser.add_argument("--quick", action="store_true", help="a tiny model and one round: times mean nothing")
    parser.set_defaults(train="full")
    if "--quick" in argv:
        parser.set_defaults(**QUICK)
    return parser.parse_args(argv)


def show(rows: Sequence[Row]) -> None:
    table = Table("part", "model", "what", "value (min–max)", "target", "met")
    for row in rows:
        spread = "" if row.low == row.high else f" ({row.low:.3f}–{row.high:.3f})"
        met = {True: "yes", False: "no", None: ""}[row.met]
        table.add_row(row.part, row.model, row.what, f"{row.value:.3f}{spread}", row.target, met)
    Console().print(table)


def main(argv: Sequence[str]) -> Path:
    """Measure, print and write the results.

    Args:
        argv: The command line's arguments.

    Returns:
        The results file.
    """
    args = parse(argv)
    rows: list[Row] = []
    for model_name in args.models:
        case = build_case(model_name, args.precision, args)
        for part in args.parts:
            rows += PARTS[part](case, args)
    show(rows)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    path = args.out / f"growth_cost_{'quick' if args.quick else device}.json"
    arguments = {key: value for key, value in vars(args).items() if key != "out"}
    described = {**machine.describe(), "arguments": arguments}
    write_json(path, {**described, "rows": [asdict(row) for row in rows]})
    print(f"written: {path}")
    return path


if __name__ == "__main__":
    main(sys.argv[1:])
