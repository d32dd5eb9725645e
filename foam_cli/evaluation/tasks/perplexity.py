"""Perplexity over packed windows, the number that papers on growing models report."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import ClassVar

from foam_cli.core.files import sha256_file
from foam_cli.core.metric import TaskResult
from foam_cli.evaluation.documents import passages, read_documents
from foam_cli.evaluation.items import Item, pick
from foam_cli.evaluation.language_modelling import bits_per_byte, perplexity
from foam_cli.evaluation.prompts import prefix_id
from foam_cli.evaluation.rows import NO_TARGET
from foam_cli.evaluation.scoring import Score, target_logprobs
from foam_cli.evaluation.subject import Progress, Subject


@dataclass(frozen=True, kw_only=True)
class Perplexity:
    """Documents are joined, each behind a BOS (or else EOS) token, and cut into disjoint windows.

    A window predicts `window_tokens` tokens from nothing but the token before it and itself. The separators
    are read but never scored, so bits_per_byte counts the text alone.

    Attributes:
        path: JSON Lines, a JSON list, or plain text.
        window_tokens: Length of a window, or None for the model's whole context.
        num_items: How many documents, or None for all.
    """

    path: Path
    window_tokens: int | None
    num_items: int | None

    name: ClassVar[str] = "perplexity"
    items_from: ClassVar[str | None] = None
    role: ClassVar[str] = "kept"

    def __post_init__(self) -> None:
        if self.window_tokens is not None and self.window_tokens < 1:
            raise ValueError(
                f"window_tokens={self.window_tokens}: at least 1, or null for the whole context."
            )

    def run(self, subject: Subject, items: list[Item] | None, progress: Progress = None) -> TaskResult:
        """Measure.

        Args:
            subject: The model.
            items: Not used; the documents come from `path`.
            progress: Told how many windows are scored.

        Returns:
            `token_perplexity_<window>`, `byte_perplexity_<window>` and `bits_per_byte_<window>`.

        Source: token perplexity over windows as in "Growing LLM" with 128 tokens.
        """
        del items
        window = min(self.window_tokens or subject.max_length, subject.max_length)
        documents = pick(read_documents(self.path, "evaluation.perplexity.path"), self.num_items, self.name)
        inputs, targets = _packed_windows(subject, documents, window)
        scores = target_logprobs(
            subject.model,
            inputs,
            targets,
            batch_tokens=subject.batch_tokens,
            progress=progress,
            journal=subject.journal,
        )
        logprob = sum(score.logprob for score in scores)
        num_tokens = sum(score.num_tokens for score in scores)
        num_bytes = sum(len(document.encode()) for document in documents)
        return TaskResult(
            task=self.name,
            metrics={
                f"token_perplexity_{window}": perplexity(logprob, num_tokens),
                f"byte_perplexity_{window}": perplexity(logprob, num_bytes),
                f"bits_per_byte_{window}": bits_per_byte(logprob, num_bytes),
            },
            items=_window_rows(scores),
            recipe=f"packed disjoint windows of {window} tokens, one token of left context",
            data_sha256=sha256_file(self.path),
            primary=f"bits_per_byte_{window}",
        )

    def prompts(self) -> list[tuple[str, str]]:
        """What is measured, to be looked up in training data.

        Returns:
            The documents in passages.
        """
        return passages(
            pick(read_documents(self.path, "evaluation.perplexity.path"), self.num_items, self.name)
        )


def _packed_windows(
    subject: Subject, documents: Sequence[str], window: int
) -> tuple[list[list[int]], list[list[int]]]:
    """Inputs and targets of each window; a target is the token after its input."""
    separator = prefix_id(subject.tokenizer)
    stream: list[int] = []
    targets: list[int] = []
    for document in documents:
        ids = list(subject.tokenizer(document, add_special_tokens=False, verbose=False)["input_ids"])
        stream += [separator, *ids]
        targets += [*ids, NO_TARGET]
    cuts = [*range(0, len(stream), window), len(stream)]
    return [stream[a:b] for a, b in pairwise(cuts)], [targets[a:b] for a, b in pairwise(cuts)]


def _window_rows(scores: Sequence[Score]) -> list[Item]:
    return [
        {
            "id": f"window-{number}",
            "prompt": None,
            "answer": None,
            "expected": None,
            "correct": None,
            "logprob": score.logprob,
            "num_tokens": score.num_tokens,
        }
        for number, score in enumerate(scores)
    ]
