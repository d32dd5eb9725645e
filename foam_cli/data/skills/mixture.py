"""The skills of a world as one training set, and as evaluation items."""

from typing import Any

from foam_cli.core.seeds import rng
from foam_cli.data.skills.example import World, assistant


def skill_documents(world: World, seed: int, num_examples: int) -> list[dict[str, Any]]:
    """Mix the skills in their shares.

    Args:
        world: The skills.
        seed: Chooses examples and order.
        num_examples: How many examples in all; rounding is to the last skill's account.

    Returns:
        Documents `{"messages", "kind"}`, shuffled.
    """
    counts = [round(num_examples * skill.share) for skill in world[:-1]]
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
