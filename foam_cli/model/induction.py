"""Random weights in which attention begins with induction heads, which a small model takes long to find."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from foam_cli.core.errors import ModelError

#: Length of the biases with which a head of the first block looks back by position alone.
POSITION_SCALE = 8.0
#: Scale of the projections with which a head matches tokens.
MATCH_SCALE = 3.0
#: What a head adds of the tokens it looks at: a share of their embedding, after the norm.
COPY_SHARE = 0.3
#: What is left of the random projections of a head that was given a purpose.
NOISE_SHARE = 0.2
#: How far the heads of the first block look back, in tokens.
LOOK_BACK = (0, 1, 2, 3)
#: Which notes a head of a later block matches, here and there, and which it reads there.
MATCHES = ((0, 1, 0), (1, 2, 0), (0, 2, 0), (2, 0, 2), (2, 0, 3))
UNSUITABLE = (
    "model.init=induction: this model's attention has no rotary positions, or no q_proj and k_proj with "
    "biases and as many key heads as query heads, or fewer than five heads or a width of less than five. "
    "Use model.init=random."
)


@torch.no_grad()
def make_induction_heads(model: nn.Module) -> None:
    """Give some heads of random attention the purpose that they find in every large model.

    Heads of the first block look at this token and at those one, two and three places before, whatever stands
    there, and note each in a subspace of its own. Heads of every later block look for a place whose notes
    match those here, and add what stands in that place, or what stood before it: so they find both what
    followed a token and what preceded it. All else stays random, and training may change everything.

    Args:
        model: A model with random weights; changed in place. Its random choices are torch's.

    Raises:
        ModelError: Its attention is of another kind.

    Source: Olsson et al., "In-context learning and induction heads", 2022 (arXiv:2209.11895), found these
    heads in trained models; Trockman and Kolter, "Mimetic initialization of self-attention layers", 2023
    (arXiv:2305.09828), begin with structures of trained attention. The construction is foam's own.
    """
    attentions = [_Attention.of(module) for module in model.modules() if hasattr(module, "q_proj")]
    angles_P = next((module.inv_freq for module in model.modules() if hasattr(module, "inv_freq")), None)
    first = attentions[0] if attentions else None
    if first is None or not isinstance(angles_P, torch.Tensor):
        raise ModelError(UNSUITABLE)
    room = min(first.queries.in_features, first.queries.out_features) // first.size
    if room < max(1 + len(LOOK_BACK), len(MATCHES)):
        raise ModelError(UNSUITABLE)
    rows = torch.linalg.qr(torch.randn(first.queries.in_features, first.queries.in_features)).Q
    embedding_HD, *notes = rows[: (1 + len(LOOK_BACK)) * first.size].split(first.size)
    for head, (distance, note_HD) in enumerate(zip(LOOK_BACK, notes, strict=True)):
        first.look_back(head, distance * angles_P)
        first.move(head, embedding_HD, note_HD)
    for attention in attentions[1:]:
        for head, (here, there, read) in enumerate(MATCHES):
            attention.match(head, notes[here], notes[there])
            attention.move(head, notes[read], embedding_HD)


@dataclass(frozen=True, kw_only=True)
class _Attention:
    """The projections of one attention, all heads of it, and the size of a head."""

    queries: nn.Linear
    keys: nn.Linear
    values: nn.Linear
    output: nn.Linear
    size: int

    @classmethod
    def of(cls, module: nn.Module) -> "_Attention":
        parts = [getattr(module, name, None) for name in ("q_proj", "k_proj", "v_proj", "o_proj", "head_dim")]
        match parts:
            case [
                nn.Linear() as queries,
                nn.Linear() as keys,
                nn.Linear() as values,
                nn.Linear() as output,
                int(size),
            ]:
                found = cls(queries=queries, keys=keys, values=values, output=output, size=size)
            case _:
                raise ModelError(UNSUITABLE)
        biases: list[Any] = [found.queries.bias, found.keys.bias]  # None where there is none
        if any(bias is None for bias in biases) or found.queries.weight.shape != found.keys.weight.shape:
            raise ModelError(UNSUITABLE)
        return found

    def look_back(self, head: int, turned_P: torch.Tensor) -> None:
        """Attend by biases alone: keys point where the distance turns them into the queries' direction."""
        rows = self._rows(head)
        for linear, angles_P in ((self.queries, torch.zeros_like(turned_P)), (self.keys, turned_P)):
            linear.weight[rows] *= NOISE_SHARE
            linear.bias[rows] = torch.cat([angles_P.cos(), angles_P.sin()]) * POSITION_SCALE

    def match(self, head: int, query_HD: torch.Tensor, key_HD: torch.Tensor) -> None:
        """Compare notes in the slower half of the rotary pairs, where distance hardly matters."""
        rows, num_pairs = self._rows(head), self.size // 2
        slow = torch.arange(num_pairs // 2, num_pairs)
        places = rows.start + torch.cat([slow, slow + num_pairs])
        for linear, notes_HD in ((self.queries, query_HD), (self.keys, key_HD)):
            linear.weight[rows] *= NOISE_SHARE
            linear.weight[places] += MATCH_SCALE * notes_HD[: len(places)]

    def move(self, head: int, source_HD: torch.Tensor, target_HD: torch.Tensor) -> None:
        """Read a subspace where the head looks, and write it into another one here."""
        rows = self._rows(head)
        self.values.weight[rows] = COPY_SHARE**0.5 * source_HD
        self.output.weight[:, rows] = COPY_SHARE**0.5 * target_HD.T

    def _rows(self, head: int) -> slice:
        return slice(head * self.size, (head + 1) * self.size)
