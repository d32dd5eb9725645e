"""From hidden states to logits at the positions that matter only: the output layer is the widest of all."""

from collections.abc import Callable
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import nn
from transformers import PreTrainedModel

Logits = Float[torch.Tensor, "N V"]
#: The type of `logits_at`.
LogitsAt = Callable[
    [PreTrainedModel, nn.Module | None, Int[torch.Tensor, "B T"], Int[torch.Tensor, " N"]], Logits
]


def hidden_states(
    model: PreTrainedModel, input_ids_BT: Int[torch.Tensor, "B T"]
) -> Float[torch.Tensor, "B T D"]:
    """Run everything but the output layer.

    Args:
        model: A causal language model.
        input_ids_BT: Tokens; right-padded batches need no mask.

    Returns:
        The hidden states that the output layer reads.
    """
    return model.base_model(input_ids=input_ids_BT, use_cache=False).last_hidden_state


def direct_head(model: PreTrainedModel) -> nn.Module | None:
    """The output layer, if it alone maps hidden states to logits.

    Some models scale, soften or project between the two; whether this one does is seen on a short probe.

    Args:
        model: A causal language model.

    Returns:
        The output layer, or None where the whole model must be asked for logits.
    """
    head: Any = model.get_output_embeddings()
    if head is None or model.base_model is model:
        return None
    probe_BT = torch.arange(8, device=model.device)[None] % model.config.get_text_config().vocab_size
    was_training = model.training
    model.eval()
    try:
        with torch.no_grad():
            expected_BTV = model(input_ids=probe_BT, use_cache=False).logits
            found_BTV = head(hidden_states(model, probe_BT))
    except (AttributeError, RuntimeError, TypeError):
        return None
    finally:
        model.train(was_training)
    same = found_BTV.shape == expected_BTV.shape and torch.allclose(
        found_BTV, expected_BTV, rtol=1e-4, atol=1e-5
    )
    return head if same else None


def logits_at(
    model: PreTrainedModel,
    head: nn.Module | None,
    input_ids_BT: Int[torch.Tensor, "B T"],
    positions_N: Int[torch.Tensor, " N"],
) -> Logits:
    """Logits at some positions.

    Args:
        model: A causal language model.
        head: From `direct_head`.
        input_ids_BT: Tokens.
        positions_N: Flat positions (row * T + column).

    Returns:
        One row of logits per position.
    """
    if head is None:
        return (
            model(input_ids=input_ids_BT, use_cache=False).logits.flatten(0, 1).index_select(0, positions_N)
        )
    return head(hidden_states(model, input_ids_BT).flatten(0, 1).index_select(0, positions_N))
