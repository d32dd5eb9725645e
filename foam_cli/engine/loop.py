"""The training loop. It reads top to bottom: one turn is one optimizer step and whatever is due after it."""

import math
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import partial

import torch
from torch import nn
from torch.nn import functional as F
from transformers import PreTrainedModel

from foam_cli.core.errors import TrainingError
from foam_cli.core.growth import GrowthRecord
from foam_cli.core.settings import Settings
from foam_cli.data.batching import IGNORED, Batch
from foam_cli.engine.defences import Defences, Penalties
from foam_cli.engine.display import Display
from foam_cli.engine.folder import RunFolder
from foam_cli.engine.grow import Grower
from foam_cli.engine.machine import autocast
from foam_cli.engine.measure import Measurements
from foam_cli.engine.optimizers import Optimizers
from foam_cli.engine.prepare import TrainingData
from foam_cli.engine.row_losses import losses_of_rows
from foam_cli.engine.state import RunState
from foam_cli.growth.context import Pool
from foam_cli.model.heads import LogitsAt, logits_at

#: Growth methods that want gradients see half a step's tokens, and at most so many: they are all kept.
MEASURE_TOKENS = 4096
#: Second moments of what the FFNs see are taken over so many tokens, or so many per dimension where that
#: is more; they are summed up and not kept.
MOMENT_TOKENS, MOMENT_TOKENS_PER_DIMENSION = 4096, 4


@dataclass(frozen=True, kw_only=True)
class Loop:
    """What the loop works with.

    Attributes:
        settings: The whole configuration.
        model: The model, growable where growth is on; never compiled, so that it can be given hooks.
        head: Its output layer, from `direct_head`.
        logits: `logits_at`, or `logits_at` compiled.
        data: Batches.
        optimizers: Of pretrained parameters and of what growth adds.
        grower: Carries growth out, or None where growth is off.
        defences: Penalties on forgetting.
        last_step: Where this stage ends; all stages count their steps on.
        folder: Where rows are logged.
        display: Shows the progress.
        evaluate: Asks the evaluation tasks after a step.
        save: Writes a checkpoint.
        should_stop: True once the user wants the run to end.
    """

    settings: Settings
    model: PreTrainedModel
    head: nn.Module | None
    logits: LogitsAt
    data: TrainingData
    optimizers: Optimizers
    grower: Grower | None
    defences: Defences
    last_step: int
    folder: RunFolder
    display: Display
    evaluate: Callable[[int], None]
    save: Callable[[RunState], None]
    should_stop: Callable[[], bool]

    def uncompiled(self) -> "Loop":
        """The same loop for passes in which hooks must run, or that would be compiled for one use."""
        return replace(self, logits=logits_at)


def train(loop: Loop, state: RunState) -> bool:
    """Train until the last step of a stage.

    Args:
        loop: What to work with.
        state: Where the run is; advanced in place.

    Returns:
        True when its steps are done, False when the user stopped the run; a checkpoint is written then.
    """
    t, last = loop.settings.train, loop.last_step
    validation = [batch.to(loop.settings.hardware.device) for batch in loop.data.validation_batches()]
    loop.model.train()
    if loop.grower is not None and state.step == 0:
        grow(loop, loop.grower, state)
    with loop.display.bar("training", total=loop.settings.total_steps, done=state.step) as update:
        while state.step < last:
            if loop.should_stop():
                loop.save(state)
                return False

            started = time.monotonic()
            batches: list[Batch] = []
            for _ in range(t.accumulate):
                batch, state.replay = loop.data.next_batch(
                    state.step * t.accumulate + len(batches), state.replay
                )
                batches.append(batch.to(loop.settings.hardware.device))
            state.stream = loop.data.stream.state()

            watch = loop.grower and loop.grower.watch(state.step)
            with watch or nullcontext():
                rows: list[torch.Tensor] | None = [] if loop.data.reads_losses else None
                loss, penalties = forward_backward(loop.uncompiled() if watch else loop, batches, rows)
            penalties |= loop.defences.pull()
            if rows is not None:
                state.replay = loop.data.note_losses(batches, rows, state.replay)
            norm = clip_gradients(loop.optimizers.parameters(), t.clip_norm)
            check_finite(loss, norm, state.step + 1, batches)
            lr = loop.grower.step(state.step) if loop.grower else loop.optimizers.step(state.step, {}, float)
            state.step += 1
            state.note_work(batches)
            state.tokens += sum(batch.num_tokens for batch in batches)
            seconds = time.monotonic() - started
            state.seconds += seconds

            if due(state.step, t.log_every_steps, last):
                tokens_per_second = sum(batch.num_tokens for batch in batches) / seconds
                row = {"step": state.step, "loss": loss, "lr": lr, "grad_norm": norm, "tokens": state.tokens}
                row |= {"penalties": {k: float(v) for k, v in penalties.items()}} if penalties else {}
                loop.folder.log({**row, "tokens_per_second": round(tokens_per_second)})
                update(state.step, f"loss {loss:.3f}  {state.tokens / state.seconds:,.0f} tok/s")
            if due(state.step, t.validate_every_steps, last):
                nats = validation_loss(loop, validation)
                state.validation.append((state.step, nats))
                loop.folder.log({"step": state.step, "validation_loss": nats})
            if loop.grower is not None and state.step < last:
                grow(loop, loop.grower, state)
            if due(state.step, loop.settings.evaluation["every_steps"], None) and state.step < last:
                loop.evaluate(state.step)
            if due(state.step, loop.settings.checkpoint.every_steps, last):
                loop.save(state)
    loop.model.eval()
    return True


def due(step: int, every: int | None, last: int | None) -> bool:
    """Say whether something that happens every so many steps happens now.

    Args:
        step: Steps taken.
        every: The interval, or None for never.
        last: A step at which it happens in any case, or None.

    Returns:
        Whether it is time.
    """
    return (every is not None and step % every == 0) or step == last


def forward_backward(
    loop: Loop, batches: list[Batch], row_losses: list[torch.Tensor] | None = None
) -> tuple[float, Penalties]:
    """Accumulate the gradient of the mean loss per target over all batches, and of penalties on answers.

    Args:
        loop: What to work with.
        batches: The batches of one optimizer step.
        row_losses: Where the mean loss of every row is appended, batch by batch; or None.

    Returns:
        That loss in nats, and the penalties, which are no part of it.
    """
    learnt = [loop.defences.learnt(batch) for batch in batches]
    num_targets = sum(batch.num_targets for batch in learnt)
    total = torch.zeros((), device=loop.model.device)
    penalties: Penalties = {}
    for batch, own in zip(batches, learnt, strict=True):
        logits_NV = target_logits(loop, batch)
        loss = cross_entropy(logits_NV, own) / num_targets
        held = loop.defences.of_answers(logits_NV, batch, batches)
        objective = sum(held.values(), loss)
        if row_losses is not None:
            row_losses.append(losses_of_rows(logits_NV, batch))
        del logits_NV  # the widest tensor of all, and the backward pass may do without it
        if objective.requires_grad:  # a frozen model in which nothing has been born yet has nothing to learn
            objective.backward()
        total += loss.detach()
        for name, value in held.items():
            penalties[name] = penalties.get(name, 0) + value.detach()
    return float(total), penalties


def target_logits(loop: Loop, batch: Batch) -> torch.Tensor:
    """Logits at the targets of a batch.

    Args:
        loop: What to work with.
        batch: The batch.

    Returns:
        One row per target, and for each that only fills up.
    """
    with autocast(loop.settings.hardware):
        return loop.logits(loop.model, loop.head, batch.input_ids_BT, batch.target_positions_N)


def cross_entropy(logits_NV: torch.Tensor, batch: Batch) -> torch.Tensor:
    """Cross-entropy summed over the targets of a batch, in fp32.

    Args:
        logits_NV: From `target_logits`.
        batch: The batch.

    Returns:
        The sum, in nats.
    """
    return F.cross_entropy(logits_NV.float(), batch.target_ids_N, ignore_index=IGNORED, reduction="sum")


def target_loss(loop: Loop, batch: Batch) -> torch.Tensor:
    """Cross-entropy of a batch.

    Args:
        loop: What to work with.
        batch: The batch.

    Returns:
        The sum over its targets, in nats.
    """
    return cross_entropy(target_logits(loop, batch), batch)


@torch.no_grad()
def validation_loss(loop: Loop, batches: list[Batch]) -> float:
    """Mean loss per target on the examples set apart.

    Args:
        loop: What to work with.
        batches: The validation batches.

    Returns:
        The loss in nats.
    """
    loop.model.eval()
    total = sum(float(target_loss(loop, batch)) for batch in batches)
    loop.model.train()
    return total / sum(batch.num_targets for batch in batches)


def clip_gradients(parameters: list[nn.Parameter], clip_norm: float | None) -> float:
    """Scale gradients down to a global norm.

    Args:
        parameters: What is trained.
        clip_norm: The norm, or None for no clipping.

    Returns:
        The norm before clipping.
    """
    norm = torch.nn.utils.clip_grad_norm_(
        parameters, math.inf if clip_norm is None else clip_norm, foreach=True
    )
    return float(norm)


def check_finite(loss: float, norm: float, step: int, batches: list[Batch]) -> None:
    """Stop before a step that would destroy the model.

    Args:
        loss: The loss.
        norm: The gradient's norm.
        step: The step that would be taken.
        batches: Its batches.

    Raises:
        TrainingError: One of the two is not a finite number.
    """
    if math.isfinite(loss) and math.isfinite(norm):
        return
    what = f"the loss is {loss}" if not math.isfinite(loss) else f"the gradient's norm is {norm}"
    names = [name for batch in batches for name in batch.names]
    raise TrainingError(
        f"step {step}: {what}, so the step was not taken. Batch: {', '.join(names[:8])}"
        f"{' ...' if len(names) > 8 else ''}. Lower train.lr or look at these examples; the last "
        "checkpoint is whole."
    )


def grow(loop: Loop, grower: Grower, state: RunState) -> None:
    """Let the policy decide; carry its plan out, measure what it changed, and tell.

    Args:
        loop: What to work with.
        grower: Carries growth out.
        state: Where the run is.
    """
    started = time.monotonic()
    loop = loop.uncompiled()
    measure = measurements(loop, state.step)
    plan, state.growth = grower.plan(state, measure)
    if plan is None:
        return
    probe = loop.data.probe().to(loop.settings.hardware.device)
    before_NV = probe_logits(loop, probe)
    record = grower.apply(plan, state.step)
    loop.defences.after_growth()
    after_NV = probe_logits(loop, probe)
    record = measured(record, before_NV, after_NV, probe.target_ids_N, time.monotonic() - started)
    state.records.append(record)
    loop.folder.log_growth(record)
    loop.display.growth(record)


def measurements(loop: Loop, step: int) -> Measurements:
    """What growth methods may ask for after a step.

    Args:
        loop: What to work with.
        step: Optimizer steps done.

    Returns:
        Passes that are taken when asked for.
    """
    t, width = loop.settings.train, loop.model.config.get_text_config().hidden_size
    num_kept = min(t.batch_tokens * t.accumulate // 2, MEASURE_TOKENS)
    num_summed = max(MOMENT_TOKENS, MOMENT_TOKENS_PER_DIMENSION * width)
    losses = partial(measuring_losses, loop, step)
    return Measurements(loop.model, partial(losses, num_kept), partial(losses, num_summed))


def measuring_losses(loop: Loop, step: int, num_tokens: int, pool: Pool) -> list[Callable[[], torch.Tensor]]:
    """The mean loss per target on a few batches, as parts that add up to it.

    Args:
        loop: What to work with.
        step: Optimizer steps done; the batches depend on it.
        num_tokens: How many tokens of them.
        pool: Which data.

    Returns:
        Each call gives one batch's part, with its graph.
    """
    measured = loop.data.measuring_batches(pool, step, num_tokens)
    batches = [batch.to(loop.settings.hardware.device) for batch in measured]
    num_targets = sum(batch.num_targets for batch in batches)
    return [lambda batch=batch: target_loss(loop, batch) / num_targets for batch in batches]


@torch.no_grad()
def probe_logits(loop: Loop, probe: Batch) -> torch.Tensor:
    """Logits on the probe batch.

    Args:
        loop: What to work with.
        probe: The probe.

    Returns:
        One row per target of the probe, in fp32.
    """
    was_training = loop.model.training
    loop.model.eval()
    with autocast(loop.settings.hardware):
        logits_NV = logits_at(loop.model, loop.head, probe.input_ids_BT, probe.target_positions_N)
    loop.model.train(was_training)
    return logits_NV.float()


def measured(
    record: GrowthRecord,
    before_NV: torch.Tensor,
    after_NV: torch.Tensor,
    targets_N: torch.Tensor,
    seconds: float,
) -> GrowthRecord:
    """Complete the record of an event with what it changed.

    Args:
        record: The event.
        before_NV: Logits before it.
        after_NV: Logits after it.
        targets_N: The right tokens.
        seconds: Time it took.

    Returns:
        The complete record.
    """
    return replace(
        record,
        max_abs_dlogits=float((after_NV - before_NV).abs().max()),
        loss_before_nats=float(F.cross_entropy(before_NV, targets_N)),
        loss_after_nats=float(F.cross_entropy(after_NV, targets_N)),
        seconds=round(seconds, 3),
    )
