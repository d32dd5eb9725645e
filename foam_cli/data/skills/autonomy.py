"""Autonomy: tasks of several steps, worked out line by line, with the answer as JSON on the last line.

Evaluation items are `{"id", "messages", "group", "kind", "expected", "chance"}`. `group` is `standard`, or
`hard` for tasks with more steps than training ever shows. The last line of the reply must be
`{"answer": expected}` with the exact type; `chance` is the hit rate of a guess.

Items of the group `loop` are worked through with tools instead, one call a turn: they also hold `tools` (JSON
Schemas), `effects` (what each tool does), `state` (before) and `final_state` (what it must come to); see
foam_cli.core.simulator.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol, runtime_checkable

from foam_cli.data.skills.example import Example, Random, user


@dataclass(frozen=True, kw_only=True)
class Task:
    """One task.

    Attributes:
        prompt: What is asked.
        lines: The working, line by line.
        answer: The answer, a JSON value.
        chance: Hit rate of a guess.
    """

    prompt: str
    lines: list[str]
    answer: Any
    chance: float


@runtime_checkable
class Kind(Protocol):
    """A kind of task."""

    def __call__(self, random: Random, *, held_out: bool, hard: bool) -> Task:
        """Set one task, with more steps than usual where it is hard."""
        ...


@dataclass(frozen=True, kw_only=True)
class Autonomy:
    """The skill.

    Attributes:
        share: Its share of the training examples.
        kinds: The kinds of tasks.
        loop_share: The share of tasks, in training and evaluation, that are worked through with tools.
        loop: Draws such a task, on either side of the split.
    """

    share: float
    kinds: dict[str, Kind]
    loop_share: float
    loop: Callable[[Random, bool], Example] | None

    name: ClassVar[str] = "autonomy"

    def training_example(self, random: Random) -> Example:
        """Set a task in training wordings with training values.

        Args:
            random: Source of randomness.

        Returns:
            The example.
        """
        if self.loop is not None and random.random() < self.loop_share:
            return self.loop(random, False)
        kind = random.choice(list(self.kinds))
        return self._example(kind, "standard", self.kinds[kind](random, held_out=False, hard=False))

    def items(self, random: Random, n: int) -> list[Example]:
        """Set tasks in held-out wordings with held-out values.

        Args:
            random: Source of randomness.
            n: How many; of those without tools two thirds are as long as in training, one third is longer.

        Returns:
            The examples.
        """
        num_loops = 0 if self.loop is None else round(n * self.loop_share)
        examples: list[Example] = []
        names = list(self.kinds)
        for index in range(n - num_loops):
            kind = names[index % len(names)]
            group = "standard" if index < (n - num_loops) * 2 // 3 else "hard"
            task = self.kinds[kind](random, held_out=True, hard=group == "hard")
            examples.append(self._example(kind, group, task))
        if self.loop is not None:
            examples += [self.loop(random, True) for _ in range(num_loops)]
        return examples

    def _example(self, kind: str, group: str, task: Task) -> Example:
        facts = {"group": group, "kind": kind, "expected": task.answer, "chance": task.chance}
        return Example(messages=[user(task.prompt)], reply=reply_with(task.lines, task.answer), facts=facts)


def reply_with(lines: list[str], answer: Any) -> str:
    """Write a reply as the model shall write it.

    Args:
        lines: The working.
        answer: The answer.

    Returns:
        The working, and on the last line `{"answer": ...}`.
    """
    return "\n".join([*lines, json.dumps({"answer": answer})])
