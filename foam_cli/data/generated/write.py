"""Let a model write documents, and keep those that are whole, new and not stuck."""

import random
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt
from transformers import PreTrainedModel

from foam_cli.core.seeds import derive_seed, rng
from foam_cli.data.generated.filters import Seen, holds_word, repeated_frac
from foam_cli.data.generated.shapes import ChatShape, Ends, begins_texts, chat_shape, end_ids, text_prefix
from foam_cli.model.sampling import Progress, Sampled, sample_documents


@runtime_checkable
class Rules(Protocol):
    """What is wanted of the documents; a replay strategy that says it has them written by the model."""

    @property
    def num_documents(self) -> int:
        """How many are written."""
        ...

    @property
    def chat_frac(self) -> float:
        """The share of chats."""
        ...

    @property
    def system_turns(self) -> bool:
        """Whether a chat may begin with a system turn."""
        ...

    @property
    def num_answers(self) -> int:
        """The assistant's turns of a chat."""
        ...

    @property
    def temperature(self) -> float:
        """Logits are divided by it."""
        ...

    @property
    def max_tokens(self) -> int:
        """Tokens of the longest."""
        ...

    @property
    def min_tokens(self) -> int:
        """Tokens of the shortest."""
        ...

    @property
    def without(self) -> Sequence[str]:
        """Words that none may hold."""
        ...

    @property
    def keep_unended(self) -> bool:
        """Whether those that ran out of tokens are kept."""
        ...

    @property
    def max_repeated_frac(self) -> float:
        """Repetition within a document."""
        ...

    @property
    def max_overlap_frac(self) -> float:
        """Likeness to another."""
        ...

    @property
    def max_guess_nats(self) -> float | None:
        """How odd a text may be whose first token was guessed."""
        ...


@dataclass(frozen=True, kw_only=True)
class Written:
    """What a model wrote.

    Attributes:
        documents: Token ids of what was kept, as training shows them.
        is_chat: Which of them are chats.
        facts: Counts: `asked`, `kept`, `kept_chats`, `guessed` (texts whose first token was guessed), and why
            the others were dropped.
    """

    documents: list[list[int]]
    is_chat: list[bool]
    facts: dict[str, int]


@dataclass(frozen=True, kw_only=True)
class _Start:
    ids: list[int]
    chat: bool
    shown: bool
    guessed: bool


def write_documents(
    model: PreTrainedModel,
    tokenizer: Any,
    rules: Rules,
    *,
    seed: int,
    max_length: int,
    batch_tokens: int,
    progress: Progress,
) -> Written:
    """Let a model write documents.

    Args:
        model: The model.
        tokenizer: Its tokenizer, with a chat template.
        rules: How many, which, and what is kept.
        seed: Everything random follows from it and from the number of a document.
        max_length: The model's context.
        batch_tokens: Tokens of the documents that are written at once.
        progress: Told how many documents are written.

    Returns:
        What was kept, in the order in which it was written, and why the rest was not.
    """
    chat = chat_shape(tokenizer, rules.system_turns) if rules.chat_frac > 0 else None
    over = Ends(tokenizer, end_ids(model, tokenizer), chat, rules.num_answers)
    starts = _starts(model, tokenizer, rules, chat, seed)
    limit = min(rules.max_tokens, max_length) - (len(chat.rest) if chat else 0)

    def is_over(number: int, ids: list[int]) -> bool:
        return over.chat_is_over(ids) if starts[number].chat else over.text_is_over(ids)

    sampled = sample_documents(
        model, [one.ids for one in starts], _uniforms(seed, limit), is_over, max_length=limit,
        temperature=rules.temperature, batch_tokens=batch_tokens, progress=progress,
    )  # fmt: skip
    return _kept(starts, sampled, _Judge(tokenizer, rules, over), chat)


def _uniforms(seed: int, count: int) -> Callable[[int], npt.NDArray[np.float64]]:
    return lambda number: np.random.default_rng(derive_seed(seed, "own words", number)).random(count)


def _starts(
    model: PreTrainedModel,
    tokenizer: Any,
    rules: Rules,
    chat: ChatShape | None,
    seed: int,
) -> list[_Start]:
    ends = end_ids(model, tokenizer)
    num_chats = round(rules.num_documents * rules.chat_frac)
    starts = [
        _Start(ids=chat.opening, chat=True, shown=True, guessed=False) for _ in range(num_chats) if chat
    ]
    num_texts = rules.num_documents - num_chats
    if num_texts == 0:
        return starts
    prefix, shown = text_prefix(model, tokenizer)
    if begins_texts(model, prefix, ends):
        return [
            *starts,
            *(_Start(ids=prefix, chat=False, shown=shown, guessed=False) for _ in range(num_texts)),
        ]
    draw: random.Random = rng(seed, "first words")
    words = sorted(set(range(_num_words(model, tokenizer))) - {*tokenizer.all_special_ids} - ends)
    first = [draw.choice(words) for _ in range(num_texts)]
    return [*starts, *(_Start(ids=[one], chat=False, shown=True, guessed=True) for one in first)]


def _num_words(model: PreTrainedModel, tokenizer: Any) -> int:
    return min(len(tokenizer), int(model.config.get_text_config().vocab_size))


class _Judge:
    """Says why a document is not kept."""

    def __init__(self, tokenizer: Any, rules: Rules, over: Ends) -> None:
        self._tokenizer, self._rules, self._over = tokenizer, rules, over
        self._seen = Seen(rules.max_overlap_frac)

    def why_not(self, start: _Start, one: Sampled) -> str | None:
        rules = self._rules
        if not one.over and not rules.keep_unended:
            return "unended"
        if start.chat and one.over and not self._over.is_answered(one.ids):
            return "unanswered"
        if len(one.ids) < rules.min_tokens:
            return "too_short"
        if repeated_frac(one.ids) > rules.max_repeated_frac:
            return "repetitive"
        limit = rules.max_guess_nats
        if start.guessed and limit is not None and one.nats > limit * len(one.ids):
            return "unlikely"
        # What every document begins with would make all of them alike.
        said = [*start.ids, *one.ids] if start.guessed else one.ids
        text = str(self._tokenizer.decode(said, skip_special_tokens=True, clean_up_tokenization_spaces=False))
        unwanted = any(holds_word(text, word) for word in rules.without)
        return "unwanted" if unwanted else self._seen.why_not(text)


def _kept(
    starts: Sequence[_Start], sampled: Sequence[Sampled], judge: _Judge, chat: ChatShape | None
) -> Written:
    documents: list[list[int]] = []
    is_chat: list[bool] = []
    dropped: Counter[str] = Counter()
    for start, one in zip(starts, sampled, strict=True):
        if (why := judge.why_not(start, one)) is not None:
            dropped[why] += 1
            continue
        rest = chat.rest if chat is not None and start.chat and one.over else []
        documents.append([*(start.ids if start.shown else []), *one.ids, *rest])
        is_chat.append(start.chat)
    guessed = {"guessed": sum(start.guessed for start in starts)}
    counts = {"asked": len(starts), "kept": len(documents), "kept_chats": sum(is_chat)}
    return Written(documents=documents, is_chat=is_chat, facts={**counts, **guessed, **dropped})
