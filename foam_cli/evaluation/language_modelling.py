"""From log probabilities of documents to perplexities."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from foam_cli.core.metric import Metric
from foam_cli.evaluation.items import Item
from foam_cli.evaluation.prompts import encode_all, prefix_id
from foam_cli.evaluation.scoring import continuation_logprobs, rolling_windows
from foam_cli.evaluation.subject import Progress, Subject


@dataclass(frozen=True, kw_only=True)
class DocumentScore:
    """How probable a model finds a document.

    Attributes:
        logprob: Its log-likelihood in nats.
        num_tokens: How many tokens were predicted.
    """

    logprob: float
    num_tokens: int


def rolling_logprobs(
    subject: Subject, documents: Sequence[str], window_tokens: int, progress: Progress
) -> list[DocumentScore]:
    """Log-likelihood of whole documents, every token predicted once.

    Args:
        subject: The model.
        documents: Texts; each begins after BOS, or else EOS.
        window_tokens: Longest input of one forward pass.
        progress: Told how many windows are scored.

    Returns:
        One score per document.

    Source: L. Gao et al., "The Language Model Evaluation Harness", 0.4.13: special tokens that the tokenizer
        adds by itself are predicted like any other.
    """
    prefix = prefix_id(subject.tokenizer)
    windows = [
        rolling_windows(ids, prefix, window_tokens) for ids in encode_all(subject.tokenizer, documents)
    ]
    scores = iter(
        continuation_logprobs(
            subject.model,
            [window for of_document in windows for window in of_document],
            batch_tokens=subject.batch_tokens,
            max_length=window_tokens,
            progress=progress,
            journal=subject.journal,
        )
    )
    found: list[DocumentScore] = []
    for of_document in windows:
        parts = [next(scores) for _ in of_document]
        found.append(
            DocumentScore(
                logprob=math.fsum(part.logprob for part in parts),
                num_tokens=sum(part.num_tokens for part in parts),
            )
        )
    return found


def perplexity(logprob: float, num_units: int) -> Metric:
    """Perplexity per unit (token, word or byte).

    Args:
        logprob: Log-likelihood of the text, in nats.
        num_units: How many units it has.

    Returns:
        exp(-logprob / num_units).
    """
    return Metric(value=math.exp(-logprob / num_units), n=num_units)


def bits_per_byte(logprob: float, num_bytes: int) -> Metric:
    """Bits needed per byte of text; comparable across tokenizers.

    Args:
        logprob: Log-likelihood of the text, in nats.
        num_bytes: Its length in UTF-8.

    Returns:
        -logprob / (num_bytes ln 2).
    """
    return Metric(value=-logprob / (num_bytes * math.log(2)), n=num_bytes)


def document_rows(documents: Sequence[str], scores: Sequence[DocumentScore]) -> list[Item]:
    """One row per document, in the form of every task's items; there is no right or wrong here.

    Args:
        documents: The texts.
        scores: Their scores.

    Returns:
        Rows whose `correct` is None.
    """
    return [
        {
            "id": f"document-{number}",
            "prompt": document.strip()[:80],
            "answer": None,
            "expected": None,
            "correct": None,
            "logprob": score.logprob,
            "num_tokens": score.num_tokens,
        }
        for number, (document, score) in enumerate(zip(documents, scores, strict=True))
    ]
