"""One task's misfortune is not the others'."""

from dataclasses import dataclass, field
from typing import ClassVar

import pytest
import torch
from rich.console import Console
from tiny_tokenizer import byte_tokenizer

from foam_cli.core.errors import DataError
from foam_cli.core.metric import Metric, TaskResult
from foam_cli.engine import examine
from foam_cli.engine.display import Display
from foam_cli.evaluation.subject import Subject


@dataclass
class Asked:
    name: str
    error: Exception | None = None
    fits: int = 10_000
    seen: list[int] = field(default_factory=list)

    items_from: ClassVar[str | None] = None
    role: ClassVar[str] = "kept"

    def run(self, subject, items, progress=None) -> TaskResult:
        self.seen.append(subject.batch_tokens)
        if self.error is not None:
            raise self.error
        if subject.batch_tokens > self.fits:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        metrics = {"acc": Metric.from_hits(1, 2)}
        return TaskResult(task=self.name, metrics=metrics, items=[], recipe="", data_sha256="", primary="acc")


class Nothing:
    def evaluation_items(self, name: str, num_items: int | None) -> list[dict]:
        return []


@pytest.fixture
def ask(tiny_model):
    subject = Subject(model=tiny_model("llama"), tokenizer=byte_tokenizer(), max_length=8, batch_tokens=2048)

    def ask(*tasks: Asked):
        return examine.examine(
            {task.name: task for task in tasks}, subject, Nothing(), "now", Display(Console(quiet=True))
        )

    return ask


@pytest.mark.parametrize(
    ("error", "said"),
    [(DataError("no file"), "no file"), (IndexError("7"), "IndexError: 7"), (RuntimeError(), "RuntimeError")],
)
def test_a_failure_is_recorded_and_the_others_go_on(ask, error, said):
    results, failures = ask(Asked("a"), Asked("b", error=error), Asked("c"))
    assert list(results) == ["a", "c"]
    assert {name: examine.reason(one) for name, one in failures.items()} == {"b": said}


def test_out_of_memory_the_batch_is_halved(ask):
    task = Asked("a", fits=600)
    results, failures = ask(task)
    assert task.seen == [2048, 1024, 512] and list(results) == ["a"] and not failures


def test_what_never_fits_is_given_up(ask):
    task = Asked("a", fits=1)
    results, failures = ask(task, Asked("b"))
    assert task.seen == [2048, 1024, 512, 256]
    assert list(results) == ["b"] and "out of memory" in examine.reason(failures["a"])


def test_ctrl_c_is_no_failure(ask):
    with pytest.raises(KeyboardInterrupt):
        ask(Asked("a", error=KeyboardInterrupt()))  # pyright: ignore[reportArgumentType]


def test_curves_are_read_from_the_log():
    rows = [
        {"step": 1, "loss": 2.0},
        {"step": 5, "evaluation": {"a/acc": 0.5}},
        {"step": 9, "evaluation": {"a/acc": 0.25}},
    ]
    assert examine.curves(rows) == {"a/acc": [(5, 0.5), (9, 0.25)]}
