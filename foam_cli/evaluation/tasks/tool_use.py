"""Calling the right tool with the right arguments, and none where none is needed."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from foam_cli.core.files import sha256_json
from foam_cli.core.metric import Metric, TaskResult
from foam_cli.evaluation.calls import Call, parse_calls
from foam_cli.evaluation.items import Item, accuracy, pick, prompt_text, replies_to
from foam_cli.evaluation.json_schema import equal, matches
from foam_cli.evaluation.subject import Progress, Subject


@dataclass(frozen=True, kw_only=True)
class ToolUse:
    """Greedy replies, scored strictly: a reply that calls may hold nothing but calls.

    Attributes:
        num_items: How many prompts, or None for all.
        max_new_tokens: Longest reply.
    """

    num_items: int | None
    max_new_tokens: int

    name: ClassVar[str] = "tool_use"
    items_from: ClassVar[str | None] = "skills.tool_use"
    role: ClassVar[str] = "learnt"

    def run(self, subject: Subject, items: list[Item] | None, progress: Progress = None) -> TaskResult:
        """Ask.

        Args:
            subject: Who is asked.
            items: Each with `id`, `messages`, `group` (`seen`, `unseen` or `no_call`), `tools` (name and JSON
                Schema of the parameters) and `expected` (calls, each argument with its accepted values).
            progress: Told how many prompts are answered.

        Returns:
            `parse_rate`, `name_acc` and `full_call_acc` for tools that training showed, the same with the
            prefix `unseen_` for others, and `no_call_acc` for prompts that need no tool.
        """
        asked = pick(items, self.num_items, self.name)
        replies = replies_to(subject, asked, self.max_new_tokens, progress)
        rows = [score_reply(item, reply) for item, reply in zip(asked, replies, strict=True)]
        return TaskResult(
            task=self.name,
            metrics=_metrics(rows),
            items=rows,
            recipe="greedy, the whole reply is one call: JSON, then schema, then accepted values",
            data_sha256=sha256_json(asked),
            primary="full_call_acc",
        )


def _metrics(rows: Sequence[Item]) -> dict[str, Metric]:
    metrics: dict[str, Metric] = {}
    for group, prefix in (("seen", ""), ("unseen", "unseen_")):
        members = [row for row in rows if row["group"] == group]
        if not members:
            continue
        metrics[f"{prefix}full_call_acc"] = accuracy(members)
        metrics[f"{prefix}name_acc"] = accuracy(members, "names_right")
        metrics[f"{prefix}parse_rate"] = accuracy(members, "parsed")
    no_call = [row for row in rows if row["group"] == "no_call"]
    return {**metrics, "no_call_acc": accuracy(no_call)} if no_call else metrics


def score_reply(item: Item, reply: str) -> Item:
    """Judge one reply.

    Args:
        item: The item that was asked.
        reply: What the model said.

    Returns:
        The scored item.
    """
    calls = parse_calls(reply)
    names = [call["name"] for call in calls or []]
    if item["expected"]:
        correct = calls is not None and _right(calls, item)
    else:
        correct = bool(reply.strip()) and "<tool_call>" not in reply
    return {
        "id": item["id"],
        "prompt": prompt_text(item["messages"]),
        "answer": reply,
        "expected": _expected_text(item["expected"]),
        "correct": correct,
        "group": item["group"],
        "parsed": calls is not None,
        "names_right": bool(names) and names == [call["name"] for call in item["expected"]],
        "in_primary": item["group"] == "seen",
    }


def _right(calls: Sequence[Call], item: Item) -> bool:
    schemas: dict[str, Any] = {tool["name"]: tool["parameters"] for tool in item["tools"]}
    return len(calls) == len(item["expected"]) and all(
        call["name"] == wanted["name"]
        and matches(call["arguments"], schemas[wanted["name"]])
        and _accepted(call["arguments"], wanted["arguments"])
        for call, wanted in zip(calls, item["expected"], strict=True)
    )


def _accepted(given: dict[str, Any], wanted: dict[str, list[Any]]) -> bool:
    return given.keys() == wanted.keys() and all(
        any(equal(value, accepted) for accepted in wanted[key]) for key, value in given.items()
    )


def _expected_text(expected: Sequence[Call]) -> str:
    if not expected:
        return "(no tool call)"
    calls = [
        {"name": call["name"], "arguments": {key: values[0] for key, values in call["arguments"].items()}}
        for call in expected
    ]
    return "\n".join(f"<tool_call>{json.dumps(call, ensure_ascii=False)}</tool_call>" for call in calls)
