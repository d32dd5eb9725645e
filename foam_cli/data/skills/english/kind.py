"""What every kind of task in English is made of: wordings, and a function that sets and solves one."""

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from foam_cli.core.seeds import rng
from foam_cli.data.skills.autonomy import Task
from foam_cli.data.skills.english import words
from foam_cli.data.skills.english.values import draw_number, listed, side_of
from foam_cli.data.skills.example import Random

#: Draws of training tasks by which the chance level of a kind is measured.
CHANCE_DRAWS = 200


@dataclass(frozen=True, kw_only=True)
class Draw:
    """Draws values of one side of the split, and knows how long the task shall be.

    Attributes:
        random: Source of randomness.
        held_out: Which side.
        hard: Whether the task has more steps than in training.
        steps: How many steps it has.
    """

    random: Random
    held_out: bool
    hard: bool
    steps: int

    def number(self, low: int, high: int) -> int:
        """Draw a number between `low` and `high`."""
        return draw_number(self.random, low, high, self.held_out)

    def some(self, options: Sequence[str], count: int) -> list[str]:
        """Draw `count` different words."""
        return self.random.sample(side_of(options, self.held_out), count)

    def people(self, count: int) -> list[str]:
        """Draw `count` different first names."""
        return self.some(words.FIRST_NAMES, count)

    def pick(self, options: Sequence[Any]) -> Any:
        """Choose something that both sides have in common."""
        return self.random.choice(options)

    def say(self, trained: Sequence[str], held_out: Sequence[str], **places: object) -> str:
        """Word a part of the task."""
        return self.random.choice(held_out if self.held_out else trained).format(**places)


def begin(random: Random, held_out: bool, hard: bool) -> Draw:
    """Decide how long a task shall be.

    Args:
        random: Source of randomness.
        held_out: On which side of the split.
        hard: Whether it has more steps than in training.

    Returns:
        What draws its values.
    """
    return Draw(random=random, held_out=held_out, hard=hard, steps=random.choice((4, 5) if hard else (2, 3)))


@dataclass(frozen=True, kw_only=True)
class Solved:
    """A task before it is worded.

    Attributes:
        places: What the wordings have places for.
        lines: The working.
        answer: The answer.
        options: What a guess would choose from; None where only the commonest answer could be guessed.
    """

    places: dict[str, Any]
    lines: list[str]
    answer: Any
    options: int | None = None


@dataclass(frozen=True, kw_only=True)
class EnglishKind:
    """A kind of task.

    Attributes:
        solve: Draws a task and solves it.
        asks: Wordings of the whole task in training.
        held_out: Wordings in the evaluation.
    """

    solve: Callable[[Draw], Solved]
    asks: tuple[str, ...]
    held_out: tuple[str, ...]

    def __call__(self, random: Random, *, held_out: bool, hard: bool) -> Task:
        """Set one task.

        Args:
            random: Source of randomness.
            held_out: Which side of the split.
            hard: Whether it has more steps than in training.

        Returns:
            The task.
        """
        solved = self.solve(begin(random, held_out, hard))
        wording = random.choice(self.held_out if held_out else self.asks)
        ending = random.choice(HELD_OUT_ENDINGS if held_out else ENDINGS)
        chance = 1 / solved.options if solved.options else _commonest(self) if held_out else 0.0
        prompt = _sentences(wording.format(**solved.places)) + ending
        return Task(prompt=prompt, lines=solved.lines, answer=solved.answer, chance=chance)


def _sentences(text: str) -> str:
    """Begin every sentence with a capital letter, and write `an` where it belongs."""
    text = re.sub(r"\b([Aa]) (?=[aeiou])", r"\1n ", text)
    return re.sub(r"(^|(?<=[.?!] ))[a-z]", lambda found: found[0].upper(), text)


@cache
def _commonest(kind: EnglishKind) -> float:
    """How often the commonest answer of the training tasks is right: the best that a guess can do."""
    random = rng(0, "chance", kind.asks[0])
    found = Counter(repr(kind.solve(begin(random, False, False)).answer) for _ in range(CHANCE_DRAWS))
    return found.most_common(1)[0][1] / CHANCE_DRAWS


ENDINGS = (
    ' Work step by step and end with a line {"answer": ...}.',
    ' The last line must be {"answer": ...}.',
    ' Show your steps; finish with {"answer": ...}.',
    ' Put the result on the last line as {"answer": ...}.',
    ' Close with the JSON object {"answer": ...}.',
    ' Think in short steps, then write {"answer": ...}.',
)
HELD_OUT_ENDINGS = (
    ' Give the solution as {"answer": ...} in the final line.',
    ' Reason briefly. Your reply ends in {"answer": ...}.',
)


def joined(parts: Sequence[str]) -> str:
    """Join parts of a sentence.

    Args:
        parts: The parts.

    Returns:
        For example `a, b and c`.
    """
    return listed(list(parts))


def sum_lines(parts: list[int]) -> list[str]:
    """Add one number after the other.

    Args:
        parts: The numbers.

    Returns:
        The working, a line for each addition.
    """
    total, lines = parts[0], list[str]()
    for part in parts[1:]:
        lines.append(f"{total} + {part} = {total + part}")
        total += part
    return lines
