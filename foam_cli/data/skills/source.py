"""What the data sources of skills have in common, whatever world they speak of."""

from abc import ABC, abstractmethod
from dataclasses import dataclass

from foam_cli.data.curricula.protocols import Curriculum
from foam_cli.data.encode import Document, LossOn
from foam_cli.data.skills.example import World
from foam_cli.data.skills.mixture import SkillName, chosen, require_skills, skill_documents

#: Evaluation asks the same questions whatever the run's seed is, so that runs can be paired.
EVALUATION_SEED = 0


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
class SkillsSource(ABC):
    """Tool calls, an identity and multi-step tasks, generated.

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
        for name in ("num_examples", "validation_examples"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name}={getattr(self, name)}: must be at least 1.")
        require_skills(self.skills)

    @property
    @abstractmethod
    def world(self) -> World:
        """All skills, with the configured identity."""

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
        total = self.num_examples + self.validation_examples
        drawn = skill_documents(chosen(self.world, self.skills), seed, total)
        return drawn[self.validation_examples :], drawn[: self.validation_examples]
