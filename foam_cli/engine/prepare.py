"""From a configuration to what the loop reads: batches, validation batches, old examples, a probe."""

from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from functools import partial
from typing import Any, Protocol, cast, runtime_checkable

import torch

from foam_cli.core.errors import ConfigError, DataError
from foam_cli.core.seeds import rng
from foam_cli.core.settings import Settings, TrainSettings
from foam_cli.data.batching import Batch, BatchStream, collate, plan_epoch
from foam_cli.data.cache import cache_folder, encode_cached
from foam_cli.data.corpus import Corpus
from foam_cli.data.curricula.difficulty import PhasedStream
from foam_cli.data.encode import Document, EncodingError, LossOn
from foam_cli.data.replay.protocols import ReadsLosses, Replay
from foam_cli.engine.old_data import old_documents
from foam_cli.growth.context import Pool
from foam_cli.model.loading import BaseModel

#: The probe is one small batch that every growth event is measured on.
PROBE_EXAMPLES = 16
#: At most so many positions of it, which bounds the memory of their logits.
PROBE_POSITIONS = 256


@runtime_checkable
class Source(Protocol):
    """What the engine asks of a data source."""

    @property
    def max_length(self) -> int:
        """Tokens of the longest example."""
        ...

    @property
    def loss_on(self) -> LossOn:
        """Which tokens of a chat are learnt."""
        ...

    @property
    def skip_untrainable(self) -> bool:
        """Whether examples without a target are left out instead of being an error."""
        ...

    def documents(self, seed: int) -> tuple[Sequence[Document], Sequence[Document]]:
        """Training and validation documents."""
        ...

    def old_documents(self, seed: int) -> Sequence[Document] | None:
        """What the base model was trained on, for replay, or None where it is not known."""
        ...

    def evaluation_items(self, name: str, num_items: int | None) -> list[dict[str, Any]]:
        """Questions for the task `name`."""
        ...


@dataclass(frozen=True, kw_only=True)
class TrainingData:
    """Everything the loop reads.

    Attributes:
        train: What is learnt.
        validation: What is set apart.
        old: What the base model was trained on, as far as it is known; where it is not, what is replayed is
            the training stream itself.
        stream: The order of batches.
        replay: The replay strategy, or None.
        pad_id: The token to pad with.
        seed: The run's seed.
        batch_tokens: Token budget of one forward pass.
    """

    train: Corpus
    validation: Corpus
    old: Corpus | None
    stream: BatchStream | PhasedStream
    replay: Replay | None
    pad_id: int
    seed: int
    batch_tokens: int

    def next_batch(self, step: int, replay_state: dict[str, Any]) -> tuple[Batch, dict[str, Any]]:
        """Form the next batch: new examples, and the replay ratio's share of old ones.

        Args:
            step: The optimizer step, which the draw of old examples depends on.
            replay_state: The reservoir.

        Returns:
            The batch, and the reservoir afterwards.
        """
        new = self.stream.next()
        names = [f"example {index}" for index in new]
        examples = [self.train.example(index) for index in new]
        numbers = list(new)
        if self.replay is not None:
            drawn = self.replay.draw(replay_state, self.replay.count(len(new)), self.seed, step)
            pool = self.train if self.old is None else self.old
            names += [f"old example {index}" for index in drawn]
            examples += [pool.example(index) for index in drawn]
            numbers += drawn
            if self.old is None:
                replay_state = self.replay.observe(replay_state, new, self.seed)
        return collate(examples, self.pad_id, names, numbers, len(new)), replay_state

    @property
    def reads_losses(self) -> bool:
        """Whether the replay strategy wants to know the loss of every row."""
        return isinstance(self.replay, ReadsLosses)

    def note_losses(
        self, batches: Sequence[Batch], losses: Sequence[torch.Tensor], replay_state: dict[str, Any]
    ) -> dict[str, Any]:
        """Tell the replay strategy how well the model did on what it may draw.

        Args:
            batches: The batches of one step.
            losses: For each, the mean loss of every row, in nats.
            replay_state: The memory.

        Returns:
            The memory afterwards.
        """
        if not isinstance(self.replay, ReadsLosses):
            return replay_state
        known: dict[int, float] = {}
        for batch, losses_B in zip(batches, losses, strict=True):
            # Where the training stream itself is replayed, its new rows are met, too.
            first = 0 if self.old is None else batch.num_new_rows
            known.update(zip(batch.numbers[first:], losses_B.tolist()[first:], strict=True))
        return self.replay.note_losses(replay_state, known)

    def initial_replay(self) -> dict[str, Any]:
        """The reservoir at the start of a run.

        Returns:
            Its state: full of old data where that is known, else empty.
        """
        if self.replay is None:
            return {}
        state = self.replay.initial_state()
        return state if self.old is None else self.replay.observe(state, range(len(self.old)), self.seed)

    def met_in(self, num_passes: int) -> tuple[list[int], list[int]]:
        """Go through the order of a run beforehand; the stream is left where it is.

        Args:
            num_passes: Forward passes of the run.

        Returns:
            Numbers of the examples that it learns and of those that it can replay, each once and sorted.
        """
        place, state = self.stream.state(), self.initial_replay()
        new: set[int] = set()
        old: set[int] = set()
        for number in range(num_passes):
            shown = self.stream.next()
            new.update(shown)
            if self.replay is not None and not self.reads_losses:
                old.update(self.replay.draw(state, self.replay.count(len(shown)), self.seed, number))
                state = state if self.old is not None else self.replay.observe(state, shown, self.seed)
        if self.replay is not None and self.reads_losses:  # it may then draw whatever it holds
            old = new if self.old is None else {*self.replay.draw(state, len(self.old), self.seed, 0)}
        self.stream.load_state(place)
        return sorted(new), sorted(old)

    def validation_batches(self) -> list[Batch]:
        """The validation examples in batches.

        Returns:
            Batches within the token budget, always the same.
        """
        stream = BatchStream(self.validation, self.batch_tokens, seed=0)
        batches: list[Batch] = []
        seen = 0
        while seen < len(self.validation):
            indices = stream.next()
            seen += len(indices)
            names = [f"validation example {index}" for index in indices]
            batches.append(collate([self.validation.example(i) for i in indices], self.pad_id, names))
        return batches

    def measuring_batches(self, pool: Pool, step: int, num_tokens: int) -> list[Batch]:
        """A few examples for growth methods that want to look at data, drawn apart from the training order.

        Args:
            pool: `new`: what is learnt; `old`: what is replayed.
            step: Optimizer steps done; the draw depends on it and on the seed alone.
            num_tokens: Tokens of them together; one example is drawn in any case.

        Returns:
            The batches.

        Raises:
            DataError: Old data is wanted, and the run has none.
        """
        corpus = self.train if pool == "new" else self.old
        if corpus is None:
            raise DataError(
                "A growth method needs old data, and this run has none: choose a data source that knows what "
                "the base model was trained on, and a replay strategy such as replay=reservoir."
            )
        order = rng(self.seed, "measure", pool, step).sample(range(len(corpus)), min(len(corpus), 1024))
        lengths = corpus.lengths[order].cumsum()
        count = int((lengths <= num_tokens).sum())
        chosen = corpus.take(order[: max(1, count)])
        names = [f"measured {pool} example {index}" for index in order]
        return [
            collate([chosen.example(i) for i in part], self.pad_id, [names[i] for i in part])
            for part in plan_epoch(chosen.lengths, self.batch_tokens, self.seed, 0)
        ]

    def probe(self) -> Batch:
        """The batch on which growth is measured.

        Returns:
            The shortest validation examples, at most `PROBE_EXAMPLES`.
        """
        order = self.validation.lengths.argsort(kind="stable")[:PROBE_EXAMPLES].tolist()
        batch = collate([self.validation.example(i) for i in order], self.pad_id, ["probe"])
        every = max(1, -(-batch.num_targets // PROBE_POSITIONS))
        chosen = slice(None, batch.num_targets, every)
        return replace(
            batch,
            target_positions_N=batch.target_positions_N[chosen],
            target_ids_N=batch.target_ids_N[chosen],
            num_targets=len(batch.target_ids_N[chosen]),
        )


def prepare_data(
    source: Source,
    replay: Replay | None,
    base: BaseModel,
    train: TrainSettings,
    seed: int,
    *,
    old: bool = False,
    own: Corpus | None = None,
    cache_dir: str | None = None,
    watch: Callable[[Sequence[Document], str], None] | None = None,
) -> TrainingData:
    """Generate or read the documents and tokenise them.

    Args:
        source: The data source.
        replay: The replay strategy, or None.
        base: The model whose tokenizer and context length count.
        train: For the token budget.
        seed: The run's seed.
        old: Whether old documents are wanted although none are replayed.
        own: Old documents that the base model wrote itself; then no others are read.
        cache_dir: As in the settings.
        watch: Shown everything that is trained on (`training`) or replayed (`replayed`), or None.

    Returns:
        The data.
    """
    encode = partial(
        encode_cached,
        tokenizer=base.tokenizer,
        folder=cache_folder(cache_dir),
        max_length=min(source.max_length, base.max_length),
        skip_untrainable=source.skip_untrainable,
    )
    new, apart = source.documents(seed)
    known = old_documents(source, replay, seed) if own is None and (old or replay is not None) else None
    if watch is not None:
        watch(new, "training")
        watch(known or [], "replayed")
    with _advice(source, base):
        corpus = encode(new, loss_on=source.loss_on)
        validation = encode(apart, loss_on=source.loss_on)
        # Old documents are rehearsed as they were learnt: every token of them.
        rehearsed = own if known is None else encode(known, loss_on="all")
    share = 1.0 if replay is None else 1.0 - replay.ratio
    return TrainingData(
        train=corpus,
        validation=validation,
        old=rehearsed,
        stream=BatchStream(corpus, max(1, int(train.batch_tokens * share)), seed),
        replay=replay,
        pad_id=int(base.tokenizer.pad_token_id),
        seed=seed,
        batch_tokens=train.batch_tokens,
    )


def growth_reads_old_data(settings: Settings) -> bool:
    """Say whether newborns depend on old data, also where none is replayed.

    Args:
        settings: The configuration.

    Returns:
        Whether they do.
    """
    return bool(getattr(getattr(settings.growth, "initializer", None), "reads_old_data", False))


@contextmanager
def _advice(source: Source, base: BaseModel) -> Generator[None]:
    """Say what helps where a document cannot be learnt: settings that the source has, or another model."""
    try:
        yield
    except EncodingError as error:
        settings = {one.name for one in fields(cast("Any", source))} | {"model", "context"}
        settings.discard("max_length" if source.max_length >= base.max_length else "context")
        fixes = " or ".join(fix for setting, fix in error.fixes.items() if setting in settings)
        raise DataError(f"{error} {fixes[:1].upper()}{fixes[1:]}.") from error


def require_old_data(settings: Settings, old: Corpus | None) -> None:
    """Refuse an initializer that measures old data where there is none.

    Args:
        settings: The configuration.
        old: What the run has, if anything.

    Raises:
        ConfigError: It needs some; the message says how to get it.
    """
    if old is not None or not growth_reads_old_data(settings):
        return
    name, data = type(settings.growth.initializer).__name__, type(settings.data).__name__
    raise ConfigError(
        f"growth.initializer={name} measures old data, but data={data} does not know what the base model was "
        "trained on: name it in data.old_path, or let the base model write some, replay=self_generated; or "
        "choose an initializer that needs none, such as growth.initializer=random."
    )


@torch.no_grad()
def to_device(batches: Sequence[Batch], device: str) -> list[Batch]:
    """Move batches.

    Args:
        batches: The batches.
        device: Where to.

    Returns:
        The same batches there.
    """
    return [batch.to(device) for batch in batches]
