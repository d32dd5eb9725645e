"""Whole documents drawn from a model, each a function of its own random numbers alone."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np
import numpy.typing as npt
import torch
from jaxtyping import Float, Int
from torch import Tensor
from transformers import PreTrainedModel

from foam_cli.model.decoding import write_batch
from foam_cli.model.probe import evaluating

#: Told (a document's number, what has been written of it); says whether it is over.
IsOver = Callable[[int, list[int]], bool]
#: Called with (documents done, documents in all).
Progress = Callable[[int, int], None]


@dataclass(kw_only=True)
class Sampled:
    """What was written behind one start.

    Attributes:
        ids: The tokens, the last one included.
        over: Whether it came to an end before its tokens ran out.
        nats: The sum of -log p of its tokens, at the temperature they were drawn with.
    """

    ids: list[int]
    over: bool
    nats: float


def sample_documents(
    model: PreTrainedModel,
    starts: Sequence[list[int]],
    uniforms: Callable[[int], npt.NDArray[np.float64]],
    is_over: IsOver,
    *,
    max_length: int,
    temperature: float,
    batch_tokens: int,
    progress: Progress,
) -> list[Sampled]:
    """Draw documents from a model.

    Args:
        model: The model.
        starts: What each document begins with; at least one token, and fewer than `max_length`.
        uniforms: A document's number to its random numbers from [0, 1), one per token that it may get.
        is_over: Says when a document is over.
        max_length: Tokens of the longest document, its start included.
        temperature: Logits are divided by it.
        batch_tokens: Documents written at once times `max_length` is at most this, or one.
        progress: Told how many documents are done.

    Returns:
        One per start, in their order.
    """
    found = [Sampled(ids=[], over=False, nats=0.0) for _ in starts]
    # Starts of one length need no padding, so that equal starts see equal numbers.
    order = sorted(range(len(starts)), key=lambda number: len(starts[number]))
    at_once = max(1, batch_tokens // max_length)
    with evaluating(model), torch.inference_mode():
        for first in range(0, len(order), at_once):
            numbers = order[first : first + at_once]
            batch = _Batch(
                found=[found[number] for number in numbers],
                room=[max_length - len(starts[number]) for number in numbers],
                random=[uniforms(number) for number in numbers],
                is_over=[partial(is_over, number) for number in numbers],
                temperature=temperature,
            )
            prompts = [starts[number] for number in numbers]
            write_batch(model, prompts, max(batch.room), batch.choose, batch.take)
            progress(first + len(numbers), len(order))
    return found


@dataclass(kw_only=True)
class _Batch:
    """Documents that are written at once; every list has one entry per row."""

    found: list[Sampled]
    room: list[int]
    random: list[npt.NDArray[np.float64]]
    is_over: list[Callable[[list[int]], bool]]
    temperature: float
    nats: dict[int, float] = field(default_factory=dict[int, float])  # of each row's newest token

    def choose(self, logits_BV: Float[Tensor, "B V"], rows: Sequence[int]) -> Int[Tensor, " B"]:
        # A row that has finished may still be in the batch; what it draws is passed over.
        at = [min(len(self.found[row].ids), len(self.random[row]) - 1) for row in rows]
        u_B = torch.tensor([self.random[row][place] for row, place in zip(rows, at, strict=True)])
        ids_B, nats_B = draw(logits_BV, u_B, self.temperature)
        self.nats.update(zip(rows, nats_B.tolist(), strict=True))
        return ids_B.to(logits_BV.device)

    def take(self, row: int, token: int) -> bool:
        one = self.found[row]
        one.ids.append(token)
        one.nats += self.nats[row]
        one.over = self.is_over[row](one.ids)
        return not one.over and len(one.ids) < self.room[row]


def draw(
    logits_BV: Float[Tensor, "B V"], u_B: Float[Tensor, " B"], temperature: float
) -> tuple[Int[Tensor, " B"], Float[Tensor, " B"]]:
    """Draw one token per row by inverting the cumulated probabilities.

    Args:
        logits_BV: The logits.
        u_B: One random number from [0, 1) per row, in fp64.
        temperature: Logits are divided by it.

    Returns:
        The tokens, and -log p of each; on the CPU, where cumulated sums round the same every time.
    """
    p_BV = (logits_BV.cpu().double() / temperature).softmax(-1)
    cumulated_BV = p_BV.cumsum(-1)
    whole_B1 = cumulated_BV[:, -1:].contiguous()
    ids_B1 = torch.searchsorted(cumulated_BV, u_B.double()[:, None] * whole_B1, right=True)
    # Rounded up, a random number may reach the whole: then it means the last token that is possible at all.
    ids_B1 = torch.minimum(ids_B1, torch.searchsorted(cumulated_BV, whole_B1))
    return ids_B1[:, 0], -p_BV.gather(1, ids_B1)[:, 0].log()
