"""Greedy replies to many prompts at once.

Prompts of similar length form a batch. Settings for sampling that a model folder may bring
along (temperature, repetition penalty) play no part: the most probable token is always taken.
"""

from collections.abc import Callable, Sequence

from transformers import PreTrainedModel, PreTrainedTokenizerBase

from foam_cli.core.errors import DataError
from foam_cli.evaluation.journal import Journal, asked
from foam_cli.evaluation.prompts import reply_text
from foam_cli.evaluation.rows import batches_by_length
from foam_cli.evaluation.subject import Progress, examined
from foam_cli.model.decoding import write_batch

_MAX_UNTIL_TOKENS = 32
"""A text that ends a reply is looked for in so many of its last tokens."""


def greedy_replies(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    prompts_ids: Sequence[list[int]],
    *,
    max_new_tokens: int,
    stop_ids: frozenset[int],
    batch_tokens: int,
    max_length: int,
    progress: Progress = None,
    journal: Journal | None = None,
) -> list[str]:
    """Let the model answer prompts greedily.

    Args:
        model: The model.
        tokenizer: Its tokenizer.
        prompts_ids: Token ids of each prompt; one that leaves no room for a reply loses its beginning.
        max_new_tokens: Longest reply.
        stop_ids: Tokens that end a reply; they are not part of it.
        batch_tokens: Tokens of one batch, replies included.
        max_length: The model's context.
        progress: Told how many prompts are answered.
        journal: Replies that are known, and where new ones are kept.

    Returns:
        The replies as text, in the order of the prompts.
    """
    replies = greedy_ids(
        model,
        tokenizer,
        prompts_ids,
        max_new_tokens=max_new_tokens,
        stop_ids=stop_ids,
        batch_tokens=batch_tokens,
        max_length=max_length,
        progress=progress,
        journal=journal,
    )
    return [reply_text(tokenizer, ids) for ids in replies]


def greedy_ids(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    prompts_ids: Sequence[list[int]],
    *,
    max_new_tokens: int,
    stop_ids: frozenset[int],
    batch_tokens: int,
    max_length: int,
    progress: Progress = None,
    journal: Journal | None = None,
    until: Sequence[str] = (),
) -> list[list[int]]:
    """Let the model continue prompts greedily.

    Args:
        model: The model.
        tokenizer: Its tokenizer, asked only where there is an `until`.
        prompts_ids: Token ids of each prompt; one that leaves no room for a reply loses its beginning.
        max_new_tokens: Longest reply.
        stop_ids: Tokens that end a reply; they are not part of it.
        batch_tokens: Tokens of one batch, replies included.
        max_length: The model's context.
        progress: Told how many prompts are answered.
        journal: Replies that are known, and where new ones are kept.
        until: Texts that end a reply, too; the tokens that they end in are part of it.

    Returns:
        Token ids of the replies, in the order of the prompts.

    An empty prompt, or one without room for a reply, is a DataError.
    """
    prompts = _with_room(prompts_ids, max_new_tokens, max_length)
    rest = [[max_new_tokens], sorted(stop_ids), list("\0".join(until).encode())]
    names = [asked(ids, *rest) for ids in prompts]
    journal = Journal() if journal is None else journal
    new = {name: ids for name, ids in zip(names, prompts, strict=True) if name not in journal}
    left = list(new.items())
    done = len(prompts) - len(left)
    with examined(model):
        for batch in batches_by_length([len(ids) + max_new_tokens for _, ids in left], batch_tokens):
            replies = _answer_batch(
                model,
                [left[i][1] for i in batch],
                max_new_tokens=max_new_tokens,
                stop_ids=stop_ids,
                ends=_ending(tokenizer, until),
            )
            journal.add(zip((left[i][0] for i in batch), replies, strict=True))
            done += len(replies)
            if progress is not None:
                progress(done, len(prompts))
    return [journal[name] for name in names]


def _with_room(prompts_ids: Sequence[list[int]], max_new_tokens: int, max_length: int) -> list[list[int]]:
    room = max_length - max_new_tokens
    if room < 1 or not all(prompts_ids):
        raise DataError(
            f"no prompt fits: the context is {max_length} tokens, the reply up to {max_new_tokens}, and "
            "every prompt needs at least one token; lower max_new_tokens"
        )
    return [ids[-room:] for ids in prompts_ids]


def _ending(tokenizer: PreTrainedTokenizerBase, until: Sequence[str]) -> Callable[[list[int]], bool] | None:
    """Says of a reply so far whether one of the texts has been written."""
    if not until:
        return None

    def ends(reply: list[int]) -> bool:
        said = str(tokenizer.decode(reply[-_MAX_UNTIL_TOKENS:]))
        return any(text in said for text in until)

    return ends


def _answer_batch(
    model: PreTrainedModel,
    prompts: list[list[int]],
    *,
    max_new_tokens: int,
    stop_ids: frozenset[int],
    ends: Callable[[list[int]], bool] | None,
) -> list[list[int]]:
    replies: list[list[int]] = [[] for _ in prompts]

    def take(row: int, token: int) -> bool:
        if token in stop_ids:
            return False
        replies[row].append(token)
        return ends is None or not ends(replies[row])

    write_batch(model, prompts, max_new_tokens, lambda logits_BV, _: logits_BV.argmax(-1), take)
    return replies
