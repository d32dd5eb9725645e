"""Questions per second of foam's scoring and of lm-evaluation-harness's HFLM, measured in turn.

Both go from the text of ARC questions to the log-likelihood of every choice, on the same weights, at the same
number of tokens per batch. See benchmarks/README.md.
"""

import argparse
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.table import Table
from train_speed_case import SHAPES
from transformers import AutoModelForCausalLM, AutoTokenizer, Qwen2Config, Qwen2ForCausalLM

from foam_cli.core.files import write_json
from foam_cli.engine import machine
from foam_cli.evaluation.documents import read_lines
from foam_cli.evaluation.items import pick
from foam_cli.evaluation.multiple_choice import answer_questions
from foam_cli.evaluation.prompts import encode_pairs
from foam_cli.evaluation.subject import Subject

CONTEXT = 512
REAL = "stories260K"

Item = dict[str, Any]
Contestant = Callable[[Sequence[Item]], list[list[float]]]


def load(name: str, data: Path) -> tuple[Any, Any]:
    """A real model, or random weights of a shape behind GPT-2's vocabulary.

    Args:
        name: `stories260K` or a key of `SHAPES`.
        data: The folder of real data.

    Returns:
        (model, tokenizer)
    """
    folder = data / "models" / REAL
    if name == REAL:
        return AutoModelForCausalLM.from_pretrained(folder).eval(), AutoTokenizer.from_pretrained(folder)
    tokenizer = AutoTokenizer.from_pretrained(data / "tokenizers" / "gpt2")
    tokenizer.eos_token = tokenizer.eos_token or "<|endoftext|>"
    hidden, width, blocks, heads, kv_heads = SHAPES[name]
    torch.manual_seed(0)
    shape = Qwen2Config(
        vocab_size=len(tokenizer), hidden_size=hidden, intermediate_size=width, num_hidden_layers=blocks,
        num_attention_heads=heads, num_key_value_heads=kv_heads, max_position_embeddings=CONTEXT,
        tie_word_embeddings=True,
    )  # fmt: skip
    return Qwen2ForCausalLM(shape).eval(), tokenizer


def pairs_of(questions: Sequence[Item]) -> list[tuple[str, str]]:
    return [
        (f"Question: {one['question']}\nAnswer:", f" {choice}")
        for one in questions
        for choice in one["choices"]["text"]
    ]


def foam(model: Any, tokenizer: Any, batch_tokens: int) -> Contestant:
    subject = Subject(model=model, tokenizer=tokenizer, max_length=CONTEXT, batch_tokens=batch_tokens)
    return lambda questions: [row["logprobs"] for row in answer_questions(subject, questions, None)]


def harness(model: Any, tokenizer: Any, batch_rows: int) -> Contestant:
    from lm_eval.api.instance import Instance
    from lm_eval.models.huggingface import HFLM

    lm = HFLM(
        pretrained=model, tokenizer=tokenizer, batch_size=batch_rows, max_length=CONTEXT,
        device=str(model.device),
    )  # fmt: skip

    def score(questions: Sequence[Item]) -> list[list[float]]:
        requests = [
            Instance(request_type="loglikelihood", doc={}, arguments=pair, idx=0)
            for pair in pairs_of(questions)
        ]
        found = iter(lm.loglikelihood(requests, disable_tqdm=True))
        return [[next(found)[0] for _ in one["choices"]["text"]] for one in questions]

    return score


def measure(
    name: str, questions: Sequence[Item], args: argparse.Namespace
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Let both score the questions, in turn.

    Args:
        name: The model.
        questions: The questions.
        args: The command line's arguments.

    Returns:
        What the two have in common, and every measurement.
    """
    model, tokenizer = load(name, args.data)
    lengths = [len(left) + len(right) - 1 for left, right in encode_pairs(tokenizer, pairs_of(questions))]
    # The harness counts rows: so many that its average batch has the tokens of one of foam's.
    rows = max(1, round(args.batch_tokens / statistics.mean(lengths)))
    contestants = {
        "foam": foam(model, tokenizer, args.batch_tokens),
        "lm-eval": harness(model, tokenizer, rows),
    }
    answers = {who: score(questions) for who, score in contestants.items()}  # and a warm-up
    raw: list[dict[str, Any]] = []
    for turn in range(args.rounds):
        for who, score in contestants.items():
            if torch.cuda.is_available():
                torch.cuda.synchronize()
            start = time.perf_counter()
            score(questions)
            seconds = time.perf_counter() - start
            speed = len(questions) / seconds
            raw.append({"model": name, "contestant": who, "round": turn, "questions_per_second": speed})
            print(f"{name} round {turn + 1} {who}: {speed:.1f} questions/s")
    both = list(zip(*answers.values(), strict=True))
    shared = {
        "model": name,
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
        "vocabulary": len(tokenizer),
        "questions": len(questions),
        "tokens": sum(lengths),
        "lm_eval_batch_rows": rows,
        "max_abs_difference_nats": max(abs(a - b) for x, y in both for a, b in zip(x, y, strict=True)),
        "different_answers": sum(x.index(max(x)) != y.index(max(y)) for x, y in both),
    }
    return shared, raw


def summarise(raw: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The ratio of the medians, and its extremes within a round.

    Args:
        raw: The measurements of one model.

    Returns:
        Speeds and ratio.
    """
    speeds = {
        who: [one["questions_per_second"] for one in raw if one["contestant"] == who]
        for who in ("foam", "lm-eval")
    }
    medians = {who: statistics.median(values) for who, values in speeds.items()}
    ratios = [a / b for a, b in zip(speeds["foam"], speeds["lm-eval"], strict=True)]
    return {
        "questions_per_second": medians,
        "ratio": medians["foam"] / medians["lm-eval"],
        "ratio_min": min(ratios),
        "ratio_max": max(ratios),
    }


# ---------------------------------------------------------------- command line


def parse(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, help="folder with arc/, models/ and tokenizers/")
    parser.add_argument("--models", nargs="+", choices=(REAL, *SHAPES), default=[REAL, "nano", "25m"])
    parser.add_argument("--questions", type=int, default=200, help="questions of ARC-Easy, spread evenly")
    parser.add_argument("--rounds", type=int, default=5, help="turns of each contestant")
    parser.add_argument("--batch-tokens", type=int, default=4096, help="tokens of a batch")
    parser.add_argument("--threads", type=int, default=None, help="CPU threads; one per core when not given")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results", help="results folder")
    return parser.parse_args(argv)


def main(argv: Sequence[str]) -> Path:
    """Measure, print and write the results.

    Args:
        argv: The command line's arguments.

    Returns:
        The results file.
    """
    args = parse(argv)
    if args.threads is not None:
        torch.set_num_threads(args.threads)
    questions = pick(
        read_lines(args.data / "arc" / "ARC-Easy-validation.jsonl", "--data"), args.questions, "arc_easy"
    )
    rows: list[dict[str, Any]] = []
    raw: list[dict[str, Any]] = []
    for name in args.models:
        shared, measured = measure(name, questions, args)
        rows.append({**shared, **summarise(measured)})
        raw += measured
    table = Table("model", "foam, questions/s", "lm-eval", "ratio (min–max)", "largest difference, nats")
    for row in rows:
        speed = row["questions_per_second"]
        ratio = f"{row['ratio']:.2f} ({row['ratio_min']:.2f}–{row['ratio_max']:.2f})"
        cells = (
            f"{speed['foam']:.1f}",
            f"{speed['lm-eval']:.1f}",
            ratio,
            f"{row['max_abs_difference_nats']:.1e}",
        )
        table.add_row(row["model"], *cells)
    Console().print(table)
    described = machine.describe()
    described["versions"]["lm-eval"] = version("lm-eval")
    arguments = {key: value for key, value in vars(args).items() if key not in ("out", "data")}
    path = args.out / f"eval_speed_{'cuda' if torch.cuda.is_available() else 'cpu'}.json"
    write_json(path, {**described, "arguments": arguments, "summary": rows, "measurements": raw})
    print(f"written: {path}")
    return path


if __name__ == "__main__":
    main(sys.argv[1:])
