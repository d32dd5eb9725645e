"""From a document (`{"messages": ...}` or `{"text": ...}`) to tokens and a loss mask."""

from collections.abc import Iterable, Iterator
from typing import Any, Literal

from jinja2.exceptions import TemplateError

from foam_cli.core.errors import DataError
from foam_cli.data.corpus import Corpus, Example

LossOn = Literal["assistant", "all"]
Document = dict[str, Any]


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
        DataError: A document has no target left, does not suit the chat template, or there is none at all.
    """
    examples: list[Example] = []
    facts = {"documents": 0, "truncated": 0, "skipped": 0}
    for number, document in enumerate(documents):
        name = document.get("name", f"example {number}")
        facts["documents"] += 1
        if "text" in document:
            examples += _text_windows(document["text"], tokenizer, max_length)
            continue
        example = _chat_example(document["messages"], tokenizer, loss_on, name)
        if len(example.ids) > max_length:
            facts["truncated"] += 1
            example = Example(ids=example.ids[:max_length], targets=example.targets[:max_length])
        if not any(example.targets):
            if skip_untrainable:
                facts["skipped"] += 1
                continue
            raise DataError(
                f"{name}: has no token to learn within the first {max_length} tokens. Raise data.max_length, "
                "shorten the prompt, or leave such examples out with data.skip_untrainable=true."
            )
        examples.append(example)
    if not examples:
        raise DataError("The data holds no example to train on.")
    return Corpus.of(examples, {**facts, "tokens": sum(len(one.ids) for one in examples)})


def _text_windows(text: str, tokenizer: Any, max_length: int) -> Iterator[Example]:
    """Cut a text into consecutive windows; every token but the very first is learnt exactly once."""
    ids: list[int] = tokenizer(text)["input_ids"]
    end = tokenizer.eos_token_id
    if end is not None and (not ids or ids[-1] != end):
        ids = [*ids, end]
    # A window starts with the last token of the one before, as context only, so that no target is lost.
    for start in range(0, max(1, len(ids) - 1), max_length - 1):
        window = ids[start : start + max_length]
        if len(window) > 1:
            yield Example(ids=window, targets=[False] + [True] * (len(window) - 1))


def _chat_example(messages: list[dict[str, Any]], tokenizer: Any, loss_on: LossOn, name: str) -> Example:
    try:
        whole = tokenizer.apply_chat_template(messages, tokenize=False)
        spans = _assistant_spans(messages, tokenizer, whole, name) if loss_on == "assistant" else []
    except (TemplateError, KeyError, TypeError) as error:
        raise DataError(f"{name}: does not suit the model's chat template: {error}") from error
    encoded = tokenizer(whole, add_special_tokens=False, return_offsets_mapping=loss_on == "assistant")
    ids: list[int] = encoded["input_ids"]
    if loss_on == "all":
        return Example(ids=ids, targets=[False] + [True] * (len(ids) - 1))
    targets = [
        index > 0 and any(low <= begin and low < stop <= high for low, high in spans)
        for index, (begin, stop) in enumerate(encoded["offset_mapping"])
    ]
    return Example(ids=ids, targets=targets)


def _assistant_spans(
    messages: list[dict[str, Any]], tokenizer: Any, whole: str, name: str
) -> list[tuple[int, int]]:
    """Character ranges of what the assistant says, its end-of-turn marker included."""
    spans: list[tuple[int, int]] = []
    for number, message in enumerate(messages):
        if message["role"] != "assistant":
            continue
        before = _prompt(messages[:number], tokenizer, whole[: max(0, whole.find(message["content"]))])
        last = number == len(messages) - 1
        after = whole if last else tokenizer.apply_chat_template(messages[: number + 1], tokenize=False)
        if not (whole.startswith(before) and whole.startswith(after)):
            raise DataError(
                f"{name}: the chat template renders a conversation differently while it is growing, so the "
                "assistant's words cannot be told apart. Use data.loss_on=all."
            )
        spans.append((len(before), len(after)))
    return spans


def _prompt(messages: list[dict[str, Any]], tokenizer: Any, opening: str) -> str:
    """What stands before the assistant's next words; templates cannot say it for an empty conversation."""
    if not messages:
        return opening
    return tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
