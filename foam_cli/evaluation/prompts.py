"""From messages to token ids, and back from a reply's ids to text, for any tokenizer."""

from collections.abc import Sequence
from typing import Any, cast

from transformers import PreTrainedTokenizerBase

from foam_cli.core.errors import DataError
from foam_cli.model.chat import render_chat

Message = dict[str, Any]
_MARK = "foam"


def encode(tokenizer: PreTrainedTokenizerBase, text: str) -> list[int]:
    """Tokenize plain text, with the special tokens that the tokenizer adds by default.

    Args:
        tokenizer: The tokenizer.
        text: The text. One that begins with BOS, written out, gets no second one.

    Returns:
        Its token ids.
    """
    return encode_all(tokenizer, [text])[0]


def encode_all(tokenizer: PreTrainedTokenizerBase, texts: Sequence[str]) -> list[list[int]]:
    """Tokenize many texts at once, each as `encode` does.

    Args:
        tokenizer: The tokenizer.
        texts: The texts.

    Returns:
        Token ids of each.
    """
    bos = tokenizer.bos_token
    begun = [isinstance(bos, str) and text.startswith(bos) for text in texts]
    found: list[list[int]] = [[] for _ in texts]
    for has_bos in set(begun):
        places = [place for place, one in enumerate(begun) if one is has_bos]
        batch = tokenizer(
            [texts[place] for place in places],
            add_special_tokens=not has_bos, return_attention_mask=False, verbose=False,
        )  # fmt: skip
        for place, ids in zip(places, cast("list[list[int]]", batch["input_ids"]), strict=True):
            found[place] = list(ids)
    return found


def encode_pair(
    tokenizer: PreTrainedTokenizerBase, context: str, continuation: str
) -> tuple[list[int], list[int]]:
    """Tokenize a context and what follows it, as lm-evaluation-harness does.

    Args:
        tokenizer: The tokenizer.
        context: The text before; where it has no token of its own, `prefix_id` stands for it.
        continuation: The text to score.

    Returns:
        (context, continuation): the tokens of the whole, cut where the context's own tokens end. Space at
        the end of the context belongs to the continuation.
    """
    return encode_pairs(tokenizer, [(context, continuation)])[0]


def encode_pairs(
    tokenizer: PreTrainedTokenizerBase, pairs: Sequence[tuple[str, str]]
) -> list[tuple[list[int], list[int]]]:
    """Tokenize many pairs at once, each as `encode_pair` does; no text is tokenized twice.

    Args:
        tokenizer: The tokenizer.
        pairs: (context, continuation) as text.

    Returns:
        (context, continuation) as token ids.
    """
    texts = dict.fromkeys(text for context, after in pairs for text in (context.rstrip(), context + after))
    ids = dict(zip(texts, encode_all(tokenizer, list(texts)), strict=True))
    found: list[tuple[list[int], list[int]]] = []
    for context, after in pairs:
        if not context:
            found.append(_after_nothing(tokenizer, after))
            continue
        left = ids[context.rstrip()]
        found.append((left or [prefix_id(tokenizer)], ids[context + after][len(left) :]))
    return found


def _after_nothing(tokenizer: PreTrainedTokenizerBase, text: str) -> tuple[list[int], list[int]]:
    """A text behind the prefix token, which is not written twice."""
    prefix = prefix_id(tokenizer)
    ids = list(tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"])
    return [prefix], ids[1:] if ids[:1] == [prefix] else ids


def prefix_id(tokenizer: PreTrainedTokenizerBase) -> int:
    """The token before a document: BOS, or else EOS.

    Args:
        tokenizer: The tokenizer.

    Returns:
        Its id.

    Raises:
        DataError: The tokenizer has neither.
    """
    for token in (tokenizer.bos_token_id, tokenizer.eos_token_id):
        if isinstance(token, int):
            return token
    raise DataError(
        f"the tokenizer {tokenizer.name_or_path!r} has neither a BOS nor an EOS token; "
        "set bos_token or eos_token in its tokenizer_config.json"
    )


def render_prompt(tokenizer: PreTrainedTokenizerBase, messages: Sequence[Message]) -> list[int]:
    """Token ids of a conversation, up to where the assistant's next words begin.

    Args:
        tokenizer: The tokenizer. Its chat template is used; without one, turns are lines "role: content".
        messages: The turns so far, in OpenAI form.

    Returns:
        The prompt.
    """
    if tokenizer.chat_template is None:
        lines = [f"{message['role']}: {message['content']}\n" for message in messages]
        return encode(tokenizer, "".join(lines) + "assistant:")
    text = render_chat(tokenizer, messages, open_reply=True)
    return list(tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"])


def stop_ids(tokenizer: PreTrainedTokenizerBase) -> frozenset[int]:
    """Tokens that end an assistant's turn: EOS, and what the chat template writes after such a turn.

    Args:
        tokenizer: The tokenizer.

    Returns:
        Their ids.
    """
    ids = {tokenizer.eos_token_id} if isinstance(tokenizer.eos_token_id, int) else set[int]()
    if tokenizer.chat_template is not None:
        turns = [{"role": "user", "content": _MARK}, {"role": "assistant", "content": _MARK}]
        text = render_chat(tokenizer, turns)
        after: list[int] = tokenizer(text.rpartition(_MARK)[2].strip(), add_special_tokens=False)["input_ids"]
        added: dict[str, int] = cast("Any", tokenizer).get_added_vocab()
        ids.update({*after[:1]} & {*tokenizer.all_special_ids, *added.values()})
    return frozenset(ids)


def reply_text(tokenizer: PreTrainedTokenizerBase, ids: Sequence[int]) -> str:
    """What the assistant said.

    Args:
        tokenizer: The tokenizer.
        ids: The reply's tokens, without the one that ended it.

    Returns:
        The text without surrounding space. Special tokens inside it are shown: they were said, too. Without
        a chat template the reply ends where it begins to write somebody's next turn.
    """
    text = str(tokenizer.decode(list(ids), skip_special_tokens=False, clean_up_tokenization_spaces=False))
    if tokenizer.chat_template is None:
        for role in ("user", "system", "tool", "assistant"):
            text = text.partition(f"\n{role}:")[0]
    return text.strip()
