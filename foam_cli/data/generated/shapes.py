"""How a model's documents begin and end, found out from its tokenizer and its chat template."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Any

import torch
from transformers import PreTrainedModel

from foam_cli.core.errors import DataError
from foam_cli.model.chat import render_chat

_SYSTEM, _ASKED, _ANSWERED = "FoamSystem", "FoamAsked", "FoamAnswered"
#: A prefix behind which the model ends at once more often than not is one it was not taught to go on from.
_TAUGHT = 0.5


@dataclass(frozen=True, kw_only=True)
class ChatShape:
    """What a chat template writes around the words of a conversation.

    Attributes:
        opening: Token ids of all that stands before the first words of a chat, as far as they are the same
            whichever words may come first.
        heads: Token ids that may follow it up to those words: one sequence for the user's and, where the
            system may have the first words, one for its.
        answer_header: Text between the user's words and the assistant's.
        closing: Text that ends the assistant's turn, without the white space behind it; may be empty.
        closing_ids: Its token ids.
        rest: Token ids of the white space behind it.
    """

    opening: list[int]
    heads: tuple[list[int], ...]
    answer_header: str
    closing: str
    closing_ids: list[int]
    rest: list[int]


def chat_shape(tokenizer: Any, system_turns: bool = False) -> ChatShape:
    """Render a marked conversation and cut it at the marks.

    Args:
        tokenizer: With a chat template.
        system_turns: Whether a chat may begin with a system turn. It may not where the template writes
            nothing that opens the system's words and the user's alike.

    Returns:
        What stands around the marks.

    Raises:
        DataError: The template does not show both, or has nothing before or between them.
    """
    turns = [{"role": "user", "content": _ASKED}, {"role": "assistant", "content": _ANSWERED}]
    text = render_chat(tokenizer, turns)
    opening, asked, rest = text.partition(_ASKED)
    header, answered, tail = rest.partition(_ANSWERED)
    if not opening.strip() or not asked or not answered or not header.strip():
        raise DataError(
            "the model's chat template does not tell apart what a user and an assistant say, so the "
            "model cannot be let write chats: set replay.chat_frac=0"
        )

    def ids(part: str) -> list[int]:
        return list(tokenizer(part, add_special_tokens=False, verbose=False)["input_ids"]) if part else []

    # A space before the first word belongs to the word's own token in most tokenizers.
    users = ids(opening.rstrip(" "))
    systems = users
    if system_turns:
        text = render_chat(tokenizer, [{"role": "system", "content": _SYSTEM}, *turns])
        systems = ids(text.partition(_SYSTEM)[0].rstrip(" "))
    same = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(users, systems, strict=False)))
    alone = same == 0 or users == systems
    return ChatShape(
        opening=users if alone else users[:same],
        heads=([],) if alone else (users[same:], systems[same:]),
        answer_header=header.strip(),
        closing=tail.strip(),
        closing_ids=ids(tail.strip()),
        rest=ids(tail[len(tail.rstrip()) :]),
    )


def text_prefix(model: PreTrainedModel, tokenizer: Any) -> tuple[list[int], bool]:
    """What stands before a text.

    Args:
        model: Its configuration may name a BOS that the tokenizer does not.
        tokenizer: The tokenizer.

    Returns:
        The token ids, and whether training shows them: a tokenizer writes BOS itself or not at all.

    Raises:
        DataError: There is no token to begin with.
    """
    shown: list[int] = list(tokenizer("")["input_ids"])
    if shown and shown[0] == tokenizer.bos_token_id:
        return shown[:1], True
    named = getattr(model.config.get_text_config(), "bos_token_id", None)
    for token in (tokenizer.bos_token_id, named, tokenizer.eos_token_id):
        if isinstance(token, int):
            return [token], False
    raise DataError("the tokenizer has neither BOS nor EOS to begin a text with: set replay.chat_frac=1")


def end_ids(model: PreTrainedModel, tokenizer: Any) -> frozenset[int]:
    """Tokens that end a text.

    Args:
        model: Its generation settings may name more than one.
        tokenizer: Its EOS.

    Returns:
        Their ids.
    """
    named = getattr(getattr(model, "generation_config", None), "eos_token_id", None)
    several = named if isinstance(named, list) else [named]
    return frozenset(one for one in [tokenizer.eos_token_id, *several] if isinstance(one, int))


@torch.inference_mode()
def begins_texts(model: PreTrainedModel, prefix: list[int], ends: frozenset[int]) -> bool:
    """Ask whether a model was taught to go on behind a prefix.

    Args:
        model: The model.
        prefix: From `text_prefix`.
        ends: From `end_ids`.

    Returns:
        False where it ends the text at once more often than not.
    """
    ids_BT = torch.tensor([prefix], device=model.device)
    p_V = model(input_ids=ids_BT, use_cache=False).logits[0, -1].float().softmax(-1)
    return float(p_V[sorted(ends)].sum()) < _TAUGHT


class Ends:
    """Says when a document is over.

    A text is over with an end token. A chat is over with an end token too, unless the template itself writes
    that one between turns; and with what closes the assistant's turn, once it has answered often enough: most
    templates write no end of the conversation, so the model was never shown where one ends.

    Args:
        tokenizer: The tokenizer.
        ends: From `end_ids`.
        chat: From `chat_shape`, or None where only texts are written.
        num_answers: The assistant's turns of a chat.
    """

    def __init__(self, tokenizer: Any, ends: frozenset[int], chat: ChatShape | None, num_answers: int):
        self._tokenizer, self._ends, self._chat, self._num_answers = tokenizer, ends, chat, num_answers
        between = chat.answer_header if chat else ""
        self._between = set(tokenizer(between, add_special_tokens=False)["input_ids"]) if between else set()

    def text_is_over(self, ids: Sequence[int]) -> bool:
        """Whether a text is over.

        Args:
            ids: What has been written.

        Returns:
            Whether its last token ends it.
        """
        return ids[-1] in self._ends

    def chat_is_over(self, ids: Sequence[int]) -> bool:
        """Whether a chat is over.

        Args:
            ids: What has been written behind the opening.

        Returns:
            Whether nothing more can be said in it.
        """
        assert self._chat is not None
        if ids[-1] in self._ends - self._between - {*self._chat.closing_ids}:
            return True
        return self.is_answered(ids, self._num_answers)

    def is_answered(self, ids: Sequence[int], num_answers: int = 1) -> bool:
        """Whether a chat has just got an answer.

        Args:
            ids: What has been written behind the opening.
            num_answers: How many answers it needs.

        Returns:
            Whether the assistant's turn, its last one, has just been closed.
        """
        assert self._chat is not None
        closing = self._chat.closing_ids
        if not closing or ids[-1] != closing[-1]:
            return False
        heads = [head for head in self._chat.heads if list(ids[: len(head)]) == head]
        if not heads:
            return False
        said = list(ids[max(map(len, heads)) :])
        text = str(self._tokenizer.decode(said, clean_up_tokenization_spaces=False))
        asked, header, answer = text.rpartition(self._chat.answer_header)
        whole = text.endswith(self._chat.closing) and bool(answer.removesuffix(self._chat.closing).strip())
        return bool(asked.strip()) and whole and text.count(header) >= num_answers
