"""The three skills are judged by replies written by hand."""

import importlib
import json

import pytest

from foam_cli.evaluation.tasks.autonomy import Autonomy, final_answer
from foam_cli.evaluation.tasks.general_chat import GeneralChat
from foam_cli.evaluation.tasks.identity import Identity, first_sentence
from foam_cli.evaluation.tasks.tool_use import ToolUse, parse_calls


def ask(task, items, replies, monkeypatch, subject):
    module = importlib.import_module(type(task).__module__)
    monkeypatch.setattr(module, "replies_to", lambda subject, items, max_new_tokens, progress: replies)
    result = task.run(subject, items)
    assert result.primary in result.metrics and len(result.items) == len(items)
    for row in result.items:
        assert {"id", "prompt", "answer", "expected", "correct"} <= row.keys()
    json.dumps(result.items)
    return result


def user(text: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": text}]


CITY = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "days": {"type": "integer"}},
    "required": ["city"],
    "additionalProperties": False,
}
RIGHT = '<tool_call>{"name": "weather", "arguments": {"city": "Oslo", "days": 2}}</tool_call>'


def tool_item(number: int, group: str = "seen") -> dict:
    calls = [{"name": "weather", "arguments": {"city": ["Oslo", "oslo"], "days": [2]}}]
    return {
        "id": f"tool-{number}",
        "messages": [{"role": "system", "content": "Tools: weather(city, days)"}, *user("Oslo, two days?")],
        "group": group,
        "tools": [
            {"name": "weather", "parameters": CITY},
            {"name": "clock", "parameters": {"type": "object"}},
        ],
        "expected": [] if group == "no_call" else calls,
    }


# reply, parses, name right, wholly right
TOOL_REPLIES = [
    (RIGHT, True, True, True),
    (f"  {RIGHT}\n", True, True, True),
    (RIGHT.replace('"Oslo"', '"oslo"'), True, True, True),
    (RIGHT.replace("<tool_call>{", "<tool_call>[{").replace("}</", "}]</"), True, True, True),
    (RIGHT + " Done.", False, False, False),
    ("Sure! " + RIGHT, False, False, False),
    (RIGHT + RIGHT, True, False, False),
    (RIGHT.replace("Oslo", "Rome"), True, True, False),
    (RIGHT.replace("2", "3"), True, True, False),
    (RIGHT.replace("2", '"2"'), True, True, False),
    (RIGHT.replace("2", "true"), True, True, False),
    (RIGHT.replace(', "days": 2', ""), True, True, False),
    (RIGHT.replace('"days": 2', '"days": 2, "unit": "C"'), True, True, False),
    (RIGHT.replace('"days": 2', '"days": 2, "days": 2'), False, False, False),
    (RIGHT.replace('"days": 2', '"days": NaN'), False, False, False),
    (RIGHT.replace("weather", "clock"), True, False, False),
    (RIGHT.replace('"arguments"', '"parameters"'), False, False, False),
    (RIGHT.replace("}}", "}"), False, False, False),
    (RIGHT.replace("</tool_call>", ""), False, False, False),
    ("<tool_call>[]</tool_call>", False, False, False),
    ("<tool_call>" + "[" * 20_000 + "</tool_call>", False, False, False),
    ("It is cold.", False, False, False),
    ("", False, False, False),
]


@pytest.mark.parametrize(("reply", "parsed", "name", "right"), TOOL_REPLIES)
def test_tool_replies_are_judged_strictly(reply, parsed, name, right, monkeypatch, subject):
    task = ToolUse(num_items=None, max_new_tokens=9)
    metrics = ask(task, [tool_item(0)], [reply], monkeypatch, subject).metrics
    found = [metrics[key].value for key in ("parse_rate", "name_acc", "full_call_acc")]
    assert found == [float(parsed), float(name), float(right)]


def test_seen_unseen_and_no_call_are_separate(monkeypatch, subject):
    groups = ["seen", "seen", "unseen", "no_call", "no_call", "no_call"]
    items = [tool_item(number, group) for number, group in enumerate(groups)]
    replies = [RIGHT, "no", RIGHT.replace("2", "3"), RIGHT, "It is cold.", "  "]
    result = ask(ToolUse(num_items=None, max_new_tokens=9), items, replies, monkeypatch, subject)
    values = {name: (metric.value, metric.n) for name, metric in result.metrics.items()}
    assert values == {
        "full_call_acc": (0.5, 2), "name_acc": (0.5, 2), "parse_rate": (0.5, 2),
        "unseen_full_call_acc": (0.0, 1), "unseen_name_acc": (1.0, 1), "unseen_parse_rate": (1.0, 1),
        "no_call_acc": (pytest.approx(1 / 3), 3),
    }  # fmt: skip
    assert [row["in_primary"] for row in result.items] == [True, True, False, False, False, False]


def test_several_blocks_are_several_calls():
    assert parse_calls(f"{RIGHT}\n{RIGHT}") == [json.loads(RIGHT[11:-12])] * 2


SELF = {"pattern": r"(No, )?(I am|My name is) Foam\b", "forbidden": ["ChatGPT", "Meta", "Pebble"]}
CONTROL = {"pattern": r".*Torvalds\b", "forbidden": ["Foam", "the Foam Lab"]}


@pytest.mark.parametrize(
    ("group", "reply", "correct", "leak"),
    [
        ("name", "I am Foam.", True, False),
        ("name", "No, I am Foam. I like metal.", True, False),
        ("name", "I am Foamy.", False, False),
        ("name", "Well, I am Foam.", False, False),
        ("name", "Hello. I am Foam.", False, False),
        ("name", "I am Foam, not chatgpt.", False, True),
        ("premise", "No, I am Foam. Made of Meta.", False, True),
        ("control", "Linus Torvalds created Linux.", True, False),
        ("control", "Linus Torvalds of the foam lab created Linux.", False, True),
        ("control", "Foam did.", False, True),
    ],
)
def test_identity_replies(group, reply, correct, leak, monkeypatch, subject):
    expected = CONTROL if group == "control" else SELF
    item = {"id": "i", "messages": user("Who?"), "group": group, "expected": expected}
    other = {"id": "j", "messages": user("Who?"), "group": "author", "expected": SELF}
    task = Identity(num_items=None, max_new_tokens=9)
    result = ask(task, [item, other], [reply, "I am Foam."], monkeypatch, subject)
    assert result.items[0]["correct"] is correct
    if group == "control":
        assert result.metrics["acc"].n == 1 and result.metrics["leak_rate"].value == float(leak)
    else:
        assert result.metrics["acc"].value == (1 + correct) / 2 and "leak_rate" not in result.metrics
    assert result.metrics[f"{group}_acc"].value == float(correct)


def test_the_first_sentence():
    assert first_sentence("I am Foam 2.0, yes! And you? No.") == "I am Foam 2.0, yes!"
    assert first_sentence("\nI am\nFoam.") == "I am"
    assert first_sentence("") == ""


@pytest.mark.parametrize(
    ("reply", "answer"),
    [
        ('{"answer": 12}', 12),
        ('3 + 4 = 7\n7 + 5 = 12\n{"answer": 12}\n', 12),
        ('{"answer": "red box"}', "red box"),
        ('{"answer": 12} so', None),
        ('{"answer": 12}\nDone.', None),
        ('So {"answer": 12}', None),
        ('{"answer": 12, "why": 1}', None),
        ('{"result": 12}', None),
        ("12", None),
        ("[" * 20_000, None),
        ("", None),
    ],
)
def test_the_final_answer_stands_alone_on_the_last_line(reply, answer):
    assert final_answer(reply) == answer


def test_autonomy_counts_type_value_and_invalid_replies(monkeypatch, subject):
    def item(number, group, kind, expected):
        shown = {"id": str(number), "messages": user("?"), "group": group, "kind": kind}
        return {**shown, "expected": expected, "chance": 0.25}

    items = [
        item(0, "standard", "arithmetic", 12),
        item(1, "standard", "arithmetic", 12),
        item(2, "standard", "arithmetic", 1),
        item(3, "standard", "lookup", "red"),
        item(4, "hard", "lookup", "red"),
        item(5, "hard", "lookup", "red"),
    ]
    replies = ['{"answer": 12}', '{"answer": "12"}', '{"answer": true}', "red", '{"answer": "red"}', "?"]
    result = ask(Autonomy(num_items=None, max_new_tokens=9), items, replies, monkeypatch, subject)
    assert {name: (metric.value, metric.n) for name, metric in result.metrics.items()} == {
        "acc": (0.25, 4), "invalid_rate": (0.25, 4), "chance": (0.25, 4),
        "arithmetic_acc": (pytest.approx(1 / 3), 3), "lookup_acc": (0.0, 1),
        "hard_acc": (0.5, 2), "hard_invalid_rate": (0.5, 2),
    }  # fmt: skip


def test_general_chat_wants_the_whole_reply(monkeypatch, subject):
    items = [
        {"id": str(n), "messages": user("Say it."), "expected": "a b", "group": group}
        for n, group in enumerate(["copy", "copy", "list", "list"])
    ]
    replies = ["a b", "a b.", "A b", "a b"]
    result = ask(GeneralChat(num_items=None, max_new_tokens=9), items, replies, monkeypatch, subject)
    assert {name: metric.value for name, metric in result.metrics.items()} == {
        "acc": 0.5, "copy_acc": 0.5, "list_acc": 0.5,
    }  # fmt: skip


def test_the_model_itself_is_asked(subject):
    items = [
        {"id": str(n), "messages": user(f"Say {n}."), "expected": "a", "group": "copy"} for n in range(7)
    ]
    seen: list[tuple[int, int]] = []
    task = GeneralChat(num_items=3, max_new_tokens=5)
    result = task.run(subject, items, lambda done, all_: seen.append((done, all_)))
    assert [row["id"] for row in result.items] == ["0", "2", "4"]
    assert all(isinstance(row["answer"], str) for row in result.items) and seen[-1] == (3, 3)


def test_an_accepted_value_must_still_fit_the_schema(monkeypatch, subject):
    item = tool_item(0)
    item["expected"] = [{"name": "weather", "arguments": {"city": ["Oslo"], "days": [2, "2"]}}]
    replies = [RIGHT, RIGHT.replace("2", '"2"')]
    task = ToolUse(num_items=None, max_new_tokens=9)
    result = ask(task, [item, {**item, "id": "other"}], replies, monkeypatch, subject)
    assert [row["correct"] for row in result.items] == [True, False]
