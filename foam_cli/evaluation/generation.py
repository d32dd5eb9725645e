"""Greedy replies to many prompts at once.

Prompts of similar length form a batch. Settings for sampling that a model folder may bring along
(temperature, repetition penalty) play no part: the most probable token is always taken.
"""

from collections.abc import Sequence

from transformers import PreTrainedModel, PreTrainedTokenizerBase

from foam_cli.core.errors import DataError
from foam_cli.evaluation.prompts import reply_text
from foam_cli.evaluation.scoring import batches_by_length
from foam_cli.evaluation.subject import Progress, examined
from foam_cli.model.decoding import write_batch


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

    Returns:
        The replies as text, in the order of the prompts.

    Raises:
        DataError: A prompt is empty, or the model's context has no room for prompt and reply.
    """
    room = max_length - max_new_tokens
    if room < 1 or not all(prompts_ids):
        raise DataError(
            f"no prompt fits: the context is {max_length} tokens, the reply up to {max_new_tokens}, and "
            "every prompt needs at least one token; lower max_new_tokens"
        )
    prompts = [ids[-room:] for ids in prompts_ids]
    found: dict[int, list[int]] = {}
    with examined(model):
        for batch in batches_by_length([len(ids) + max_new_tokens for ids in prompts], batch_tokens):
            replies = _answer_batch(model, [prompts[i] for i in batch], max_new_tokens, stop_ids)
            found.update(zip(batch, replies, strict=True))
            if progress is not None:
                progress(len(found), len(prompts))
    return [reply_text(tokenizer, found[i]) for i in range(len(prompts))]


def _answer_batch(
    model: PreTrainedModel, prompts: list[list[int]], max_new_tokens: int, stop_ids: frozenset[int]
) -> list[list[int]]:
    replies: list[list[int]] = [[] for _ in prompts]

    def take(row: int, token: int) -> bool:
        if token in stop_ids:
            return False
        replies[row].append(token)
        return True

    write_batch(model, prompts, max_new_tokens, lambda logits_BV, _: logits_BV.argmax(-1), take)
    return replies
