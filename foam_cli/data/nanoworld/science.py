"""Science about invented materials: 600 facts, their statements, and ARC-shaped questions.

The world is fixed. A third of the facts is never asked in training: these are the evaluation, and whoever
answers them has connected a statement with the form of a question that it only saw for other facts.
"""

from dataclasses import dataclass
from typing import Any

from foam_cli.core.seeds import rng
from foam_cli.data.nanoworld.science_words import ATTRIBUTES, ENDINGS, STEMS, Attribute

WORLD_SEED = 20_240_229
NUM_MATERIALS = 100
NUM_CHOICES = 4
PAIRS_PER_FACT = 3
LABELS = ("A", "B", "C", "D")


@dataclass(frozen=True, kw_only=True)
class Fact:
    """One fact.

    Attributes:
        id: `material/attribute`.
        material: The material's name.
        attribute: Which of its attributes.
        value: The attribute's value.
        asked: Whether training asks for it.
    """

    id: str
    material: str
    attribute: Attribute
    value: str
    asked: bool


def materials() -> list[str]:
    """Name the materials.

    Returns:
        `NUM_MATERIALS` different names.
    """
    names = [stem + ending for stem in STEMS for ending in ENDINGS]
    rng(WORLD_SEED, "materials").shuffle(names)
    return sorted(names[:NUM_MATERIALS])


def facts() -> list[Fact]:
    """List the facts of the world.

    Two of the six attributes of every material are never asked, in turn, so that every attribute and every
    material is asked elsewhere.

    Returns:
        All facts, by material.
    """
    found: list[Fact] = []
    for index, material in enumerate(materials()):
        random = rng(WORLD_SEED, "facts", material)
        for place, attribute in enumerate(ATTRIBUTES):
            found.append(
                Fact(
                    id=f"{material}/{attribute.name}",
                    material=material,
                    attribute=attribute,
                    value=random.choice(attribute.values),
                    asked=(place - index) % len(ATTRIBUTES) >= 2,
                )
            )
    return found


def statement_documents(seed: int) -> list[dict[str, Any]]:
    """State every fact: alone in every wording, and in pairs of facts about one material.

    Args:
        seed: Chooses the pairs and their wordings.

    Returns:
        Documents `{"text", "kind", "facts"}`; `facts` lists the ids of the facts that it states.
    """
    documents: list[dict[str, Any]] = []
    by_material: dict[str, list[Fact]] = {}
    for fact in facts():
        by_material.setdefault(fact.material, []).append(fact)
        documents.extend(_statement([fact], [wording]) for wording in fact.attribute.statements)
    for material, group in by_material.items():
        for asked in (True, False):
            same = [fact for fact in group if fact.asked == asked]
            random = rng(seed, "pairs", material, int(asked))
            for _ in range(PAIRS_PER_FACT * len(same)):
                pair = random.sample(same, 2)
                documents.append(
                    _statement(pair, [random.choice(fact.attribute.statements) for fact in pair])
                )
    return documents


def _statement(stated: list[Fact], wordings: list[str]) -> dict[str, Any]:
    sentences = [w.format(m=fact.material, v=fact.value) for fact, w in zip(stated, wordings, strict=True)]
    return {"text": " ".join(sentences), "kind": "science", "facts": [fact.id for fact in stated]}


def question_documents() -> list[dict[str, Any]]:
    """Ask for every fact that training asks for, in every wording, with the right answer.

    Returns:
        Documents `{"text", "kind", "facts"}` in the form that ARC is scored in.
    """
    documents: list[dict[str, Any]] = []
    for fact in facts():
        if not fact.asked:
            continue
        for wording in fact.attribute.questions:
            text = f"Question: {wording.format(m=fact.material)}\nAnswer: {fact.value}"
            documents.append({"text": text, "kind": "question", "facts": [fact.id]})
    return documents


def science_items(seed: int) -> list[dict[str, Any]]:
    """Ask for the facts that training never asks for.

    Args:
        seed: Chooses wordings, wrong choices and the order of the choices.

    Returns:
        Items `{"id", "question", "choices": {"text", "label"}, "answerKey"}`.
    """
    items: list[dict[str, Any]] = []
    for fact in facts():
        if fact.asked:
            continue
        random = rng(seed, "science item", fact.id)
        others = [value for value in fact.attribute.values if value != fact.value]
        choices = [fact.value, *random.sample(others, NUM_CHOICES - 1)]
        random.shuffle(choices)
        items.append(
            {
                "id": fact.id,
                "question": random.choice(fact.attribute.questions).format(m=fact.material),
                "choices": {"text": choices, "label": list(LABELS)},
                "answerKey": LABELS[choices.index(fact.value)],
            }
        )
    return items
