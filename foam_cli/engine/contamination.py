"""Before step 0: are the questions of the evaluation in what is trained on or replayed?"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from foam_cli.config import nearest
from foam_cli.core.errors import ConfigError, DataError, FoamError
from foam_cli.core.seen import seen_labels
from foam_cli.data.contamination import Lookup
from foam_cli.data.encode import Document
from foam_cli.engine.examine import Questions, Task

#: Questions from here are the documents that the run itself set apart, which are its own split.
_OWN_SPLIT = "data"


class Watch:
    """Looks the questions of some tasks up in the documents that go by.

    Only what an item itself asks is looked up: the question, or the last turn of the user. System prompts,
    lists of tools, earlier turns and the choices are shared by many items and would raise false alarms. The
    documents that a run sets apart for its validation loss are neither looked up nor searched: they are the
    run's own split, and nothing learns from them.

    Attributes:
        unchecked: Tasks that do not say what they ask.
    """

    def __init__(
        self, tasks: Mapping[str, Task], questions: Questions, *, skip_unreadable: bool = False
    ) -> None:
        """Find out what is asked.

        Args:
            tasks: The tasks, by name.
            questions: Where the built-in questions come from.
            skip_unreadable: A task that cannot read its questions is not looked up.
        """
        self._skip_unreadable = skip_unreadable
        self.unchecked: list[str] = []
        self._asked_of = {name: self._asked(name, task, questions) for name, task in tasks.items()}
        self._num_asked = {name: len(prompts) for name, prompts in self._asked_of.items()}
        self._lookup = Lookup(self._asked_of)

    def _asked(self, name: str, task: Task, questions: Questions) -> list[tuple[str, str]]:
        own = getattr(task, "prompts", None)  # tasks that read their questions themselves
        if own is not None:
            return self._own_prompts(name, own)
        family, _, topic = (task.items_from or "").rpartition(".")
        if family == _OWN_SPLIT:
            return []
        items = questions.evaluation_items(topic, getattr(task, "num_items", None)) if topic else []
        prompts = [(str(item.get("id", number)), question_of(item)) for number, item in enumerate(items)]
        if not any(text for _, text in prompts):
            self.unchecked.append(name)
        return prompts

    def _own_prompts(self, name: str, own: Callable[[], list[tuple[str, str]]]) -> list[tuple[str, str]]:
        try:
            return own()
        except FoamError:
            if not self._skip_unreadable:
                raise
            self.unchecked.append(name)
            return []

    def read(self, documents: Iterable[Document], kind: str) -> None:
        """Look the questions up in documents.

        Args:
            documents: What is trained on or replayed.
            kind: `training` or `replayed`.
        """
        self._lookup.read(documents, kind)

    def holding(self, texts: Sequence[str]) -> set[int]:
        """Find texts that hold a question, without counting them as read.

        Args:
            texts: Any texts.

        Returns:
            The numbers of those that do.
        """
        lookup = Lookup(self._asked_of)
        lookup.read(({"text": text, "name": str(number)} for number, text in enumerate(texts)), "own")
        return set(map(int, lookup.documents))

    def found(self, sources: Sequence[Any]) -> dict[str, dict[str, Any]]:
        """Say which tasks were seen.

        Args:
            sources: Where the documents came from. One that is the training split of tasks names them in
                `trains_on`.

        Returns:
            Task to what result.json says about it, for tasks of which anything was seen.
        """
        split = {task for source in sources for task in getattr(source, "trains_on", ())}
        records: dict[str, dict[str, Any]] = {}
        for task, number in self._num_asked.items():
            hits = self._lookup.hits.get(task, {})
            if hits or task in split:
                records[task] = {"seen": len(hits), "asked": number, "trained_on_split": task in split}
            if hits:
                item, hit = max(hits.items(), key=lambda one: len(one[1].words))  # says the most
                records[task]["first"] = {"item": item, "document": hit.document, "words": hit.words}
        return records


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What is known about the data before step 0.

    Attributes:
        tasks: What training sees of each task, as in result.json.
        remarks: What was left out of the data, and what could not be checked.
    """

    tasks: dict[str, dict[str, Any]]
    remarks: list[str]

    @property
    def labels(self) -> dict[str, str]:
        """What is printed beside the scores of a task."""
        return seen_labels(self.tasks)


def question_of(item: Mapping[str, Any]) -> str:
    """Find what an item itself asks.

    Args:
        item: An evaluation item.

    Returns:
        Its question, or the user's last turn, or its prompt; nothing where it has none of these.
    """
    if "messages" in item:
        turns = [str(turn["content"]) for turn in item["messages"] if turn["role"] == "user"]
        return turns[-1] if turns else ""
    return str(item.get("question") or item.get("prompt") or "")


def require_unseen(records: Mapping[str, Mapping[str, Any]], allowed: Any, tasks: Iterable[str]) -> None:
    """Refuse to train on what is asked, unless the user says that it is known.

    Args:
        records: From `Watch.found`.
        allowed: evaluation.allow_contamination: True for all tasks, or their names.
        tasks: The tasks of the run.

    Raises:
        ConfigError: `allowed` is something else, or names a task that the run does not have.
        DataError: Something was seen of a task that is not allowed.
    """
    known = list(tasks)
    if not isinstance(allowed, bool | list):
        raise ConfigError(
            f"evaluation.allow_contamination={allowed!r}: wanted true, false or a list of tasks."
        )
    for name in allowed if isinstance(allowed, list) else []:
        if name not in known:
            raise ConfigError(
                f"evaluation.allow_contamination: this run does not ask '{name}'.{nearest(str(name), known)}"
            )
    for task, record in records.items():
        first = record.get("first")
        if first is None:
            continue
        if allowed is True or (isinstance(allowed, list) and task in allowed):
            continue
        raise DataError(
            f"evaluation.{task}: {record['seen']} of {record['asked']} items are in the training data, so "
            f"its score would say nothing. The first: item {first['item']} in {first['document']}: "
            f'"{first["words"]}". Take such documents out, or, if this is known and wanted, set '
            f"evaluation.allow_contamination=[{task}]; the score is then labelled."
        )
