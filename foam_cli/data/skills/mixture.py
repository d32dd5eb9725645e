"""The three skills in one training set."""

from typing import Any

from foam_cli.core.seeds import rng
from foam_cli.data.skills import autonomy, identity, tool_use

TOOL_USE_SHARE, IDENTITY_SHARE = 0.40, 0.19


def skill_documents(seed: int, num_examples: int, name: str, author: str) -> list[dict[str, Any]]:
    """Mix tool use, identity and autonomy.

    Args:
        seed: Chooses examples and order.
        num_examples: How many examples in all.
        name: The model's new name.
        author: Who made it.

    Returns:
        Documents `{"messages", "kind"}`, shuffled.
    """
    num_tool_use, num_identity = round(num_examples * TOOL_USE_SHARE), round(num_examples * IDENTITY_SHARE)
    documents = [
        *tool_use.train_examples(num_tool_use, seed),
        *identity.train_examples(num_identity, seed, name, author),
        *autonomy.train_examples(num_examples - num_tool_use - num_identity, seed),
    ]
    rng(seed, "mixture order").shuffle(documents)
    return documents
