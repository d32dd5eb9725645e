"""Answers before and after, side by side: those of a run, and of the arms of a study."""

import json
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any, TypeVar

from foam_cli.report.numbers import words
from foam_cli.report.study_folder import StudyArm

MAX_ARMS = 8
_MAX_OF_RUN, _MAX_OF_STUDY = 24, 12
_MAX_LETTERS, _MAX_LETTERS_OF_STUDY = 1500, 800
Item = tuple[str, str]
T = TypeVar("T")


def answers_of_run(samples: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Pick a run's answers.

    Args:
        samples: Rows of samples.json.

    Returns:
        For each question its text, and the answers as the page shows them.
    """
    chosen = _in_turns(samples, lambda row: str(row.get("task", "")), _MAX_OF_RUN)
    return [
        _question(row, _MAX_LETTERS)
        | {"answers": [_answer(row, when, when, _MAX_LETTERS) for when in ("base", "final")]}
        for row in chosen
    ]


def answers_of_study(arms: Sequence[StudyArm]) -> list[dict[str, Any]]:
    """Pick questions that several arms have kept answers to, first those that not all of them got right.

    Args:
        arms: The arms; of each the first seed is heard.

    Returns:
        As `answers_of_run`, with the base model's answer and one per arm.
    """
    heard = [arm for arm in arms if arm.runs][:MAX_ARMS]
    kept: dict[Item, dict[str, Mapping[str, Any]]] = {}
    for arm in heard:
        for row in next(iter(arm.runs.values())).samples:
            kept.setdefault((str(row.get("task", "")), str(row.get("id", ""))), {})[arm.name] = row

    def interest(item: Item) -> tuple[int, bool]:
        marks = {str(row.get("final_correct")) for row in kept[item].values()}
        return -len(kept[item]), len(marks) == 1

    chosen = _in_turns(sorted(kept, key=interest), lambda item: item[0], _MAX_OF_STUDY)
    return [_asked_of_arms(kept[item]) for item in chosen]


def _asked_of_arms(rows: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    first, size = next(iter(rows.values())), _MAX_LETTERS_OF_STUDY
    answers = [_answer(first, "base", "base", size)]
    answers += [_answer(row, "final", arm, size) for arm, row in rows.items()]
    return _question(first, size) | {"answers": answers}


def _in_turns(things: Sequence[T], kind: Callable[[T], Hashable], most: int) -> list[T]:
    """As many of one kind as of another, so that a long one does not crowd out the others."""
    queues: dict[Hashable, list[T]] = {}
    for thing in things:
        queues.setdefault(kind(thing), []).append(thing)
    share = -(-most // max(len(queues), 1))
    return [thing for queue in queues.values() for thing in queue[:share]][:most]


def _question(row: Mapping[str, Any], size: int) -> dict[str, Any]:
    names = {"task": words(str(row.get("task", ""))), "id": str(row.get("id", ""))}
    return names | {key: _text(row.get(key), size) for key in ("prompt", "expected")}


def _answer(row: Mapping[str, Any], when: str, who: str, size: int) -> dict[str, str]:
    correct = row.get(f"{when}_correct")
    mark = "right" if correct is True else "wrong" if correct is False else ""
    return {"who": who, "mark": mark, "text": _text(row.get(when), size)}


def _text(value: Any, size: int) -> str:
    text = value if isinstance(value, str) else "" if value is None else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= size else text[:size] + " …"
