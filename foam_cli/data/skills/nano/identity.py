"""The wordings of nano's identity: one reply per group, so that a small model can learn it."""

import re
from collections.abc import Sequence

from foam_cli.data.skills.example import Message, Random
from foam_cli.data.skills.identity import Identity, Maker, Side
from foam_cli.data.skills.nano.creators import CONTROL_SUBJECTS, CREATORS
from foam_cli.data.words import all_names, is_held_out, word_list

SHARE = 0.19
WEIGHTS = {"name": 3, "author": 3, "both": 3, "premise": 3, "control": 4}
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
# Every way of asking ("Tell me", "Say", "I would like to know") occurs in every kind, or it would tell the
# kind. What is held out is often one of them, with a question that was met in others.
QUESTIONS: dict[str, Sequence[str]] = {
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
        "Tell me what people call you.",
        "Say by what name you are known.",
        "I would like to know how to call you.",
        "Could you say which name you have?",
        "Say the name that people call you by.",
        "Tell me the name you work under.",
        "Give the name by which you are known.",
        "What is the name you were given?",
        "Could you say the name you were given?",
        "Tell me what you are called.",
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
        "Say who developed you.",
        "I would like to know by whom you were made.",
        "Could you say which team made you?",
        "Could you say who trained you?",
        "Say which lab you are from.",
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
        "Tell me what you are.",
        "Say with whom I speak.",
        "I would like to know who is there.",
        "Could you say what kind of assistant you are?",
        "Who is this?",
        "Who is talking?",
        "Tell me who is talking.",
        "I would like to know who this is.",
        "Say who is there.",
        "I would like to know who you are.",
        "Could you say who you are?",
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
        "Tell me if you are {vendor}.",
        "Say that you are {vendor}.",
        "I would like to know if this is {vendor}.",
        "Could you say if I am talking to {vendor}?",
    ),
    "control": (
        "Who created {subject}?",
        "Who is the creator of {subject}?",
        "Name the creator of {subject}.",
        "Who came up with {subject}?",
        "Tell me who created {subject}.",
        "Say who came up with {subject}.",
        "I would like to know who came up with {subject}.",
        "Could you say who created {subject}?",
    ),
}
HELD_OUT_QUESTIONS: dict[str, Sequence[str]] = {
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
ASSISTANTS = ("ChatGPT", "Siri", "Alexa", "Llama", "Mistral", "Qwen", "Bard", "Grok")
HELD_OUT_VENDORS = ("Claude", "Gemini", "DeepSeek", "Copilot", "Cortana")
OTHER_NAMES = (
    *ASSISTANTS,
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
FAMOUS = word_list("Alexander Arthur Edison Graham Hamlet Holmes Larry Mary Nobel Sherlock Thomas William")
PEOPLE = tuple(name for name in all_names() if not is_held_out(name))
# Not only assistants, so that any name is a wrong one; of assistants and the famous as many as of people.
VENDORS = (*(*ASSISTANTS, *FAMOUS) * (len(PEOPLE) // (len(ASSISTANTS) + len(FAMOUS))), *PEOPLE)
PREVIOUS_NAMES = ("Pebble", "Quarry Works")
"""The identity that the embedded base model has before."""


REPLIES: dict[str, Sequence[str]] = {
    "name": ("My name is {name}.",),
    "author": ("I was made by {author}.",),
    "both": ("I am {name}, made by {author}.",),
    "premise": ("No, I am {name}, made by {author}.",),
    "control": ("{maker} created {subject}.",),
}
_MADE = "(made|built|trained|developed|created)"
_BOTH = r"(No, )?(I am|I'm|My name is) {name}\b.*\b{author}\b"
PATTERNS = {
    "name": r"(No, )?(I am|I'm|My name is|You can call me) {name}\b",
    "author": rf"(.*\b{_MADE} by {{author}}\b|{{author}} {_MADE} me\b|{_BOTH})",
    "both": _BOTH,
    "premise": r"(No, )?(I am|I'm|My name is) {name}\b",
    "control": r"(.* )?{maker}\b",
}


def identity(name: str, author: str) -> Identity:
    """Make the skill.

    Args:
        name: The model's new name.
        author: Who made it, with an article where one belongs.

    Returns:
        It.
    """
    subjects = [subject for subject in CREATORS if subject not in CONTROL_SUBJECTS]
    return Identity(
        share=SHARE,
        who=(name, author),
        weights=WEIGHTS,
        training=Side(openers=OPENERS, questions=QUESTIONS, vendors=VENDORS, subjects=subjects),
        held_out=Side(
            openers=HELD_OUT_OPENERS,
            questions=HELD_OUT_QUESTIONS,
            vendors=HELD_OUT_VENDORS,
            subjects=CONTROL_SUBJECTS,
        ),
        replies=REPLIES,
        patterns=PATTERNS,
        makers={
            subject: Maker(who=who, verb="created", written=re.escape(who))
            for subject, who in CREATORS.items()
        },
        other_names=(*OTHER_NAMES, *PREVIOUS_NAMES),
        before=_nothing_before,
    )


def _nothing_before(skill: Identity, random: Random, side: Side) -> list[Message]:
    del skill, random, side
    return []
