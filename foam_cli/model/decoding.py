"""Writing with a cache: many rows at once, token by token, whoever chooses the tokens.

Rows are padded on the left; those that have finished leave the batch, cache and all, so that one long row
does not hold up the others.
"""

import inspect
from collections.abc import Callable, Sequence
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor
from transformers import PreTrainedModel

DROP_FRAC = 0.25
"""A batch is shrunk when this fraction of its rows has finished: shrinking copies the cache."""

#: From the next token's logits and the numbers of the rows they belong to, to the tokens.
Choose = Callable[[Float[Tensor, "B V"], Sequence[int]], Int[Tensor, " B"]]
#: Is told a row's next token, and says whether the row goes on.
Take = Callable[[int, int], bool]


def write_batch(
    model: PreTrainedModel, prompts: Sequence[list[int]], max_new_tokens: int, choose: Choose, take: Take
) -> None:
    """Continue prompts token by token.

    Args:
        model: The model, in evaluation mode; nothing here keeps a graph away.
        prompts: Token ids of each row; at least one each.
        max_new_tokens: No row gets more.
        choose: Chooses tokens; what it chooses for a row that has finished is passed over.
        take: Told every token of a row that has not finished.
    """
    step, cached = _decoder(model), _cache_name(model)
    open_rows = list(range(len(prompts)))
    done = [False] * len(prompts)
    input_BT, mask_BT = (tensor.to(model.device) for tensor in _left_padded(prompts))
    cache: Any = None
    for _ in range(max_new_tokens):
        out = step(input_BT, mask_BT, cache)
        next_B = choose(out.logits[:, -1], open_rows)
        cache = getattr(out, cached)
        for row, token in zip(open_rows, next_B.tolist(), strict=True):
            done[row] = done[row] or not take(row, token)
        alive = [place for place, row in enumerate(open_rows) if not done[row]]
        if not alive:
            break
        input_BT = next_B[:, None]
        mask_BT = torch.cat([mask_BT, mask_BT.new_ones(len(open_rows), 1)], 1)
        if len(alive) <= (1 - DROP_FRAC) * len(open_rows):
            kept = torch.tensor(alive, device=model.device)
            cache.batch_select_indices(kept)
            input_BT, mask_BT = input_BT[kept], mask_BT[kept]
            open_rows = [open_rows[place] for place in alive]


def _decoder(model: PreTrainedModel) -> Callable[..., Any]:
    """The forward pass with a cache, computing logits only where the next token comes from."""
    names = inspect.signature(model.forward).parameters
    last_only: dict[str, Any] = {"logits_to_keep": 1} if "logits_to_keep" in names else {}
    positions, cached = "position_ids" in names, _cache_name(model)

    def step(input_ids: Tensor, mask: Tensor, cache: Any) -> Any:
        if positions:
            ids = (mask.cumsum(1) - 1).clamp(min=0)[:, -input_ids.shape[1] :]
            last_only["position_ids"] = ids
        return model(input_ids=input_ids, attention_mask=mask, use_cache=True, **{cached: cache}, **last_only)

    return step


def _cache_name(model: PreTrainedModel) -> str:
    """What the cache is called, going in and coming out; transformers 5.24 renamed it."""
    return "cache" if "cache" in inspect.signature(model.forward).parameters else "past_key_values"


def _left_padded(rows: Sequence[list[int]]) -> tuple[Int[Tensor, "B T"], Int[Tensor, "B T"]]:
    width = max(len(row) for row in rows)
    ids = [row[:1] * (width - len(row)) + row for row in rows]
    mask = [[0] * (width - len(row)) + [1] * len(row) for row in rows]
    return torch.tensor(ids), torch.tensor(mask)
