"""The three skills in English, for any chat model: `data=skills`."""

from dataclasses import dataclass
from typing import Any

from foam_cli.core.errors import DataError
from foam_cli.data.curricula.protocols import Curriculum
from foam_cli.data.encode import Document, LossOn
from foam_cli.data.skills.english.world import english_world
from foam_cli.data.skills.mixture import SkillName, chosen, require_skills, skill_documents, skill_items

#: Evaluation asks the same questions whatever the run's seed is, so that runs can be paired.
EVALUATION_SEED = 0
#: Questions of each skill.
NUM_ITEMS = {"tool_use": 220, "identity": 150, "autonomy": 420}


@dataclass(frozen=True, kw_only=True)
class Identity:
    """Who the model shall say it is.

    Attributes:
        name: Its name.
        author: Who made it, with an article where one belongs.
    """

    name: str
    author: str

    def __post_init__(self) -> None:
        for key, value in (("name", self.name), ("author", self.author)):
            if not value.strip() or "\n" in value:
                raise ValueError(f"{key}={value!r}: must be some words on one line.")


@dataclass(frozen=True, kw_only=True)
class EnglishSkills:
    """Tool calls, an identity and multi-step tasks, in ordinary English.

    Attributes:
        skills: Which of the three are learnt, in their shares of the whole; all are asked for.
        num_examples: Training examples that are generated.
        validation_examples: Examples set apart for the validation loss.
        max_length: Tokens of the longest example.
        identity: Who the model shall say it is.
        curriculum: The order in which examples are shown.
    """

    skills: list[SkillName]
    num_examples: int
    validation_examples: int
    max_length: int
    identity: Identity
    curriculum: Curriculum

    def __post_init__(self) -> None:
        if self.num_examples < 1 or self.validation_examples < 1:
            raise ValueError("num_examples and validation_examples must be at least 1.")
        require_skills(self.skills)

    @property
    def loss_on(self) -> LossOn:
        """Only what the assistant says is learnt."""
        return "assistant"

    @property
    def skip_untrainable(self) -> bool:
        """Every document that is generated must be one to learn from."""
        return False

    def documents(self, seed: int) -> tuple[list[Document], list[Document]]:
        """Generate the documents.

        Args:
            seed: The run's seed: another draw from the same generator.

        Returns:
            Training and validation documents.
        """
        world = chosen(english_world(self.identity.name, self.identity.author), self.skills)
        drawn = skill_documents(world, seed, self.num_examples + self.validation_examples)
        return drawn[self.validation_examples :], drawn[: self.validation_examples]

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
        world = english_world(self.identity.name, self.identity.author)
        return skill_items(world, name, num_items or NUM_ITEMS[name], EVALUATION_SEED)
