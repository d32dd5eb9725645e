"""Loss on documents that training kept back."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from foam_cli.core.files import sha256_json
from foam_cli.core.metric import Metric, TaskResult
from foam_cli.evaluation.items import Item, pick
from foam_cli.evaluation.rows import NO_TARGET
from foam_cli.evaluation.scoring import Score, target_logprobs
from foam_cli.evaluation.subject import Progress, Subject


@dataclass(frozen=True, kw_only=True)
class Heldout:
    """Mean negative log-likelihood per learnt token.

    Attributes:
        num_items: How many documents, or None for all.
    """

    num_items: int | None

    name: ClassVar[str] = "heldout"
    items_from: ClassVar[str | None] = "data.validation"
    role: ClassVar[str] = "learnt"

    def run(self, subject: Subject, items: list[Item] | None, progress: Progress = None) -> TaskResult:
        """Measure.

        Args:
            subject: The model.
            items: Each with `ids`, a document's tokens, and `targets`, which of them carry loss (the first
                never does).
            progress: Told how many documents are scored.

        Returns:
            `loss_nats`, `perplexity` and `token_acc`, all per token that carries loss.
        """
        usable = [item for item in items or [] if len(item["ids"]) > 1]
        asked = pick(usable, self.num_items, self.name)
        cut = [_cut(item, subject.max_length) for item in asked]
        scores = target_logprobs(
            subject.model,
            [ids for ids, _ in cut],
            [targets for _, targets in cut],
            batch_tokens=subject.batch_tokens,
            progress=progress,
            journal=subject.journal,
        )
        num_tokens = sum(score.num_tokens for score in scores)
        loss = -sum(score.logprob for score in scores) / max(1, num_tokens)
        hits = sum(score.num_greedy for score in scores)
        return TaskResult(
            task=self.name,
            metrics={
                "loss_nats": Metric(value=loss, n=num_tokens),
                "perplexity": Metric(value=math.exp(loss), n=num_tokens),
                "token_acc": Metric.from_hits(hits, num_tokens),
            },
            items=_rows(asked, scores),
            recipe="mean over the tokens that carry loss",
            data_sha256=sha256_json(
                [[list(map(int, item["ids"])), list(map(bool, item["targets"]))] for item in asked]
            ),
            primary="loss_nats",
        )


def _cut(item: Mapping[str, Any], max_length: int) -> tuple[list[int], list[int]]:
    """Inputs, and for each the next token where that one carries loss."""
    ids = [int(token) for token in item["ids"]][: max_length + 1]
    marks = list(item["targets"])[: len(ids)]
    following = [token if mark else NO_TARGET for token, mark in zip(ids[1:], marks[1:], strict=True)]
    return ids[:-1], following


def _rows(items: Sequence[Item], scores: Sequence[Score]) -> list[Item]:
    return [
        {
            "id": item.get("id", f"document-{number}"),
            "prompt": None,
            "answer": None,
            "expected": None,
            "correct": None,
            "logprob": score.logprob,
            "num_tokens": score.num_tokens,
        }
        for number, (item, score) in enumerate(zip(items, scores, strict=True))
    ]
