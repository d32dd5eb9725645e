"""How well the model does on every example of a batch."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import PreTrainedModel

from foam_cli.core.settings import HardwareSettings
from foam_cli.data.batching import IGNORED, Batch, collate, plan_epoch
from foam_cli.data.corpus import Corpus
from foam_cli.engine.display import Display
from foam_cli.engine.machine import autocast
from foam_cli.model.heads import direct_head, logits_at
from foam_cli.model.probe import evaluating


def row_means(losses_N: Float[Tensor, " N"], batch: Batch) -> Float[Tensor, " B"]:
    """Average the losses of each row's targets.

    Args:
        losses_N: The loss of every target, 0 where a position only fills N up.
        batch: The batch.

    Returns:
        One mean per row, in nats; 0 for a row without a target. On the CPU, where sums round the same every
        time.
    """
    rows_N = (batch.target_positions_N // batch.input_ids_BT.shape[1]).cpu()
    real_N = (batch.target_ids_N != IGNORED).cpu().float()
    sums_B = torch.zeros(len(batch.input_ids_BT))
    counts_B = sums_B.clone().index_add_(0, rows_N, real_N)
    return sums_B.index_add_(0, rows_N, losses_N.detach().float().cpu() * real_N) / counts_B.clamp(min=1)


@torch.no_grad()
def losses_of_rows(logits_NV: Float[Tensor, "N V"], batch: Batch) -> Float[Tensor, " B"]:
    """The mean loss of each row's targets.

    Args:
        logits_NV: Logits at the batch's targets.
        batch: The batch.

    Returns:
        One mean per row, in nats, on the CPU.
    """
    losses_N = F.cross_entropy(logits_NV.float(), batch.target_ids_N, ignore_index=IGNORED, reduction="none")
    return row_means(losses_N, batch)


@torch.no_grad()
def corpus_losses(
    model: PreTrainedModel,
    corpus: Corpus,
    *,
    pad_id: int,
    batch_tokens: int,
    hardware: HardwareSettings,
    display: Display,
) -> list[float]:
    """Measure the model's loss on every example.

    Args:
        model: The model.
        corpus: The examples.
        pad_id: The token to pad with.
        batch_tokens: Token budget of one forward pass.
        hardware: Where and how to compute.
        display: Shows the progress.

    Returns:
        Mean nats per target of each example, in their order.
    """
    found = [0.0 for _ in range(len(corpus))]
    plan = plan_epoch(corpus.lengths, batch_tokens, 0, 0)
    head: nn.Module | None = direct_head(model)
    with evaluating(model), display.bar("measuring difficulty", total=len(plan)) as update:
        for done, indices in enumerate(plan, 1):
            batch = collate([corpus.example(i) for i in indices], pad_id, _names(indices)).to(hardware.device)
            with autocast(hardware):
                logits_NV = logits_at(model, head, batch.input_ids_BT, batch.target_positions_N)
            for index, loss in zip(indices, losses_of_rows(logits_NV, batch).tolist(), strict=True):
                found[index] = loss
            update(done)
    return found


def _names(indices: Sequence[int]) -> list[str]:
    return [f"example {index}" for index in indices]
