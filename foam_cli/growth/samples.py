"""Watches FFNs through one pass: what comes in, and what gradient comes back, token by token."""

from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from foam_cli.growth.context import FFNSample
from foam_cli.model.neurons import GrowableFFN

_Seen = dict[nn.Module, tuple[torch.Tensor, torch.Tensor]]


def sample_ffns(
    ffns: Sequence[GrowableFFN], losses: Iterable[Callable[[], torch.Tensor]]
) -> tuple[FFNSample, ...]:
    """Sample FFNs on the sum of some losses. No parameter's gradient is touched.

    Tokens whose gradient is zero in an FFN, such as padding, are left out of its sample.

    Args:
        ffns: The FFNs.
        losses: Each call runs the model and gives a part of the loss.

    Returns:
        One sample per FFN, at least in fp32.
    """
    parts: list[list[tuple[torch.Tensor, torch.Tensor]]] = [[] for _ in ffns]
    for loss_of in losses:
        with torch.enable_grad(), _watched(ffns) as seen:
            gradients = torch.autograd.grad(loss_of(), [seen[ffn][1] for ffn in ffns])
        for part, ffn, gradient in zip(parts, ffns, gradients, strict=True):
            part.append(_rows(seen[ffn][0], gradient))
    return tuple(
        FFNSample(x_TD=torch.cat([x for x, _ in p]), g_TD=torch.cat([g for _, g in p])) for p in parts
    )


def sample_inputs(ffns: Sequence[GrowableFFN], loss_of: Callable[[], torch.Tensor]) -> list[torch.Tensor]:
    """See what comes into FFNs, at the cost of little more than a forward pass.

    Args:
        ffns: The FFNs of a model, in order.
        loss_of: Runs the model and gives a loss.

    Returns:
        The inputs of each at the tokens that the loss looks at: those at which the last FFN gets a gradient.
    """
    with torch.enable_grad(), _watched(ffns) as seen:
        loss = loss_of()
    (last,) = torch.autograd.grad(loss, [seen[ffns[-1]][1]])
    counts_BT = last.any(dim=-1)
    return [seen[ffn][0][counts_BT] for ffn in ffns]


@contextmanager
def _watched(ffns: Sequence[GrowableFFN]) -> Generator[_Seen]:
    seen: _Seen = {}

    def enter(module: nn.Module, args: tuple[Any, ...]) -> tuple[Any, ...] | None:
        del module
        # Below the first trainable parameter there is no graph yet.
        return None if args[0].requires_grad else (args[0].detach().requires_grad_(), *args[1:])

    def leave(module: nn.Module, args: tuple[Any, ...], output: torch.Tensor) -> None:
        seen[module] = (args[0].detach(), output)

    handles = [ffn.register_forward_pre_hook(enter) for ffn in ffns]
    handles += [ffn.register_forward_hook(leave) for ffn in ffns]
    try:
        yield seen
    finally:
        for handle in handles:
            handle.remove()


def _rows(x: torch.Tensor, gradient: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    wide = torch.promote_types(x.dtype, torch.float32)
    x_TD, g_TD = x.flatten(0, -2).to(wide), gradient.flatten(0, -2).to(wide)
    counts_T = g_TD.any(dim=1)
    return x_TD[counts_T], g_TD[counts_T]
