"""Everything a run reads, gathered before its first step, and searched for what it will be asked."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from foam_cli.core.errors import DataError
from foam_cli.core.settings import Settings
from foam_cli.data.corpus import Corpus
from foam_cli.data.encode import Document
from foam_cli.engine.contamination import Seen, Watch, require_unseen
from foam_cli.engine.curriculum import in_phases
from foam_cli.engine.defences import reads_old_data
from foam_cli.engine.display import Display
from foam_cli.engine.examine import Tasks, tasks_of
from foam_cli.engine.old_data import memory_bytes, own_words
from foam_cli.engine.prepare import TrainingData, growth_reads_old_data, prepare_data
from foam_cli.engine.stream import after_others, name_of, stages_of
from foam_cli.model.loading import BaseModel


@dataclass(frozen=True, kw_only=True)
class Gathered:
    """What a run reads.

    Attributes:
        stages: The data of every stage.
        seen: What of the evaluation is in it.
        own: Old documents that the base model wrote itself, or None.
    """

    stages: list[TrainingData]
    seen: Seen
    own: Corpus | None

    def hashes(self) -> dict[str, str]:
        """By what another run knows that it reads the same.

        Returns:
            SHA-256 by part, for the manifest.
        """
        found = {} if self.own is None else {"old_counts": str(self.own.facts["counts"])}
        for number, data in enumerate(self.stages):
            at = f"{name_of(number)}/" if len(self.stages) > 1 else ""
            found |= {f"{at}train": data.train.sha256, f"{at}validation": data.validation.sha256}
            found |= {f"{at}old": data.old.sha256} if data.old is not None else {}
        return found


def gather(settings: Settings, base: BaseModel, tasks: Tasks | None, display: Display) -> Gathered:
    """Prepare the data of every stage, and look up in it what will be asked.

    Args:
        settings: The configuration.
        base: The model.
        tasks: What a trained model will be asked; None for a run that is to train and asks its own tasks,
            and that stops here where that would be pointless.
        display: Told what there is.

    Returns:
        The data, and what is known about it.
    """
    s = settings
    asked = tasks_of(s.evaluation) if tasks is None else tasks
    watch = Watch(asked, s.data, skip_unreadable=tasks is not None)
    own = own_words(s, base, display)
    if own is not None:
        watched = Watch(tasks_of(s.evaluation), s.data, skip_unreadable=tasks is not None)
        own = without_asked(own, watched, base, display)
        watch.read(_as_documents(own, base), "replayed")
    stages: list[TrainingData] = []
    for stage in stages_of(s):
        data = prepare_data(
            stage.data, s.replay or None, base, s.train, s.seed,
            old=reads_old_data(s) or growth_reads_old_data(s),
            own=own, cache_dir=s.cache_dir, watch=watch.read,
        )  # fmt: skip
        data = after_others(data, [one.train for one in stages])
        _tell(data, display)
        stages.append(in_phases(data, stage.data, s, base, display))
    sources = [*(stage.data for stage in stages_of(s)), getattr(s.replay, "source", None)]
    records = watch.found(sources)
    if tasks is None:
        require_unseen(records, s.evaluation["allow_contamination"], asked)
    remarks = _remarks(sources, watch)
    for remark in remarks:
        display.say(f"  {remark}", style="dim")
    return Gathered(stages=stages, seen=Seen(tasks=records, remarks=remarks), own=own)


def without_asked(own: Corpus, watch: Watch, base: BaseModel, display: Display) -> Corpus:
    """Leave documents of the model's own out that happen to ask what the evaluation asks.

    Args:
        own: What the base model wrote.
        watch: Knows what the evaluation asks.
        base: The model.
        display: Told how many are left out.

    Returns:
        The others.

    Raises:
        DataError: There are none.
    """
    asked = watch.holding([document["text"] for document in _as_documents(own, base)])
    if not asked:
        return own
    display.say(f"  {len(asked):,} of these ask what the evaluation asks and are left out", style="dim")
    if len(asked) == len(own):
        raise DataError(
            f"replay: each of the {len(own)} documents that the base model wrote asks what the evaluation "
            "asks. Let it write more: replay.num_documents."
        )
    return own.take([index for index in range(len(own)) if index not in asked])


def _as_documents(own: Corpus, base: BaseModel) -> list[Document]:
    """The text of every document; a special token ends a turn, so it ends a line."""
    special = [str(token) for token in base.tokenizer.added_tokens_decoder.values() if token.special]
    texts: list[str] = []
    for index in range(len(own)):
        text = str(base.tokenizer.decode(list(own.example(index).ids)))
        for token in special:
            text = text.replace(token, "\n")
        texts.append(text)
    return [{"text": text, "name": f"the model's own document {index}"} for index, text in enumerate(texts)]


def _remarks(sources: Sequence[Any], watch: Watch) -> list[str]:
    remarks = [line for one in sources if hasattr(one, "remarks") for line in one.remarks()]
    unknown = "what it asks is not known, so it was not looked up."
    return [*remarks, *(f"evaluation.{name}: {unknown}" for name in watch.unchecked)]


def _tell(data: TrainingData, display: Display) -> None:
    facts = data.train.facts
    odd = "".join(f", {facts[how]} {how}" for how in ("truncated", "skipped") if facts[how])
    old = "" if data.old is None else f"; {len(data.old):,} old examples"
    display.say(
        f"  {len(data.train):,} examples, {facts['tokens']:,} tokens{odd}; "
        f"{len(data.validation):,} set apart{old}",
        style="dim",
    )
    if data.replay is not None:
        held = memory_bytes(data.old, data.initial_replay())
        display.say(f"  {type(data.replay).__name__} holds {held / 2**20:.2f} MiB", style="dim")
