"""Between a base model and what it became: every point of the line costs one pass over the weights."""

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import nn

from foam_cli.model.blocks import block_births, last_steps
from foam_cli.model.lora import lora_outputs, lora_parameters
from foam_cli.model.neurons import growable_ffns
from foam_cli.model.sites import find_blocks


@dataclass(frozen=True, kw_only=True)
class WiseFT:
    """Which points between the base and the trained model are scored once training is done.

    Attributes:
        alphas: 0 is the base, 1 the trained model; both are scored in any case.

    Source: M. Wortsman et al., "Robust fine-tuning of zero-shot models", 2022, arXiv 2109.01903.
    """

    alphas: list[float]

    def __post_init__(self) -> None:
        if not self.alphas or any(not 0 < alpha < 1 for alpha in self.alphas):
            raise ValueError(
                f"interpolate.alphas={self.alphas}: give numbers between 0 and 1; both ends are scored, "
                "and interpolate=none turns it off."
            )


@contextmanager
def interpolated(model: nn.Module, base: nn.Module, alpha: float) -> Generator[None]:
    """Put a model at a point between the base and itself for a while.

    Pretrained weights become (1 - α) θ0 + α θ1, recycled neurons included; the out-columns of grown neurons,
    what inserted blocks add to the residual stream and what adapters add are scaled by α. So α = 0 is the
    base model and α = 1 the trained one, both bit for bit. The weights that are changed are held twice
    meanwhile.

    Args:
        model: A trained model, grown or not.
        base: The base model, made growable and with blocks inserted as in `model`.
        alpha: Between 0 and 1; beyond 1 it extrapolates.

    Yields:
        Nothing.

    Source: M. Wortsman et al., "Robust fine-tuning of zero-shot models", 2022, arXiv 2109.01903.
    Differs: grown parts, which the base does not have, fade with their out-projections alone.
    """
    start = dict(base.named_parameters())
    moved = _on_the_line(model)
    columns = [*(ffn.bank.down_CD for ffn in growable_ffns(model)), *lora_outputs(model)]
    live = [ffn.core_live_F for ffn in growable_ffns(model)]
    saved = [(tensor, tensor.detach().clone()) for tensor in (*moved.values(), *columns, *live)]
    try:
        with torch.no_grad():
            for name, parameter in moved.items():
                if not torch.equal(parameter, start[name]):  # what has not moved shall not be rounded either
                    parameter.copy_((1 - alpha) * start[name] + alpha * parameter)
            for down_CD in columns:
                down_CD.mul_(alpha)
            for live_F in live if alpha != 1 else []:
                live_F.fill_(True)  # a recycled neuron is back with a part of its weights
        yield
    finally:
        with torch.no_grad():
            for tensor, value in saved:
                tensor.copy_(value)


def _on_the_line(model: nn.Module) -> dict[str, nn.Parameter]:
    """Pretrained weights that may have changed, and the last steps of inserted blocks."""
    blocks = find_blocks(model)[1]
    inserted = [index for index, birth in enumerate(block_births(model)) if birth is not None]
    grown = {id(p) for index in inserted for p in blocks[index].parameters()}
    grown |= {id(p) for ffn in growable_ffns(model) for p in ffn.bank.parameters()}
    grown |= {id(p) for p in lora_parameters(model)}
    grown -= {id(p) for index in inserted for step in last_steps(model, index) for p in step.parameters()}
    edited = {id(p) for ffn in growable_ffns(model) for p in ffn.core.parameters()}
    return {
        name: parameter
        for name, parameter in model.named_parameters()
        if id(parameter) not in grown and (parameter.requires_grad or id(parameter) in edited)
    }
