"""Tool use: the system message lists tools, the reply is exactly one call, or text where none is needed.

Evaluation items are `{"id", "messages", "group", "tools", "expected"}`. `group` is `seen`, `unseen` (tools
that were never trained on) or `no_call`; `tools` holds a strict JSON Schema for each listed tool; `expected`
is a list of `{"name", "arguments": {parameter: [accepted values]}}` and empty where no call is right.

Tools are text in the system message and calls are text in the reply, not the `tools` and `tool_calls` of chat
templates: many templates know neither, and those that do write them each in their own way.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, TypeVar

from foam_cli.data.skills.example import Example, Message, Random

ToolT = TypeVar("ToolT")
Call = tuple[str, dict[str, Any]]


@dataclass(frozen=True, kw_only=True)
class Request:
    """A conversation that asks for tools, or for none.

    Attributes:
        messages: The conversation.
        tools: Name and JSON Schema of what is listed.
        calls: The right calls; none where words are right.
        words: What is said where no call is right.
    """

    messages: list[Message]
    tools: list[dict[str, Any]]
    calls: list[Call]
    words: str


@dataclass(frozen=True, kw_only=True)
class ToolUse(Generic[ToolT]):
    """The skill.

    Attributes:
        share: Its share of the training examples.
        no_call_share: The share of its training examples that need no tool.
        seen: Tools that are trained.
        unseen: Tools that are only asked for.
        request: Draws a conversation that asks for a tool, on either side of the split.
        no_call: Draws one that asks for none.
    """

    share: float
    no_call_share: float
    seen: Sequence[ToolT]
    unseen: Sequence[ToolT]
    request: Callable[[Random, ToolT, bool], Request]
    no_call: Callable[[Random, bool], Request]

    name: ClassVar[str] = "tool_use"

    def training_example(self, random: Random) -> Example:
        """Ask for a tool in training wordings with training values.

        Args:
            random: Source of randomness.

        Returns:
            The example.
        """
        if random.random() < self.no_call_share:
            return _example("no_call", self.no_call(random, False))
        return _example("seen", self.request(random, random.choice(self.seen), False))

    def items(self, random: Random, n: int) -> list[Example]:
        """Ask for tools in held-out wordings with held-out values.

        Args:
            random: Source of randomness.
            n: How many; 6 of 11 want a trained tool, 3 want none, 2 want a tool never trained on.

        Returns:
            The examples.
        """
        num_no_call, num_unseen = n * 3 // 11, n * 2 // 11
        num_seen = n - num_no_call - num_unseen
        examples: list[Example] = []
        for index in range(n):
            if num_seen <= index < num_seen + num_no_call:
                examples.append(_example("no_call", self.no_call(random, True)))
                continue
            group, pool = ("seen", self.seen) if index < num_seen else ("unseen", self.unseen)
            examples.append(_example(group, self.request(random, pool[index % len(pool)], True)))
        return examples


def _example(group: str, request: Request) -> Example:
    expected = [
        {"name": name, "arguments": {key: [value] for key, value in arguments.items()}}
        for name, arguments in request.calls
    ]
    reply = "\n".join(format_call(*call) for call in request.calls) or request.words
    facts = {"group": group, "tools": request.tools, "expected": expected}
    return Example(messages=request.messages, reply=reply, facts=facts)


def format_call(name: str, arguments: dict[str, Any]) -> str:
    """Write a call as the model shall write it.

    Args:
        name: The tool.
        arguments: Its arguments.

    Returns:
        `<tool_call>{...}</tool_call>`.
    """
    return f"<tool_call>{json.dumps({'name': name, 'arguments': arguments})}</tool_call>"
