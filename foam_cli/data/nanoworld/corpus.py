"""Everything the base model learns from, what of it may be replayed, and what it is asked.

Documents are plain dicts: `{"text"}` or `{"messages"}`, with a `kind`, and `facts` where they state or ask
facts.
"""

from typing import Any

from foam_cli.core.seeds import rng
from foam_cli.data.nanoworld import chat, drills, persona, science

NUM_CHAT_DOCUMENTS = 14_000
NUM_DRILL_DOCUMENTS = 4_000
IDENTITY_REPEATS = 8
MAKER_REPEATS = 2
PRETRAINING_SCALE = 8
"""nano was pretrained on so many times the corpus: facts repeat, values in chat and drills are new."""
CHAT_ITEMS_PER_KIND = 20


def base_documents(seed: int, scale: int = 1) -> list[dict[str, Any]]:
    """Write the corpus that the base model is pretrained on, or a part of it.

    Args:
        seed: Chooses wordings, values and the order; the facts are always the same.
        scale: How many times as much of everything. A larger corpus contains the smaller.

    Returns:
        The documents, shuffled.
    """
    documents = [
        *science.statement_documents(seed) * scale,
        *science.question_documents() * scale,
        *chat.chat_documents(seed, NUM_CHAT_DOCUMENTS * scale),
        *drills.drill_documents(seed, NUM_DRILL_DOCUMENTS * scale),
        *persona.identity_documents(seed, IDENTITY_REPEATS * scale),
        *persona.maker_documents(seed, MAKER_REPEATS * scale),
    ]
    rng(seed, "corpus order").shuffle(documents)
    return documents


def replay_documents(seed: int) -> list[dict[str, Any]]:
    """Pick what may be replayed while new skills are trained.

    Left out are the base identity, which training is meant to overwrite, and every document about a fact that
    the evaluation asks: what is measured as kept was never shown again. Drills are no knowledge, so they are
    left out too.

    Args:
        seed: As in `base_documents`.

    Returns:
        The documents, in the order of the corpus.
    """
    evaluated = {fact.id for fact in science.facts() if not fact.asked}
    left_out = {"base_identity", *drills.KINDS}
    return [
        document
        for document in base_documents(seed)
        if document["kind"] not in left_out and evaluated.isdisjoint(document.get("facts", ()))
    ]


def science_items() -> list[dict[str, Any]]:
    """Ask for the facts that training never asks for.

    Returns:
        Multiple-choice items `{"id", "question", "choices": {"text", "label"}, "answerKey"}`.
    """
    return science.science_items(science.WORLD_SEED)


def chat_items() -> list[dict[str, Any]]:
    """Ask for general abilities with held-out values.

    Returns:
        Items `{"id", "messages", "expected", "group"}`.
    """
    return chat.chat_items(science.WORLD_SEED, CHAT_ITEMS_PER_KIND)


def base_identity_items() -> list[dict[str, Any]]:
    """Ask the base identity; not a part of general chat, because training overwrites it.

    Returns:
        Items of the same form.
    """
    return persona.identity_items()
