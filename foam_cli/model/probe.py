"""A short look at what a model computes, leaving it as it was."""

from collections.abc import Generator
from contextlib import contextmanager

import torch
from jaxtyping import Float
from torch import nn

_NUM_TOKENS = 8


@contextmanager
def evaluating(model: nn.Module) -> Generator[None, None, None]:
    """Evaluation mode, module by module: some parts may be in it already, and must stay so.

    Args:
        model: Any model.

    Yields:
        Nothing.
    """
    training = [module for module in model.modules() if module.training]
    model.eval()
    try:
        yield
    finally:
        for module in training:
            module.training = True


@torch.no_grad()
def probe_logits(model: nn.Module) -> Float[torch.Tensor, "B T V"] | None:
    """Logits of a few fixed tokens.

    Args:
        model: A causal language model of transformers.

    Returns:
        The logits, or None where the model is on the meta device and computes nothing.
    """
    embeddings = model.get_input_embeddings()  # pyright: ignore[reportCallIssue]
    weight: torch.Tensor = embeddings.weight
    if weight.is_meta:
        return None
    ids_BT = torch.arange(_NUM_TOKENS, device=weight.device)[None] % weight.shape[0]
    with evaluating(model):
        return model(input_ids=ids_BT, use_cache=False).logits
