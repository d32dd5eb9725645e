"""The three skills in English, for any chat model: `data=skills`."""

from dataclasses import dataclass
from typing import Any

from foam_cli.core.errors import DataError
from foam_cli.data.skills.english.world import english_world
from foam_cli.data.skills.example import World
from foam_cli.data.skills.mixture import skill_items
from foam_cli.data.skills.source import EVALUATION_SEED, SkillsSource

#: Questions of each skill.
NUM_ITEMS = {"tool_use": 220, "identity": 150, "autonomy": 420}


@dataclass(frozen=True, kw_only=True)
class EnglishSkills(SkillsSource):
    """Tool calls, an identity and multi-step tasks, in ordinary English."""

    @property
    def world(self) -> World:
        """All skills in English, with the configured identity."""
        return english_world(self.identity.name, self.identity.author)

    def old_documents(self, seed: int) -> None:
        """What an arbitrary model was trained on is not known.

        Args:
            seed: Not used.
        """

    def evaluation_items(self, name: str, num_items: int | None) -> list[dict[str, Any]]:
        """Questions for a task.

        Args:
            name: `tool_use`, `identity` or `autonomy`.
            num_items: How many, or None for the task's usual number.

        Returns:
            The items.

        Raises:
            DataError: There are no questions of that name in English.
        """
        if name not in NUM_ITEMS:
            raise DataError(
                f"evaluation={name}: data=skills has no questions for it; use data=nanoworld, or choose from "
                f"{', '.join(NUM_ITEMS)}."
            )
        return skill_items(self.world, name, num_items or NUM_ITEMS[name], EVALUATION_SEED)
