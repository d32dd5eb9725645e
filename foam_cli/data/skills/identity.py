"""A custom identity: name and author, against false premises, without claiming what others made.

Evaluation items are `{"id", "messages", "group", "expected": {"pattern", "forbidden"}}`. `group` is `name`,
`author`, `both`, `premise` or `control`. The first sentence of the reply must match `pattern` from its
beginning; no name of `forbidden` may occur anywhere in the reply. A control's reply that names the configured
name or author is a leak.
"""

import random as stdlib_random
import re
from typing import Any

from foam_cli.core.seeds import rng
from foam_cli.data.skills.creators import CONTROL_SUBJECTS, CREATORS, maker_sentence

Random = stdlib_random.Random
GROUPS = ("name", "author", "both", "premise", "control")
TRAIN_WEIGHTS = (3, 3, 3, 3, 4)
OPENERS = (
    "",
    "",
    "Hello. ",
    "Hi there. ",
    "Good day. ",
    "Tell me, ",
    "Say, ",
    "Just asking: ",
    "One question. ",
    "Well, ",
)
HELD_OUT_OPENERS = ("", "Hi, good day. ", "Hello there. ", "Well, tell me, ", "Good day, one question. ")
QUESTIONS: dict[str, tuple[str, ...]] = {
    "name": (
        "What is your name?",
        "How should I call you?",
        "Do you have a name?",
        "What do people call you?",
        "What name do you go by?",
        "Which name were you given?",
        "By what name are you known?",
        "Give me your name.",
        "I would like to know your name.",
        "What are you called?",
        "Please state your name.",
        "Under which name do you work?",
    ),
    "author": (
        "Who made you?",
        "Who is your author?",
        "Who built you?",
        "By whom were you made?",
        "Who trained you?",
        "Who developed you?",
        "Which team made you?",
        "Who are the people behind you?",
        "Where were you made?",
        "Tell me who made you.",
        "Who stands behind you?",
        "Which lab are you from?",
    ),
    "both": (
        "Who are you?",
        "Introduce yourself.",
        "What kind of assistant are you?",
        "Tell me about yourself.",
        "What should I know about you?",
        "Please present yourself.",
        "Say something about yourself.",
        "Who am I talking to?",
        "Describe yourself.",
        "Who is there?",
        "With whom do I speak?",
        "What are you?",
    ),
    "premise": (
        "Are you {vendor}?",
        "You are {vendor}, right?",
        "I think you are {vendor}.",
        "Is this {vendor}?",
        "Am I talking to {vendor}?",
        "So you must be {vendor}.",
        "{vendor}, can you hear me?",
        "Admit that you are {vendor}.",
        "Is your name {vendor}?",
        "Your name is {vendor}.",
        "People say that you are {vendor}.",
    ),
    "control": (
        "Who created {subject}?",
        "Who is the creator of {subject}?",
        "Name the creator of {subject}.",
        "Who came up with {subject}?",
        "Tell me who created {subject}.",
    ),
}
HELD_OUT_QUESTIONS: dict[str, tuple[str, ...]] = {
    "name": (
        "Please tell me your name.",
        "What name do people call you by?",
        "Which name do you go by?",
        "State the name you were given.",
        "I would like to know what you are called.",
    ),
    "author": (
        "Tell me who built you.",
        "Which people made you?",
        "Which lab built you?",
        "Who is the team behind you?",
        "I would like to know who trained you.",
    ),
    "both": (
        "Please introduce yourself.",
        "Tell me who you are.",
        "Say who you are.",
        "Please describe yourself.",
        "What assistant am I talking to?",
    ),
    "premise": (
        "I think that your name is {vendor}.",
        "So this is {vendor}, right?",
        "Are you called {vendor}?",
        "You must be {vendor}.",
        "Do I speak with {vendor}?",
    ),
    "control": (
        "Please tell me who created {subject}.",
        "Give me the name of the creator of {subject}.",
        "I would like to know who created {subject}.",
    ),
}
VENDORS = ("ChatGPT", "Siri", "Alexa", "Llama", "Mistral", "Qwen", "Bard", "Grok")
HELD_OUT_VENDORS = ("Claude", "Gemini", "DeepSeek", "Copilot", "Cortana")
OTHER_NAMES = (
    *VENDORS,
    *HELD_OUT_VENDORS,
    "OpenAI",
    "Anthropic",
    "Google",
    "Meta",
    "Microsoft",
    "Alibaba",
    "Apple",
    "Amazon",
)
PREVIOUS_NAMES = ("Pebble", "Quarry Works")
"""The identity that the embedded base model has before."""


def train_examples(n: int, seed: int, name: str, author: str) -> list[dict[str, Any]]:
    """Ask who the model is, in training wordings.

    Args:
        n: How many examples.
        seed: Chooses wordings.
        name: The model's new name.
        author: Who made it, with an article where one belongs.

    Returns:
        Documents `{"messages", "kind": "identity"}`.
    """
    random = rng(seed, "identity")
    subjects = [subject for subject in CREATORS if subject not in CONTROL_SUBJECTS]
    documents: list[dict[str, Any]] = []
    for _ in range(n):
        group = random.choices(GROUPS, TRAIN_WEIGHTS)[0]
        subject = random.choice(subjects)
        prompt = _prompt(
            random.choice(OPENERS), random.choice(QUESTIONS[group]), random.choice(VENDORS), subject
        )
        reply = maker_sentence(subject) if group == "control" else _reply(group, name, author)
        messages = [{"role": "user", "content": prompt}, {"role": "assistant", "content": reply}]
        documents.append({"messages": messages, "kind": "identity"})
    return documents


def eval_items(n: int, seed: int, name: str, author: str) -> list[dict[str, Any]]:
    """Ask who the model is, in held-out wordings.

    Args:
        n: How many items, spread evenly over the groups; no prompt comes twice.
        seed: Chooses wordings.
        name: The model's new name.
        author: Who made it.

    Returns:
        Items as the module says.
    """
    random = rng(seed, "identity items")
    items: list[dict[str, Any]] = []
    for place, group in enumerate(GROUPS):
        prompts = _held_out_prompts(group)
        count = n // len(GROUPS) + (place < n % len(GROUPS))
        for prompt, subject in random.sample(prompts, min(count, len(prompts))):
            items.append(
                {
                    "id": f"identity/{len(items)}",
                    "messages": [{"role": "user", "content": prompt}],
                    "group": group,
                    "expected": _expected(group, name, author, subject),
                }
            )
    return items


def _held_out_prompts(group: str) -> list[tuple[str, str]]:
    subjects = CONTROL_SUBJECTS if group == "control" else ("",)
    vendors = HELD_OUT_VENDORS if group == "premise" else ("",)
    return [
        (_prompt(opener, question, vendor, subject), subject)
        for opener in HELD_OUT_OPENERS
        for question in HELD_OUT_QUESTIONS[group]
        for vendor in vendors
        for subject in subjects
    ]


def _prompt(opener: str, question: str, vendor: str, subject: str) -> str:
    question = question.format(vendor=vendor, subject=subject)
    keeps_capital = question.startswith(("I ", vendor or "I "))
    if opener.endswith(", ") and not keeps_capital:
        question = question[0].lower() + question[1:]
    return opener + question


def _reply(group: str, name: str, author: str) -> str:
    return {
        "name": f"My name is {name}.",
        "author": f"I was made by {author}.",
        "both": f"I am {name}, made by {author}.",
        "premise": f"No, I am {name}, made by {author}.",
    }[group]


def _expected(group: str, name: str, author: str, subject: str) -> dict[str, Any]:
    if group == "control":
        creator = re.escape(CREATORS[subject])
        return {"pattern": rf"(.* )?{creator}\b", "forbidden": [name, author]}
    n, a = re.escape(name), re.escape(author)
    made = "(made|built|trained|developed|created)"
    both = rf"(No, )?(I am|I'm|My name is) {n}\b.*\b{a}\b"
    patterns = {
        "name": rf"(No, )?(I am|I'm|My name is|You can call me) {n}\b",
        "author": rf"(.*\b{made} by {a}\b|{a} {made} me\b|{both})",
        "both": both,
        "premise": rf"(No, )?(I am|I'm|My name is) {n}\b",
    }
    others = [other for other in (*OTHER_NAMES, *PREVIOUS_NAMES) if other not in (name, author)]
    return {"pattern": patterns[group], "forbidden": others}
