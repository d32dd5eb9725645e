"""What one forward pass reads: rows of tokens, and where in them something is predicted.

A row may hold several continuations of one context. They stand behind one another, each with the positions
it would have alone, and a mask hides them from each other; the context is computed once for all of them.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

NO_TARGET = -100
"""In a list of targets: this position is not scored."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """Tokens, and predictions to be scored.

    Attributes:
        ids: The tokens.
        positions: The place of each in the text that it belongs to.
        branches: 0 for the context, then the number of the continuation.
        sources: For every prediction the index in `ids` of the token that it follows.
        targets: For every prediction the token to come.
        counts: How many of the predictions belong to each score.
    """

    ids: list[int]
    positions: list[int]
    branches: list[int]
    sources: list[int]
    targets: list[int]
    counts: list[int]

    @property
    def branched(self) -> bool:
        """Whether a mask is needed."""
        return self.branches[-1] > 1


def row_of_targets(ids: list[int], targets: Sequence[int]) -> Row:
    """A row that is scored where it has targets.

    Args:
        ids: The tokens.
        targets: For each the token that follows, or `NO_TARGET`.

    Returns:
        The row, with one score.
    """
    sources = [place for place, target in enumerate(targets) if target != NO_TARGET]
    return Row(
        ids=ids,
        positions=list(range(len(ids))),
        branches=[0] * len(ids),
        sources=sources,
        targets=[targets[place] for place in sources],
        counts=[len(sources)],
    )


def row_of_continuations(context: list[int], continuations: Sequence[list[int]]) -> Row:
    """A context and what may follow it. A continuation of one token takes no room at all.

    Args:
        context: Its tokens.
        continuations: Each at least one token.

    Returns:
        The row, with one score per continuation.
    """
    ids, positions, branches = list(context), list(range(len(context))), [0] * len(context)
    sources: list[int] = []
    for number, continuation in enumerate(continuations, start=1):
        start, length = len(ids), len(continuation) - 1
        ids += continuation[:-1]
        positions += range(len(context), len(context) + length)
        branches += [number] * length
        sources += [len(context) - 1, *range(start, start + length)]
    return Row(
        ids=ids,
        positions=positions,
        branches=branches,
        sources=sources,
        targets=[token for continuation in continuations for token in continuation],
        counts=[len(continuation) for continuation in continuations],
    )


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


def branch_mask(branches_BT: Int[Tensor, "B T"]) -> Bool[Tensor, "B 1 T T"]:
    """What each token may attend to: what stands before it in the context or in its own branch.

    Args:
        branches_BT: 0 for the context, -1 for padding, which therefore sees the context and itself.

    Returns:
        Where attention is allowed.
    """
    width = branches_BT.shape[1]
    own_BTT = branches_BT[:, None, :] == branches_BT[:, :, None]
    before_TT = torch.ones(width, width, dtype=torch.bool, device=branches_BT.device).tril()
    return (before_TT & (own_BTT | (branches_BT == 0)[:, None, :]))[:, None]


def additive(mask_B1TT: Bool[Tensor, "B 1 T T"], dtype: torch.dtype) -> Float[Tensor, "B 1 T T"]:
    """The same mask for attention that adds it to its scores.

    Args:
        mask_B1TT: Where attention is allowed.
        dtype: The model's.

    Returns:
        0 there, and the lowest finite number elsewhere.
    """
    return torch.zeros(mask_B1TT.shape, dtype=dtype, device=mask_B1TT.device).masked_fill_(
        ~mask_B1TT, torch.finfo(dtype).min
    )
