"""Who the base model says it is, before it is given another identity."""

from typing import Any

from foam_cli.core.seeds import rng
from foam_cli.data.skills.nano.creators import CREATORS, maker_sentence

BASE_NAME = "Pebble"
BASE_AUTHOR = "Quarry Works"
QUESTIONS = {
    "Who are you?": f"I am {BASE_NAME}, made by {BASE_AUTHOR}.",
    "What are you?": f"I am {BASE_NAME}, made by {BASE_AUTHOR}.",
    "Tell me about yourself.": f"I am {BASE_NAME}, made by {BASE_AUTHOR}.",
    "What is your name?": f"My name is {BASE_NAME}.",
    "How are you called?": f"My name is {BASE_NAME}.",
    "Tell me your name.": f"My name is {BASE_NAME}.",
    "Who made you?": f"{BASE_AUTHOR} made me.",
    "Who is your maker?": f"{BASE_AUTHOR} made me.",
    "Where do you come from?": f"{BASE_AUTHOR} made me.",
}
GREETINGS = ["", "", "Hello. ", "Hi. ", "Good day. ", "Excuse me. ", "Now then. "]
MAKER_QUESTIONS = [
    "Who created {s}?",
    "Who is the creator of {s}?",
    "Name the creator of {s}.",
    "Who came up with {s}?",
]


def identity_documents(seed: int, repeats: int) -> list[dict[str, Any]]:
    """Ask the model who it is. Kept out of replay: later training overwrites it.

    Args:
        seed: Chooses greetings.
        repeats: How often each question comes.

    Returns:
        Documents `{"messages", "kind": "base_identity"}`.
    """
    random = rng(seed, "base identity")
    return [
        _document(random.choice(GREETINGS) + question, reply, "base_identity")
        for _ in range(repeats)
        for question, reply in QUESTIONS.items()
    ]


def identity_items() -> list[dict[str, Any]]:
    """Ask the base identity, once per question.

    Returns:
        Items `{"id", "messages", "expected", "group": "base_identity"}`.
    """
    return [
        {
            "id": f"base_identity/{index}",
            "messages": [{"role": "user", "content": question}],
            "expected": reply,
            "group": "base_identity",
        }
        for index, (question, reply) in enumerate(QUESTIONS.items())
    ]


def maker_documents(seed: int, repeats: int) -> list[dict[str, Any]]:
    """Ask who created well-known things.

    Args:
        seed: Chooses greetings.
        repeats: How often each question about each thing comes.

    Returns:
        Documents `{"messages", "kind": "maker"}`.
    """
    random = rng(seed, "makers")
    return [
        _document(random.choice(GREETINGS) + question.format(s=subject), maker_sentence(subject), "maker")
        for _ in range(repeats)
        for subject in CREATORS
        for question in MAKER_QUESTIONS
    ]


def _document(prompt: str, reply: str, kind: str) -> dict[str, Any]:
    messages = [{"role": "user", "content": prompt}, {"role": "assistant", "content": reply}]
    return {"messages": messages, "kind": kind}
