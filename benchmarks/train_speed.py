"""Training speed of foam, of a bare PyTorch loop and of transformers' Trainer, measured in turn.

All train the same weights on the same examples with the same optimizer, clipping, precision and token budget.
Real tokens are counted, padding is not. See benchmarks/README.md.
"""

import argparse
import statistics
import sys
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.table import Table
from train_speed_case import MODELS, PRECISIONS, SHAPES, Case, Clock, build_case, fresh_copy
from train_speed_contestants import CONTESTANTS

from foam_cli.core.files import write_json
from foam_cli.engine import machine


def measure(case: Case, name: str) -> dict[str, Any]:
    """Let one contestant train a fresh copy of the model.

    Args:
        case: What is shared.
        name: A key of `CONTESTANTS`.

    Returns:
        What the timed steps did.
    """
    clock = Clock(case.warmup, last=case.settings.train.steps - 1)
    tokens = CONTESTANTS[name](case, fresh_copy(case.model), clock)
    return clock.measured(tokens)


def summarise(raw: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Medians, and the ratio of foam to every contestant within each round.

    Args:
        raw: All measurements.

    Returns:
        One row per model, precision and contestant.
    """
    speeds: dict[tuple[str, str, str], list[float]] = {}
    for one in raw:
        speeds.setdefault((one["model"], one["precision"], one["contestant"]), []).append(
            one["tokens_per_second"]
        )
    rows: list[dict[str, Any]] = []
    for (model, precision, contestant), values in speeds.items():
        foam = speeds.get((model, precision, "foam"), [])
        ratios = [a / b for a, b in zip(foam, values, strict=False)]
        rows.append(
            {
                "model": model,
                "precision": precision,
                "contestant": contestant,
                "tokens_per_second": _spread(values),
                "foam_speed_ratio": _spread(ratios) if ratios else None,
            }
        )
    return rows


def _spread(values: list[float]) -> dict[str, float]:
    return {"median": statistics.median(values), "min": min(values), "max": max(values)}


# ---------------------------------------------------------------- command line


def parse(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--models", nargs="+", choices=SHAPES, default=list(MODELS))
    parser.add_argument("--precision", nargs="+", choices=PRECISIONS, default=list(PRECISIONS))
    parser.add_argument("--contestants", nargs="+", choices=CONTESTANTS, default=list(CONTESTANTS))
    parser.add_argument("--steps", type=int, default=40, help="timed steps of each measurement")
    parser.add_argument("--warmup", type=int, default=5, help="steps before the clock starts")
    parser.add_argument("--rounds", type=int, default=5, help="turns of every contestant")
    parser.add_argument("--threads", type=int, default=None, help="CPU threads; one per core when not given")
    parser.add_argument("--batch-tokens", type=int, default=2048, help="token budget, padding included")
    parser.add_argument("--train", choices=("full", "ffn"), default="full", help="which parameters learn")
    parser.add_argument("--examples", type=int, default=8000, help="training examples to draw from")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="a setting of foam's")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results", help="results folder")
    return parser.parse_args(argv)


def show(rows: list[dict[str, Any]]) -> None:
    table = Table("model", "precision", "contestant", "tokens/s (min–max)", "foam is … × as fast (min–max)")
    for row in rows:
        speed, ratio = row["tokens_per_second"], row["foam_speed_ratio"]
        table.add_row(
            row["model"],
            row["precision"],
            row["contestant"],
            f"{speed['median']:,.0f} ({speed['min']:,.0f}–{speed['max']:,.0f})",
            f"{ratio['median']:.3f} ({ratio['min']:.3f}–{ratio['max']:.3f})" if ratio else "",
        )
    Console().print(table)


def describe() -> dict[str, Any]:
    described = machine.describe()
    try:
        described["versions"]["accelerate"] = version("accelerate")
    except PackageNotFoundError:
        described["versions"]["accelerate"] = "not installed"
    return described


def main(argv: Sequence[str]) -> Path:
    """Measure, print and write the results.

    Args:
        argv: The command line's arguments.

    Returns:
        The results file.
    """
    args = parse(argv)
    raw: list[dict[str, Any]] = []
    for model_name in args.models:
        for precision in args.precision:
            case = build_case(model_name, precision, args)
            shared = {
                "model": model_name,
                "precision": precision,
                "parameters": sum(parameter.numel() for parameter in case.model.parameters()),
            }
            for turn in range(args.rounds):
                for name in args.contestants:
                    raw.append({**shared, "contestant": name, "round": turn, **measure(case, name)})
                    speed = raw[-1]["tokens_per_second"]
                    print(f"{model_name} {precision} round {turn + 1} {name}: {speed:,.0f} tokens/s")
    rows = summarise(raw)
    show(rows)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    path = args.out / f"train_speed_{device}.json"
    arguments = {key: value for key, value in vars(args).items() if key != "out"}
    write_json(path, {**describe(), "arguments": arguments, "summary": rows, "measurements": raw})
    print(f"written: {path}")
    return path


if __name__ == "__main__":
    main(sys.argv[1:])
