"""What every skill of every world is made of: a conversation, the right reply, and how a reply is judged."""

import random as stdlib_random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol, runtime_checkable

Random = stdlib_random.Random
Message = dict[str, str]


@dataclass(frozen=True, kw_only=True)
class Example:
    """One conversation. Training learns the reply; an evaluation asks for it.

    Attributes:
        messages: The conversation before the last reply.
        reply: What the assistant shall say.
        facts: What an evaluation item says besides, its `group` and what is `expected`.
    """

    messages: list[Message]
    reply: str
    facts: dict[str, Any]


@runtime_checkable
class Skill(Protocol):
    """One skill of one world. Training and evaluation share no wording and no value."""

    name: ClassVar[str]

    @property
    def share(self) -> float:
        """Its share of the training examples."""
        ...

    def training_example(self, random: Random) -> Example:
        """Draw one example to learn from."""
        ...

    def items(self, random: Random, n: int) -> list[Example]:
        """Draw `n` examples to be asked."""
        ...


World = Sequence[Skill]


def user(text: str) -> Message:
    """A turn of the user.

    Args:
        text: What is said.

    Returns:
        The message.
    """
    return {"role": "user", "content": text}


def assistant(text: str) -> Message:
    """A turn of the assistant.

    Args:
        text: What is said.

    Returns:
        The message.
    """
    return {"role": "assistant", "content": text}
