"""From a document (`{"messages": ...}` or `{"text": ...}`) to tokens and a loss mask."""

from array import array
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any, Literal, NamedTuple

import numpy as np

from foam_cli.core.errors import DataError
from foam_cli.data.corpus import Corpus, Example
from foam_cli.data.pieces import PIECE, pieces
from foam_cli.model.chat import render_chat

LossOn = Literal["assistant", "all"]
Document = dict[str, Any]


class EncodingError(DataError):
    """A document cannot be learnt as things are.

    Args:
        message: What is wrong.
        fixes: What would help, by what it is a matter of: a setting of the data source, which not every one
            has, `context` (how much the model reads) or `model`.
    """

    def __init__(self, message: str, fixes: Mapping[str, str]) -> None:
        super().__init__(message)
        self.fixes = fixes


def encode_documents(
    documents: Iterable[Document],
    tokenizer: Any,
    *,
    max_length: int,
    loss_on: LossOn,
    skip_untrainable: bool = False,
) -> Corpus:
    """Tokenise documents.

    Args:
        documents: With a `messages` or a `text` key; a `name` key is used in messages to the user.
        tokenizer: A fast tokenizer with a chat template.
        max_length: Longer chats are truncated and counted; longer texts are cut into several examples.
        loss_on: `assistant`: only the assistant's words of a chat; `all`: every token. Texts are always
            learnt whole.
        skip_untrainable: Leave out and count documents without a target, instead of an error.

    Returns:
        The corpus; its facts count documents, truncated ones, skipped ones and tokens.

    Raises:
        DataError: A document does not suit the chat template, or there is none at all. One that could be
            learnt with other settings is an `EncodingError`, which names them.
    """
    facts = {"documents": 0, "truncated": 0, "skipped": 0}
    rules = _Rules(tokenizer, max_length, loss_on, skip_untrainable)
    corpus = Corpus.of(_examples(documents, rules, facts), facts)
    if not len(corpus):
        raise DataError("The data holds no example to train on.")
    return replace(corpus, facts={**facts, "tokens": len(corpus.ids)})


class _Rules(NamedTuple):
    """The settings of `encode_documents`."""

    tokenizer: Any
    max_length: int
    loss_on: LossOn
    skip_untrainable: bool


def _examples(documents: Iterable[Document], rules: _Rules, facts: dict[str, int]) -> Iterator[Example]:
    """Tokenise one document after the other, and count in `facts` what became of them."""
    for number, document in enumerate(documents):
        name = document.get("name", f"example {number}")
        facts["documents"] += 1
        if "text" in document:
            yield from _text_windows(document["text"], rules.tokenizer, rules.max_length)
            continue
        example = _chat_example(document["messages"], rules.tokenizer, rules.loss_on, name)
        if len(example.ids) > rules.max_length:
            facts["truncated"] += 1
            example = Example(
                ids=example.ids[: rules.max_length], targets=example.targets[: rules.max_length]
            )
        if any(example.targets):
            yield example
        elif rules.skip_untrainable:
            facts["skipped"] += 1
        else:
            raise EncodingError(
                f"{name}: has no token to learn within the first {rules.max_length} tokens.",
                {
                    "max_length": "raise data.max_length",
                    "context": "choose a model that reads longer texts",
                    "skip_untrainable": "leave such examples out with data.skip_untrainable=true",
                },
            )


def _text_windows(text: str, tokenizer: Any, max_length: int) -> Iterator[Example]:
    """Cut a text into consecutive windows; every token but the very first is learnt exactly once."""
    ids = _text_ids(text, tokenizer)
    end = tokenizer.eos_token_id
    if end is not None and (not len(ids) or ids[-1] != end):
        ids.append(end)
    flat = np.frombuffer(ids, np.int32)
    # A window starts with the last token of the one before, as context only, so that no target is lost.
    for start in range(0, max(1, len(flat) - 1), max_length - 1):
        window = flat[start : start + max_length]
        if len(window) > 1:
            yield Example(ids=window, targets=np.arange(len(window)) > 0)


def _text_ids(text: str, tokenizer: Any) -> "array[int]":
    """Tokenise a text; a long one in pieces, because a tokenizer needs a hundred bytes for every token."""
    if len(text) <= PIECE:
        return array("i", tokenizer(text)["input_ids"])
    around: list[int] = tokenizer("")["input_ids"]
    starts = around[:1] if around and around[0] == tokenizer.bos_token_id else []
    ids = array("i", starts)
    for piece in pieces(text):
        ids.extend(tokenizer(piece, add_special_tokens=False, verbose=False)["input_ids"])
    return ids


def _chat_example(messages: list[dict[str, Any]], tokenizer: Any, loss_on: LossOn, name: str) -> Example:
    try:
        whole = render_chat(tokenizer, messages)
        spans = _assistant_spans(messages, tokenizer, whole) if loss_on == "assistant" else []
    except EncodingError as error:
        raise EncodingError(f"{name}: {error}", error.fixes) from error
    except DataError as error:
        raise DataError(f"{name}: {error}") from error
    encoded = tokenizer(whole, add_special_tokens=False, return_offsets_mapping=loss_on == "assistant")
    ids: list[int] = encoded["input_ids"]
    if loss_on == "all":
        return Example(ids=ids, targets=[False] + [True] * (len(ids) - 1))
    targets = [
        index > 0 and any(low <= begin and low < stop <= high for low, high in spans)
        for index, (begin, stop) in enumerate(encoded["offset_mapping"])
    ]
    return Example(ids=ids, targets=targets)


def _assistant_spans(messages: list[dict[str, Any]], tokenizer: Any, whole: str) -> list[tuple[int, int]]:
    """Character ranges of what the assistant says, its end-of-turn marker included."""
    spans: list[tuple[int, int]] = []
    for number, message in enumerate(messages):
        if message["role"] != "assistant":
            continue
        before = _prompt(messages[:number], tokenizer, whole[: max(0, whole.find(message["content"]))])
        last = number == len(messages) - 1
        after = whole if last else render_chat(tokenizer, messages[: number + 1])
        if not (whole.startswith(before) and whole.startswith(after)):
            raise EncodingError(
                "the chat template renders a conversation differently while it is growing, so the "
                "assistant's words cannot be told apart.",
                {
                    "loss_on": "learn every token with data.loss_on=all",
                    "model": "choose a model with another chat template",
                },
            )
        spans.append((len(before), len(after)))
    return spans


def _prompt(messages: list[dict[str, Any]], tokenizer: Any, opening: str) -> str:
    """What stands before the assistant's next words; templates cannot say it for an empty conversation."""
    if not messages:
        return opening
    return render_chat(tokenizer, messages, open_reply=True)
