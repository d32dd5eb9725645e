"""The skills of a world as one training set, and as evaluation items."""

from collections.abc import Sequence
from typing import Any, Literal

from foam_cli.core.seeds import rng
from foam_cli.data.skills.example import World, assistant

SkillName = Literal["tool_use", "identity", "autonomy"]


def require_skills(names: Sequence[SkillName]) -> None:
    """Refuse a choice of skills that says nothing, or the same twice.

    Args:
        names: The choice.

    Raises:
        ValueError: It does.
    """
    if not names or len(set(names)) < len(names):
        raise ValueError(f"skills={list(names)}: name each skill that is to be learnt once.")


def chosen(world: World, names: Sequence[SkillName]) -> World:
    """Leave skills out.

    Args:
        world: All skills.
        names: Those that stay.

    Returns:
        They, in the world's order.
    """
    return [skill for skill in world if skill.name in names]


def skill_documents(world: World, seed: int, num_examples: int) -> list[dict[str, Any]]:
    """Mix the skills in their shares.

    Args:
        world: The skills; where some were left out, the others keep their proportions.
        seed: Chooses examples and order.
        num_examples: How many examples in all; rounding is to the last skill's account.

    Returns:
        Documents `{"messages", "kind"}`, shuffled.
    """
    whole = round(sum(skill.share for skill in world), 6)
    counts = [round(num_examples * skill.share / whole) for skill in world[:-1]]
    counts.append(num_examples - sum(counts))
    documents: list[dict[str, Any]] = []
    for skill, count in zip(world, counts, strict=True):
        random = rng(seed, skill.name)
        for _ in range(count):
            example = skill.training_example(random)
            messages = [*example.messages, assistant(example.reply)]
            documents.append({"messages": messages, "kind": skill.name})
    rng(seed, "mixture order").shuffle(documents)
    return documents


def skill_items(world: World, name: str, num_items: int, seed: int) -> list[dict[str, Any]]:
    """Ask for one skill in held-out wordings with held-out values.

    Args:
        world: The skills.
        name: Which of them.
        num_items: How many items.
        seed: Chooses wordings and values.

    Returns:
        Items `{"id", "messages", ...}`; the skill's module says what else they hold.
    """
    skill = next(one for one in world if one.name == name)
    examples = skill.items(rng(seed, f"{name} items"), num_items)
    return [
        {"id": f"{name}/{index}", "messages": example.messages, **example.facts}
        for index, example in enumerate(examples)
    ]
