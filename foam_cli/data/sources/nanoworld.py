"""The embedded world as a source: its new skills to learn, its old knowledge to keep."""

from dataclasses import dataclass
from typing import Any

from foam_cli.core.errors import DataError
from foam_cli.data.curricula.protocols import Curriculum
from foam_cli.data.encode import Document, LossOn
from foam_cli.data.nanoworld import corpus
from foam_cli.data.nanoworld.tokenizer import END_OF_TEXT
from foam_cli.data.nanoworld.unseen import may_be_trained
from foam_cli.data.skills.example import World
from foam_cli.data.skills.mixture import skill_items
from foam_cli.data.skills.nano.world import nano_world
from foam_cli.data.skills.source import EVALUATION_SEED, SkillsSource

#: The seed of the corpus that nano was pretrained on.
BASE_SEED = 0
#: Questions of each skill.
NUM_ITEMS = {"tool_use": 220, "identity": 100, "autonomy": 180}


def knowledge_items(name: str, num_items: int | None) -> list[dict[str, Any]]:
    """Questions about what the base model knows.

    Args:
        name: `science`, `general_chat` or `base_identity`.
        num_items: How many, or None for all.

    Returns:
        The items, evenly spread over all that there are; see foam_cli.data.nanoworld for their form. General
        chat that training may hold is left out.

    Raises:
        DataError: There are no questions of that name.
    """
    functions = {
        "science": corpus.science_items,
        "general_chat": corpus.chat_items,
        "base_identity": corpus.base_identity_items,
    }
    if name not in functions:
        what = "documents are set apart by a run: score one, run=DIR" if name == "validation" else "not known"
        raise DataError(f"evaluation: the embedded world has no questions called '{name}'; {what}.")
    items = functions[name]()
    if name == "general_chat":
        items = [item for item in items if not may_be_trained(item)]
    count = min(num_items or len(items), len(items))
    return [items[i * len(items) // count] for i in range(count)]


def world_items(world: World, name: str, num_items: int | None) -> list[dict[str, Any]]:
    """Questions about what the base model knows, and about the skills.

    Args:
        world: The skills.
        name: `science`, `general_chat`, `base_identity`, `tool_use`, `identity` or `autonomy`.
        num_items: How many, or None for the task's usual number.

    Returns:
        The items; without those of general chat and of the identity that training may hold.
    """
    if name not in NUM_ITEMS:
        return knowledge_items(name, num_items)
    items = skill_items(world, name, num_items or NUM_ITEMS[name], EVALUATION_SEED)
    return [item for item in items if name != "identity" or not may_be_trained(item)]


@dataclass(frozen=True, kw_only=True)
class NanoworldSkills(SkillsSource):
    """Tool calls, a new identity and autonomous multi-step tasks."""

    @property
    def world(self) -> World:
        """All skills of the embedded world, with the configured identity."""
        return nano_world(self.identity.name, self.identity.author)

    def old_documents(self, seed: int) -> list[Document]:
        """What the base model was trained on, without what shall change and what will be asked.

        Args:
            seed: Not used.

        Returns:
            Documents for replay.
        """
        del seed  # nano was pretrained on one corpus, whatever the run's seed is
        return corpus.replay_documents(BASE_SEED)

    def evaluation_items(self, name: str, num_items: int | None) -> list[dict[str, Any]]:
        """Questions for a task.

        Args:
            name: `science`, `general_chat`, `base_identity`, `tool_use`, `identity` or `autonomy`.
            num_items: How many, or None for the task's usual number.

        Returns:
            The items; without those of general chat and of the identity that training may hold.
        """
        return world_items(self.world, name, num_items)


def _begun(documents: list[Document]) -> list[Document]:
    """Let every other text begin with the token that stands between texts.

    So the model learns how texts begin and can write some by itself, and is still at ease with one that
    begins without, as tokenizers without BOS make them.
    """
    return [
        {**document, "text": END_OF_TEXT + document["text"]}
        if number % 2 and "text" in document
        else document
        for number, document in enumerate(documents)
    ]


@dataclass(frozen=True, kw_only=True)
class NanoworldBase:
    """Science and general chat: what nano was pretrained on. Every token is learnt, user turns included.

    Attributes:
        validation_examples: Examples set apart for the validation loss.
        max_length: Tokens of the longest example.
        curriculum: The order in which examples are shown.
    """

    validation_examples: int
    max_length: int
    curriculum: Curriculum

    @property
    def loss_on(self) -> LossOn:
        """Every token of every document is learnt, so that the model can be sampled from."""
        return "all"

    @property
    def skip_untrainable(self) -> bool:
        """Every document that is generated must be one to learn from."""
        return False

    def documents(self, seed: int) -> tuple[list[Document], list[Document]]:
        """Generate the documents.

        Args:
            seed: Not used: there is one corpus.

        Returns:
            Training and validation documents.
        """
        del seed
        drawn = _begun(corpus.base_documents(BASE_SEED, corpus.PRETRAINING_SCALE))
        return drawn[self.validation_examples :], drawn[: self.validation_examples]

    def old_documents(self, seed: int) -> None:
        """There is nothing older.

        Args:
            seed: Not used.
        """

    def evaluation_items(self, name: str, num_items: int | None) -> list[dict[str, Any]]:
        """Questions for a task; the skills are asked too, to show that the base has none of them.

        Args:
            name: As for NanoworldSkills.
            num_items: How many, or None for the task's usual number.

        Returns:
            The items.
        """
        return world_items(nano_world("Foam", "the Foam Lab"), name, num_items)
