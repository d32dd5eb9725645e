"""Log-likelihoods: how probable a model finds given tokens.

Rows are sorted by length and batched to a token budget. They are padded on the right and carry no attention
mask: in a causal model nothing before the padding can see it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from transformers import PreTrainedModel

from foam_cli.core.errors import DataError
from foam_cli.evaluation.subject import Progress, examined
from foam_cli.model.heads import direct_head, hidden_states

NO_TARGET = -100
"""In a list of targets: this position is not scored."""

MAX_LOGITS = 2**26
"""Logits held in fp32 at once: 256 MiB. More positions than that are scored in slices."""


@dataclass(frozen=True, kw_only=True)
class ChoiceScore:
    """How a model rates one continuation.

    Attributes:
        logprob: Sum of the log probabilities of its tokens, in nats.
        num_tokens: How many tokens it has.
        greedy: Whether greedy decoding would have written exactly this.
    """

    logprob: float
    num_tokens: int
    greedy: bool


@dataclass(frozen=True, kw_only=True)
class TargetScores:
    """How a model rates the N targets of one row, in the row's order.

    Attributes:
        logprobs: Log probability of each target, in nats, fp32 or better.
        greedy: Whether it was the most probable token.
    """

    logprobs: Float[Tensor, " N"]
    greedy: Bool[Tensor, " N"]


def batches_by_length(lengths: Sequence[int], batch_tokens: int) -> list[list[int]]:
    """Group rows of similar length so that every padded batch fits a token budget.

    Args:
        lengths: Tokens of each row.
        batch_tokens: Largest rows x longest row of a batch. A longer row is a batch of its own.

    Returns:
        Indices of rows, longest first, so that memory runs out at once or not at all.
    """
    batches: list[list[int]] = []
    for index in sorted(range(len(lengths)), key=lambda i: -lengths[i]):
        if batches and (len(batches[-1]) + 1) * lengths[batches[-1][0]] <= batch_tokens:
            batches[-1].append(index)
        else:
            batches.append([index])
    return batches


def continuation_logprobs(
    model: PreTrainedModel,
    requests: Sequence[tuple[list[int], list[int]]],
    *,
    batch_tokens: int,
    max_length: int,
    progress: Progress = None,
) -> list[ChoiceScore]:
    """Score continuations given their contexts, as lm-evaluation-harness does.

    Args:
        model: The model.
        requests: (context, continuation) as token ids; neither may be empty.
        batch_tokens: Tokens of one forward pass.
        max_length: Longest input of the model. A longer request loses the beginning of its context.
        progress: Told how many requests are done.

    Returns:
        One score per request, in the order of the requests.

    Raises:
        DataError: A context or a continuation is empty, or a continuation is longer than the model can read.

    Source: L. Gao et al., "The Language Model Evaluation Harness", 0.4.13: the input is the last
        `max_length + 1` tokens of context + continuation, without the final one.
    """
    rows: list[list[int]] = []
    targets: list[list[int]] = []
    for number, (context, continuation) in enumerate(requests):
        if not context or not 0 < len(continuation) <= max_length:
            raise DataError(
                f"request {number} has {len(context)} context and {len(continuation)} continuation tokens; "
                f"it needs at least one of each, and at most {max_length} (the model's context) of the second"
            )
        row = (context + continuation)[-(max_length + 1) :][:-1]
        rows.append(row)
        targets.append([NO_TARGET] * (len(row) - len(continuation)) + continuation)
    scores = target_logprobs(model, rows, targets, batch_tokens=batch_tokens, progress=progress)
    return [
        ChoiceScore(
            logprob=float(score.logprobs.double().sum()),
            num_tokens=score.logprobs.numel(),
            greedy=bool(score.greedy.all()),
        )
        for score in scores
    ]


def target_logprobs(
    model: PreTrainedModel,
    rows: Sequence[list[int]],
    targets: Sequence[list[int]],
    *,
    batch_tokens: int,
    progress: Progress = None,
) -> list[TargetScores]:
    """Log probability of the token that follows each position, where one is asked for.

    Args:
        model: The model.
        rows: Input ids of each row.
        targets: For each row the token after each of its positions, or `NO_TARGET`.
        batch_tokens: Tokens of one forward pass.
        progress: Told how many rows are done.

    Returns:
        The scores of each row, on the CPU.
    """
    found: dict[int, TargetScores] = {}
    with examined(model):
        head = direct_head(model)
        for batch in batches_by_length([len(row) for row in rows], batch_tokens):
            inputs_BT = padded([rows[i] for i in batch]).to(model.device)
            targets_BT = padded([targets[i] for i in batch], filler=NO_TARGET).to(model.device)
            logprobs_N, greedy_N = _score_batch(model, head, inputs_BT, targets_BT)
            counts = (targets_BT != NO_TARGET).sum(1).tolist()
            parts = zip(logprobs_N.cpu().split(counts), greedy_N.cpu().split(counts), strict=True)
            for i, (logprobs, greedy) in zip(batch, parts, strict=True):
                found[i] = TargetScores(logprobs=logprobs, greedy=greedy)
            if progress is not None:
                progress(len(found), len(rows))
    return [found[i] for i in range(len(rows))]


def padded(rows: Sequence[list[int]], filler: int | None = None) -> Int[Tensor, "B T"]:
    """Stack rows of different lengths, padded on the right.

    Args:
        rows: Non-empty lists of ids.
        filler: What to pad with; None repeats the row's last id, which no model mistakes for a padding token
            that wants a mask.

    Returns:
        The rows as one tensor.
    """
    width = max(len(row) for row in rows)
    return torch.tensor(
        [row + [row[-1] if filler is None else filler] * (width - len(row)) for row in rows], dtype=torch.long
    )


def _score_batch(
    model: PreTrainedModel,
    head: Callable[[Tensor], Tensor] | None,
    inputs_BT: Int[Tensor, "B T"],
    targets_BT: Int[Tensor, "B T"],
) -> tuple[Float[Tensor, " N"], Bool[Tensor, " N"]]:
    wanted_BT = targets_BT != NO_TARGET
    targets_N = targets_BT[wanted_BT]
    if head is None:
        logits_NV = model(input_ids=inputs_BT, use_cache=False).logits[wanted_BT]
        pieces = [_score_logits(logits_NV, targets_N)]
    else:
        hidden_ND = hidden_states(model, inputs_BT)[wanted_BT]
        rows = max(1, MAX_LOGITS // model.config.get_text_config().vocab_size)
        pieces = [
            _score_logits(head(hidden_nD), targets_n)
            for hidden_nD, targets_n in zip(hidden_ND.split(rows), targets_N.split(rows), strict=True)
        ]
    logprobs, greedy = zip(*pieces, strict=True)
    return torch.cat(logprobs), torch.cat(greedy)


def _score_logits(
    logits_NV: Float[Tensor, "N V"], targets_N: Int[Tensor, " N"]
) -> tuple[Float[Tensor, " N"], Bool[Tensor, " N"]]:
    wide_NV = logits_NV.to(torch.promote_types(logits_NV.dtype, torch.float32))
    chosen_N = wide_NV.gather(1, targets_N[:, None]).squeeze(1)
    return chosen_N - wide_NV.logsumexp(1), wide_NV.argmax(1) == targets_N


def rolling_windows(tokens: list[int], prefix: int, max_length: int) -> list[tuple[list[int], list[int]]]:
    """Cut a document into windows so that every token is predicted exactly once.

    Args:
        tokens: The document.
        prefix: The token that stands before the first one.
        max_length: Tokens that one window predicts, and the longest input.

    Returns:
        (context, continuation) pairs: one token of context, except in the last window, which is filled up
        with as much context as fits.

    Source: L. Gao et al., "The Language Model Evaluation Harness", 0.4.13, rolling log-likelihood.
    """
    windows = [([prefix], tokens[:max_length])] if tokens else []
    for start in range(max_length, len(tokens), max_length):
        continuation = tokens[start : start + max_length]
        num_context = max_length - len(continuation) + 1
        windows.append((tokens[start - num_context : start], continuation))
    return windows
