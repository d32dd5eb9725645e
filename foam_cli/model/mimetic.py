"""Random weights from which attention learns to look things up sooner."""

import torch
from torch import nn

from foam_cli.core.errors import ModelError

#: How much of the keys' random weights is replaced by the queries'.
SHARE = 0.8


@torch.no_grad()
def tie_keys_to_queries(model: nn.Module, share: float = SHARE) -> None:
    """Move random key projections towards the query projections of the same heads.

    Then `W_Q W_K^T` has a positive diagonal, so that a token first attends to tokens like itself, which is
    where copying and looking up begin. Keys shared by several query heads move towards their mean.

    Args:
        model: A model with random weights; changed in place.
        share: 0 leaves the keys as they are, 1 makes them equal to the queries.

    Raises:
        ModelError: No attention of it has `q_proj` and `k_proj` of one head size.

    Source: Trockman and Kolter, "Mimetic initialization of self-attention layers", 2023 (arXiv:2305.09828).
    Differs: only keys are changed, and by interpolation; values and outputs stay random.
    """
    found = False
    for module in model.modules():
        queries, keys = getattr(module, "q_proj", None), getattr(module, "k_proj", None)
        if not isinstance(queries, nn.Linear) or not isinstance(keys, nn.Linear):
            continue
        head_size = getattr(module, "head_dim", 0)
        if not head_size or queries.weight.shape[0] % keys.weight.shape[0]:
            continue
        num_key_heads = keys.weight.shape[0] // head_size
        mean_HgD = queries.weight.unflatten(0, (num_key_heads, -1, head_size)).mean(1)
        keys.weight.lerp_(mean_HgD.flatten(0, 1), share)
        found = True
    if not found:
        raise ModelError(
            "model.init=mimetic: this model's attention has no q_proj and k_proj. Use model.init=random."
        )
