"""Greedy replies to many prompts at once.

Prompts of similar length form a batch, padded on the left; rows that have finished leave the batch, cache and
all, so that one long reply does not hold up the others. Settings for sampling that a model folder may bring
along (temperature, repetition penalty) play no part: the most probable token is always taken.
"""

import inspect
from collections.abc import Callable, Sequence
from typing import Any

import torch
from jaxtyping import Int
from torch import Tensor
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from foam_cli.core.errors import DataError
from foam_cli.evaluation.journal import Journal, asked
from foam_cli.evaluation.prompts import reply_text
from foam_cli.evaluation.rows import batches_by_length
from foam_cli.evaluation.subject import Progress, examined

_MAX_UNTIL_TOKENS = 32
"""A text that ends a reply is looked for in so many of its last tokens."""

DROP_FRAC = 0.25
"""A batch is shrunk when this fraction of its rows has finished: shrinking copies the cache."""


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
        step = _decoder(model)
        for batch in batches_by_length([len(ids) + max_new_tokens for _, ids in left], batch_tokens):
            replies = _answer_batch(
                step,
                [left[i][1] for i in batch],
                max_new_tokens=max_new_tokens,
                stop_ids=stop_ids,
                device=model.device,
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


def _decoder(model: PreTrainedModel) -> Callable[..., Any]:
    """The forward pass with a cache, computing logits only where the next token comes from."""
    names = inspect.signature(model.forward).parameters
    last_only: dict[str, Any] = {"logits_to_keep": 1} if "logits_to_keep" in names else {}
    positions = "position_ids" in names

    def step(input_ids: Tensor, mask: Tensor, cache: Any) -> Any:
        if positions:
            ids = (mask.cumsum(1) - 1).clamp(min=0)[:, -input_ids.shape[1] :]
            last_only["position_ids"] = ids
        return model(
            input_ids=input_ids, attention_mask=mask, past_key_values=cache, use_cache=True, **last_only
        )

    return step


def _answer_batch(
    step: Callable[..., Any],
    prompts: list[list[int]],
    *,
    max_new_tokens: int,
    stop_ids: frozenset[int],
    device: torch.device,
    ends: Callable[[list[int]], bool] | None,
) -> list[list[int]]:
    replies: list[list[int]] = [[] for _ in prompts]
    open_rows = list(range(len(prompts)))
    done = [False] * len(prompts)
    input_BT, mask_BT = (tensor.to(device) for tensor in _left_padded(prompts))
    cache: Any = None
    for _ in range(max_new_tokens):
        out = step(input_BT, mask_BT, cache)
        next_B = out.logits[:, -1].argmax(-1)
        cache = out.past_key_values
        for row, token in zip(open_rows, next_B.tolist(), strict=True):
            done[row] = done[row] or token in stop_ids
            if not done[row]:
                replies[row].append(token)
                done[row] = ends is not None and ends(replies[row])
        alive = [place for place, row in enumerate(open_rows) if not done[row]]
        if not alive:
            break
        input_BT = next_B[:, None]
        mask_BT = torch.cat([mask_BT, mask_BT.new_ones(len(open_rows), 1)], 1)
        if len(alive) <= (1 - DROP_FRAC) * len(open_rows):
            kept = torch.tensor(alive, device=device)
            cache.batch_select_indices(kept)
            input_BT, mask_BT = input_BT[kept], mask_BT[kept]
            open_rows = [open_rows[place] for place in alive]
    return replies


def _left_padded(rows: list[list[int]]) -> tuple[Int[Tensor, "B T"], Int[Tensor, "B T"]]:
    width = max(len(row) for row in rows)
    ids = [row[:1] * (width - len(row)) + row for row in rows]
    mask = [[0] * (width - len(row)) + [1] * len(row) for row in rows]
    return torch.tensor(ids), torch.tensor(mask)
