"""Questions with given answers, decided by log-likelihood."""

from collections.abc import Sequence

from foam_cli.core.errors import DataError
from foam_cli.core.metric import Metric
from foam_cli.evaluation.items import Item, accuracy
from foam_cli.evaluation.prompts import encode_pairs
from foam_cli.evaluation.scoring import Score, continuation_logprobs
from foam_cli.evaluation.subject import Progress, Subject

RECIPE = "0-shot, log-likelihood of ' ' + choice after 'Question: ...\\nAnswer:'"


def answer_questions(subject: Subject, questions: Sequence[Item], progress: Progress) -> list[Item]:
    """Let a model choose among the answers to each question.

    Args:
        subject: Who is asked.
        questions: ARC-shaped: `id`, `question`, `choices` with `text` and `label`, `answerKey`.
        progress: Told how many choices are scored.

    Returns:
        One scored item per question. `correct` takes the most probable answer, `correct_norm` the one that is
        most probable per character.

    Source: P. Clark et al., "Think you have solved question answering? Try ARC", 2018, arXiv 1803.05457,
        scored as in L. Gao et al., "The Language Model Evaluation Harness", 0.4.13.
    """
    pairs = [
        (f"Question: {question['question']}\nAnswer:", f" {choice}")
        for question in questions
        for choice in question["choices"]["text"]
    ]
    scores = iter(
        continuation_logprobs(
            subject.model,
            encode_pairs(subject.tokenizer, pairs),
            batch_tokens=subject.batch_tokens,
            max_length=subject.max_length,
            progress=progress,
            journal=subject.journal,
        )
    )
    return [_scored(question, [next(scores) for _ in question["choices"]["text"]]) for question in questions]


def _scored(question: Item, scores: list[Score]) -> Item:
    choices: list[str] = question["choices"]["text"]
    labels: list[str] = question["choices"]["label"]
    if question["answerKey"] not in labels:
        raise DataError(f"question {question['id']}: the key {question['answerKey']!r} is not among {labels}")
    gold = labels.index(question["answerKey"])
    logprobs = [score.logprob for score in scores]
    best = logprobs.index(max(logprobs))
    per_character = [logprob / max(1, len(choice)) for logprob, choice in zip(logprobs, choices, strict=True)]
    best_norm = per_character.index(max(per_character))
    return {
        "id": question["id"],
        "prompt": question["question"],
        "answer": choices[best],
        "expected": choices[gold],
        "correct": best == gold,
        "correct_norm": best_norm == gold,
        "chance": 1 / len(choices),
        "logprobs": logprobs,
    }


def choice_metrics(rows: Sequence[Item]) -> dict[str, Metric]:
    """Sum up scored questions.

    Args:
        rows: From `answer_questions`.

    Returns:
        `acc`, `acc_norm`, and `chance`, what guessing would score.
    """
    chance = sum(row["chance"] for row in rows) / len(rows)
    return {
        "acc": accuracy(rows),
        "acc_norm": accuracy(rows, "correct_norm"),
        "chance": Metric(value=chance, n=len(rows)),
    }
