"""Log-likelihoods: how probable a model finds given tokens.

Rows are sorted by length and batched to a token budget. They are padded on the right and carry no attention
mask: in a causal model nothing before the padding can see it. Continuations of one context share its
computation where the model was seen to give the same scores that way.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from transformers import PreTrainedModel

from foam_cli.core.errors import DataError
from foam_cli.evaluation.journal import Journal, asked
from foam_cli.evaluation.rows import (
    Row,
    additive,
    batches_by_length,
    branch_mask,
    padded,
    row_of_continuations,
    row_of_targets,
)
from foam_cli.evaluation.subject import Progress, examined
from foam_cli.model.heads import direct_head

Request = tuple[list[int], list[int]]

MAX_LOGITS = 2**26
"""Logits held in fp32 at once: 256 MiB. More positions than that are scored in slices."""

MAX_SHARED_TOKENS = 4096
"""Longest row of several continuations: its mask and its attention are quadratic."""

MIN_SHARED_FRAC = 0.25
"""Sharing a context has to save this fraction of the tokens, or it is not worth its mask."""

MAX_SHARED_ERROR = 1e-4
"""Nats by which a shared context may change a score: rounding stays below, a wrong mask never does."""

MAX_CPU_TOKENS = 1024
"""Larger batches than this leave the caches of a CPU, and are slower."""


@dataclass(frozen=True, kw_only=True)
class Score:
    """How a model rates some tokens.

    Attributes:
        logprob: Sum of their log probabilities, in nats.
        num_tokens: How many there are.
        num_greedy: How many of them were the most probable token.
    """

    logprob: float
    num_tokens: int
    num_greedy: int

    @property
    def greedy(self) -> bool:
        """Whether greedy decoding would have written exactly this."""
        return self.num_greedy == self.num_tokens


def continuation_logprobs(
    model: PreTrainedModel,
    requests: Sequence[Request],
    *,
    batch_tokens: int,
    max_length: int,
    progress: Progress = None,
    journal: Journal | None = None,
) -> list[Score]:
    """Score continuations given their contexts, as lm-evaluation-harness does.

    Args:
        model: The model.
        requests: (context, continuation) as token ids; neither may be empty.
        batch_tokens: Tokens of one forward pass.
        max_length: Longest input of the model. A longer request loses the beginning of its context.
        progress: Told how many requests are done.
        journal: Scores that are known, and where new ones are kept.

    Returns:
        One score per request, in the order of the requests.

    Raises:
        DataError: A context or a continuation is empty, or a continuation is longer than the model can read.

    Source: L. Gao et al., "The Language Model Evaluation Harness", 0.4.13: the input is the last
        `max_length + 1` tokens of context + continuation, without the final one.
    """
    for number, (context, continuation) in enumerate(requests):
        if not context or not 0 < len(continuation) <= max_length:
            raise DataError(
                f"request {number} has {len(context)} context and {len(continuation)} continuation tokens; "
                f"it needs at least one of each, and at most {max_length} (the model's context) of the second"
            )
    cut = [(context[-(max_length + 1 - len(after)) :], after) for context, after in requests]
    names = [asked(context, after) for context, after in cut]
    journal = Journal() if journal is None else journal
    new = {name: request for name, request in zip(names, cut, strict=True) if name not in journal}
    with examined(model):
        scorer = _Scorer(model)
        batch_tokens = scorer.fitting(batch_tokens)
        groups = _groups(new, min(batch_tokens, MAX_SHARED_TOKENS))
        if not scorer.may_share([[new[name] for name in group] for group in groups]):
            groups = [[name] for name in new]
        rows = [row_of_continuations(new[group[0]][0], [new[one][1] for one in group]) for group in groups]
        done = len(requests) - len(new)
        for batch in batches_by_length([len(row.ids) for row in rows], batch_tokens):
            found = scorer([rows[i] for i in batch])
            journal.add(zip((name for i in batch for name in groups[i]), found, strict=True))
            done += len(found)
            if progress is not None:
                progress(done, len(requests))
    return [_score(journal[name]) for name in names]


def target_logprobs(
    model: PreTrainedModel,
    rows: Sequence[list[int]],
    targets: Sequence[list[int]],
    *,
    batch_tokens: int,
    progress: Progress = None,
    journal: Journal | None = None,
) -> list[Score]:
    """Score the token that follows each position, where one is asked for.

    Args:
        model: The model.
        rows: Input ids of each row.
        targets: For each row the token after each of its positions, or `NO_TARGET`.
        batch_tokens: Tokens of one forward pass.
        progress: Told how many rows are done.
        journal: Scores that are known, and where new ones are kept.

    Returns:
        One score per row.
    """
    names = [asked(ids, wanted) for ids, wanted in zip(rows, targets, strict=True)]
    journal = Journal() if journal is None else journal
    by_name = zip(names, rows, targets, strict=True)
    new = {name: row_of_targets(ids, wanted) for name, ids, wanted in by_name if name not in journal}
    left = list(new.items())
    with examined(model):
        scorer = _Scorer(model)
        done = len(rows) - len(left)
        for batch in batches_by_length([len(row.ids) for _, row in left], scorer.fitting(batch_tokens)):
            found = scorer([left[i][1] for i in batch])
            journal.add(zip((left[i][0] for i in batch), found, strict=True))
            done += len(found)
            if progress is not None:
                progress(done, len(rows))
    return [_score(journal[name]) for name in names]


def _score(answer: Sequence[Any]) -> Score:
    logprob, num_tokens, num_greedy = answer
    return Score(logprob=logprob, num_tokens=num_tokens, num_greedy=num_greedy)


def _groups(requests: dict[str, Request], max_tokens: int) -> list[list[str]]:
    """Names of requests that go into one row: those with one context, as many as fit."""
    by_context: dict[tuple[int, ...], list[str]] = {}
    for name, (context, _) in requests.items():
        by_context.setdefault(tuple(context), []).append(name)
    groups: list[list[str]] = []
    for context, names in by_context.items():
        extra = [len(requests[name][1]) - 1 for name in names]
        alone = len(names) * len(context) + sum(extra)
        room = max_tokens if (len(names) - 1) * len(context) >= MIN_SHARED_FRAC * alone else 0
        length = room + 1
        for name, more in zip(names, extra, strict=True):
            if length + more > room:
                groups.append([])
                length = len(context)
            groups[-1].append(name)
            length += more
    return groups


class _Scorer:
    """A model with what is known about it, so that it is found out once."""

    def __init__(self, model: PreTrainedModel) -> None:
        self.model = model
        self.head = direct_head(model)
        self.masks_are_bool = str(getattr(model.config, "_attn_implementation", "")).startswith("sdpa")
        self.slice_size = max(1, MAX_LOGITS // model.config.get_text_config().vocab_size)

    def fitting(self, batch_tokens: int) -> int:
        """What of a token budget is put to use."""
        return min(batch_tokens, MAX_CPU_TOKENS) if self.model.device.type == "cpu" else batch_tokens

    def may_share(self, groups: Sequence[Sequence[Request]]) -> bool:
        """Whether several continuations in one row get the scores that they get alone.

        An architecture may take no such mask, number the tokens itself, see only a window, or carry a state
        from token to token; instead of a list of those that do, the longest row is scored both ways. In half
        precision no two ways agree, so nothing is shared.
        """
        several = [group for group in groups if len(group) > 1]
        if not several or self.model.dtype not in (torch.float32, torch.float64):
            return False
        group = max(several, key=lambda one: len(one[0][0]) + sum(len(after) for _, after in one))
        context = group[0][0]
        alone = self([row_of_continuations(context, [after]) for _, after in group])
        try:
            shared = self([row_of_continuations(context, [after for _, after in group])])
        except torch.OutOfMemoryError:
            raise
        except (RuntimeError, ValueError, TypeError, IndexError, AttributeError, NotImplementedError):
            return False
        return all(abs(a[0] - b[0]) <= MAX_SHARED_ERROR for a, b in zip(alone, shared, strict=True))

    def __call__(self, rows: Sequence[Row]) -> list[tuple[float, int, int]]:
        """Log-likelihood, tokens and greedy tokens of every score of the rows, in one forward pass."""
        device = self.model.device
        hidden_PD, places_N = self._hidden(rows)
        targets_N = torch.tensor([target for row in rows for target in row.targets], device=device)
        logprobs_N, greedy_N = self._predictions(hidden_PD, places_N, targets_N.long())
        counts = [count for row in rows for count in row.counts]
        owner_N = torch.arange(len(counts)).repeat_interleave(torch.tensor(counts))
        logprobs = torch.zeros(len(counts), dtype=torch.float64)
        logprobs.index_add_(0, owner_N, logprobs_N.double().cpu())
        greedy = torch.zeros(len(counts), dtype=torch.long).index_add_(0, owner_N, greedy_N.long().cpu())
        return list(zip(logprobs.tolist(), counts, greedy.tolist(), strict=True))

    def _hidden(self, rows: Sequence[Row]) -> tuple[Tensor, Tensor]:
        """What the output layer reads, once per place, and which of it each prediction is made from."""
        device = self.model.device
        inputs_BT = padded([row.ids for row in rows]).to(device)
        extra: dict[str, Tensor] = {}
        if any(row.branched for row in rows):
            branches_BT = padded([row.branches for row in rows], filler=-1).to(device)
            mask = branch_mask(branches_BT)
            extra["attention_mask"] = mask if self.masks_are_bool else additive(mask, self.model.dtype)
            extra["position_ids"] = padded([row.positions for row in rows], filler=0).to(device)
        if self.head is None:
            out_BTD = self.model(input_ids=inputs_BT, use_cache=False, **extra).logits
        else:
            out_BTD = self.model.base_model(input_ids=inputs_BT, use_cache=False, **extra).last_hidden_state
        width = inputs_BT.shape[1]
        flat = [number * width + place for number, row in enumerate(rows) for place in row.sources]
        unique_P, places_N = torch.tensor(flat, dtype=torch.long, device=device).unique(return_inverse=True)
        return out_BTD.flatten(0, 1).index_select(0, unique_P), places_N

    def _predictions(self, hidden_PD: Tensor, places_N: Tensor, targets_N: Tensor) -> tuple[Tensor, Tensor]:
        wide = torch.promote_types(hidden_PD.dtype, torch.float32)
        logprobs_N = torch.zeros(targets_N.shape, dtype=wide, device=hidden_PD.device)
        greedy_N = torch.zeros(targets_N.shape, dtype=torch.bool, device=hidden_PD.device)
        head: Callable[[Tensor], Tensor] = self.head or torch.nn.Identity()
        for start in range(0, len(hidden_PD), self.slice_size):
            logits_pV = head(hidden_PD[start : start + self.slice_size]).to(wide)
            mine_n = ((places_N >= start) & (places_N < start + self.slice_size)).nonzero()[:, 0]
            places_n, targets_n = places_N[mine_n] - start, targets_N[mine_n]
            logprobs_N[mine_n] = logits_pV[places_n, targets_n] - logits_pV.logsumexp(1)[places_n]
            greedy_N[mine_n] = logits_pV.argmax(1)[places_n] == targets_n
        return logprobs_N, greedy_N


def rolling_windows(tokens: list[int], prefix: int, max_length: int) -> list[Request]:
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
