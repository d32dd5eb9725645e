"""The three skills as nano learns them."""

from foam_cli.data.skills.example import World
from foam_cli.data.skills.nano.autonomy import autonomy
from foam_cli.data.skills.nano.identity import identity
from foam_cli.data.skills.nano.tool_use import tool_use


def nano_world(name: str, author: str) -> World:
    """Gather the skills.

    Args:
        name: The model's new name.
        author: Who made it.

    Returns:
        The world.
    """
    return [tool_use(), identity(name, author), autonomy()]
