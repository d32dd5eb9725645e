"""The three skills in English."""

from foam_cli.data.skills.english.autonomy import autonomy
from foam_cli.data.skills.english.identity import identity
from foam_cli.data.skills.english.tool_use import tool_use
from foam_cli.data.skills.example import World


def english_world(name: str, author: str) -> World:
    """Gather the skills.

    Args:
        name: The model's name.
        author: Who made it.

    Returns:
        The world.
    """
    return [tool_use(), identity(name, author), autonomy()]
