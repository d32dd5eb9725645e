"""Where a run's old documents come from: the data source, a source of their own, or the base model itself."""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, cast

from foam_cli.core.errors import ConfigError, DataError
from foam_cli.core.settings import Settings
from foam_cli.data.corpus import Corpus, Example
from foam_cli.data.encode import Document
from foam_cli.data.generated.write import Rules, Written, write_documents
from foam_cli.data.replay.of_data import OfData
from foam_cli.data.replay.protocols import ReplaySource
from foam_cli.engine.cached import cached
from foam_cli.engine.display import Display
from foam_cli.model.loading import BaseModel


def require_one_source(settings: Settings) -> None:
    """Refuse old data that nothing would read.

    Args:
        settings: The configuration.

    Raises:
        ConfigError: `data.old_path` names some, and the replay strategy brings other old documents.
    """
    path = getattr(settings.data, "old_path", None)
    if not path:
        return
    if isinstance(settings.replay, Rules):
        raise ConfigError(
            f"data.old_path={path}: has no effect, because the replay strategy lets the base model write its "
            "old documents. Leave it out, or choose replay=reservoir."
        )
    if not isinstance(getattr(settings.replay, "source", OfData()), OfData):
        raise ConfigError(f"data.old_path={path}: has no effect beside replay.source; leave one of them out.")


def old_documents(source: Any, replay: Any, seed: int) -> Sequence[Document] | None:
    """Read the old documents of a run.

    Args:
        source: The data source.
        replay: The replay strategy, which may name a source of its own.
        seed: The run's seed.

    Returns:
        The documents, or None where nothing old is known.
    """
    own = cast("ReplaySource | OfData", getattr(replay, "source", OfData()))
    if isinstance(own, OfData):
        return source.old_documents(seed)
    found = own.documents(seed)
    return cast("Sequence[Document]", found[0] if isinstance(found, tuple) else found)


def own_words(settings: Settings, base: BaseModel, display: Display) -> Corpus | None:
    """Let the base model write its old documents, where the replay strategy wants that.

    Args:
        settings: The configuration.
        base: The model, before anything is grown.
        display: Shows the progress.

    Returns:
        What it wrote, every token to be learnt, with `counts` among its facts; read from disk where the same
        model has written it before. None where nothing is wanted.

    Raises:
        DataError: Nothing was worth keeping.
    """
    rules = settings.replay
    if not isinstance(rules, Rules):
        return None
    wanted = {key: value for key, value in asdict(cast("Any", rules)).items() if key != "ratio"}
    how = (settings.hardware.precision, settings.hardware.device)
    key = [base.sha256, base.tokenizer.chat_template, base.max_length, wanted, settings.seed, *how]

    def write() -> dict[str, Any]:
        with display.bar("writing old documents", total=rules.num_documents) as update:
            written = write_documents(
                base.model, base.tokenizer, rules, seed=settings.seed, max_length=base.max_length,
                batch_tokens=settings.evaluation["batch_tokens"], progress=lambda done, _: update(done),
            )  # fmt: skip
        return asdict(written)

    written = Written(**cached(Path(settings.output_dir), "self_generated", key, write))
    words = _counts(written.facts)
    if not written.documents:
        raise DataError(f"replay: of the documents that the base model wrote none can be used ({words}).")
    examples = [
        Example(ids=ids, targets=[False] + [True] * (len(ids) - 1))
        for ids in written.documents
        if len(ids) > 1
    ]
    display.say(f"  the base model's own documents: {words}", style="dim")
    return Corpus.of(examples, {"counts": words})


def _counts(facts: Mapping[str, int]) -> str:
    told = ("asked", "kept", "kept_chats", "guessed")
    dropped = [
        f"{count:,} {why.replace('_', ' ')}" for why, count in sorted(facts.items()) if why not in told
    ]
    guessed = f"; the first token of {facts['guessed']:,} texts was guessed" if facts["guessed"] else ""
    return (
        f"{facts['asked']:,} written, {facts['kept']:,} kept ({facts['kept_chats']:,} of them chats)"
        f"{'; dropped: ' + ', '.join(dropped) if dropped else ''}{guessed}"
    )


def memory_bytes(old: Corpus | None, state: Mapping[str, Any]) -> int:
    """What replay holds in memory.

    Args:
        old: The old documents.
        state: The strategy's state.

    Returns:
        Bytes.
    """
    tokens = 0 if old is None else old.ids.nbytes + old.targets.nbytes + old.offsets.nbytes
    lists = [cast("list[Any]", value) for value in state.values() if isinstance(value, list)]
    # An entry is a number, or will be one: a reference and the number itself.
    return tokens + sum(sys.getsizeof(value) + len(value) * sys.getsizeof(1) for value in lists)
