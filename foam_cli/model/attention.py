"""Attention by plain matrix products inside a bf16 run on the CPU, where torch's own kernels are slow."""

from typing import Any

import torch
from torch import nn
from transformers import AttentionInterface, PreTrainedModel
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import AttentionMaskInterface, sdpa_mask

_NAME = "bf16_products"
#: Up to so many keys; beyond, the scores no longer fit the cache, and torch's own kernel wins.
_MAX_KEYS = 256


def _attend(
    module: nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    **kwargs: Any,
) -> tuple[torch.Tensor, None]:
    plain = not any(kwargs.get(name) for name in ("dropout", "softcap")) and "position_bias" not in kwargs
    mask_fits = attention_mask is None or attention_mask.dtype == torch.bool
    if not plain or not mask_fits or value.dtype != torch.bfloat16 or key.shape[2] > _MAX_KEYS:
        return sdpa_attention_forward(module, query, key, value, attention_mask, **kwargs)
    if attention_mask is None and query.shape[2] > 1:
        attention_mask = query.new_ones(query.shape[2], key.shape[2], dtype=torch.bool).tril()
    scale = kwargs.get("scaling") or query.shape[-1] ** -0.5
    return _products(query * scale, key, value, attention_mask), None


def _products(
    q_BHTE: torch.Tensor, k_BKSE: torch.Tensor, v_BKSE: torch.Tensor, mask: torch.Tensor | None
) -> torch.Tensor:
    """softmax(q kᵀ) v with bf16 products and an fp32 softmax; H/K query heads share a key."""
    (B, H, T, E), (K, S) = q_BHTE.shape, k_BKSE.shape[1:3]
    q, k = (one.to(v_BKSE.dtype) for one in (q_BHTE, k_BKSE))
    scores_BHTS = (q.reshape(B, K, H // K * T, E) @ k.transpose(2, 3)).float().view(B, H, T, S)
    if mask is not None:  # added in place, because filling has a backward pass of its own
        bias = torch.zeros(mask.shape, device=mask.device).masked_fill(~mask, torch.finfo(torch.float32).min)
        scores_BHTS = scores_BHTS.add_(bias)
    weights_BHTS = scores_BHTS.softmax(-1).to(v_BKSE.dtype)
    y_BHTE = (weights_BHTS.view(B, K, H // K * T, S) @ v_BKSE).view(B, H, T, v_BKSE.shape[-1])
    return y_BHTE.transpose(1, 2).contiguous()


def attend_by_products(model: PreTrainedModel) -> None:
    """Make a model attend to short contexts by matrix products, under bf16 autocast on the CPU.

    Forward and backward pass of torch's kernels take 1.2 to 2.5 times as long in fp32, and 1.2 to 7 times as
    long in bf16, for heads of 32 to 128 and 64 to 256 tokens (torch 2.13, AMX).

    Args:
        model: The model; one without interchangeable attention is left as it is.
    """
    if getattr(model.config.get_text_config(), "_attn_implementation", None) != "sdpa":
        return
    AttentionInterface.register(_NAME, _attend)
    AttentionMaskInterface.register(_NAME, sdpa_mask)
    model.set_attn_implementation(_NAME)
