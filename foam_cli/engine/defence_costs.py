"""What regularizers hold, and need for a moment: their own code, run on tensors without memory."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn
from transformers import PreTrainedModel

from foam_cli.core.settings import Settings
from foam_cli.data.batching import Batch
from foam_cli.engine.defences import Defences, pretrained_that_learn
from foam_cli.engine.machine import autocast
from foam_cli.engine.teachers import DetachedTeacher, KeptTeacher, Teacher, keeps_the_base
from foam_cli.model.heads import logits_at
from foam_cli.model.probe import evaluating
from foam_cli.model.trace import Recorder, unpacked
from foam_cli.regularizers.protocols import AnswerPenalty, Look, Pass, WeightPenalty


def held_by_regularizers(model: nn.Module, settings: Settings) -> int:
    """What penalties on weights remember; a teacher is the model itself, or is mapped from disk.

    Args:
        model: The model, in any period: what grows is not remembered.
        settings: The configuration.

    Returns:
        Bytes.
    """
    methods = [one for one in settings.regularizer.values() if isinstance(one, WeightPenalty)]
    if not methods:
        return 0
    pretrained = pretrained_that_learn(model)
    return sum(sum(method.memory_bytes(pretrained).values()) for method in methods)


# ---------------------------------------------------------------- penalties on answers


@dataclass(frozen=True, kw_only=True)
class _KeptOnShapes:
    """Answers as they come from disk: so many at every token of every row."""

    tokens: int
    top_k: int
    num_bytes = 0

    def of(self, numbers: Sequence[int]) -> tuple[torch.Tensor, torch.Tensor]:
        """Log-probabilities and tokens of some rows."""
        places = len(numbers) * self.tokens
        return torch.zeros(places, self.top_k + 1), torch.zeros(places, self.top_k, dtype=torch.int64)


def penalty_on_shapes(
    model: PreTrainedModel, head: nn.Module | None, settings: Settings, shape_BT: tuple[int, int]
) -> Callable[[torch.Tensor], torch.Tensor] | None:
    """Set up what a pass computes beside the cross-entropy.

    Args:
        model: The model, of fake tensors.
        head: Its output layer where that alone makes logits.
        settings: The configuration.
        shape_BT: Rows and tokens per row of the batch.

    Returns:
        From logits at every token of the batch to the sum of all penalties; None where there are none.
    """

    def teacher(method: AnswerPenalty) -> Teacher:
        if keeps_the_base(settings):
            return DetachedTeacher(method, model, head, settings.hardware)
        kept = _KeptOnShapes(tokens=shape_BT[1], top_k=method.top_k)
        return KeptTeacher(method.on, {"new": kept, "old": kept}, settings.hardware.device)

    answers = {
        name: (method, teacher(method))
        for name, method in settings.regularizer.items()
        if isinstance(method, AnswerPenalty)
    }
    if not answers:
        return None
    batch = _batch(settings, shape_BT)
    defences = Defences(model=model, pretrained={}, answers=answers, weights={}, states={}, kept_in=Path())
    return lambda logits_NV: sum(
        defences.of_answers(logits_NV, batch, [batch]).values(), start=torch.zeros(())
    )


def _batch(settings: Settings, shape_BT: tuple[int, int]) -> Batch:
    """The largest batch, every token of it a target."""
    rows, tokens = shape_BT
    replayed = _num_replayed(settings, rows)
    places_N = torch.zeros(rows * tokens, dtype=torch.int64)
    return Batch(
        input_ids_BT=torch.zeros(shape_BT, dtype=torch.int64),
        target_positions_N=places_N,
        target_ids_N=places_N,
        num_targets=rows * tokens,
        num_tokens=rows * tokens,
        names=[],
        numbers=list(range(rows)),
        num_new_rows=rows - replayed,
        num_old_targets=replayed * tokens,
    )


def _num_replayed(settings: Settings, rows: int) -> int:
    """Rows that are replayed; the only row of a batch may be one of them, which then is what needs most."""
    if settings.replay is None:
        return 0
    new = next((new for new in range(rows, 0, -1) if new + settings.replay.count(new) <= rows), 0)
    return rows - new


# ---------------------------------------------------------------- penalties on weights


@dataclass(frozen=True, kw_only=True)
class WeightCosts:
    """What penalties on weights need for a moment, beside weights, states and optimizers.

    Attributes:
        pull_bytes: While they add their gradients to those that are there.
        stage_bytes: While they take in what a stage has taught; 0 where no stage follows another.
    """

    pull_bytes: int
    stage_bytes: int


def weight_costs(
    model: PreTrainedModel, head: nn.Module | None, settings: Settings, tokens: int
) -> WeightCosts:
    """Let penalties on weights do what they do.

    Args:
        model: The model, of fake tensors.
        head: Its output layer where that alone makes logits.
        settings: The configuration.
        tokens: Of the longest example.

    Returns:
        What they need.
    """
    weights = {name: one for name, one in settings.regularizer.items() if isinstance(one, WeightPenalty)}
    if not weights:
        return WeightCosts(pull_bytes=0, stage_bytes=0)
    pretrained = pretrained_that_learn(model)
    nothing = Look(passes=lambda _: iter(()), seed=settings.seed)
    states = {name: method.begin(pretrained, nothing) for name, method in weights.items()}
    defences = Defences(
        model=model, pretrained=pretrained, answers={}, weights=weights, states=states, kept_in=Path()
    )
    known = [*model.parameters(), *model.buffers(), *(one for s in states.values() for one in s.values())]

    def most(do: Callable[[], object]) -> int:
        recorder = Recorder()
        recorder.keep_out(known)
        recorder.keep_out(one.grad for one in model.parameters() if one.grad is not None)
        with recorder:
            do()
        return sum(recorder.fullest.values())

    look = Look(passes=lambda _: _one_pass(model, head, settings, tokens), seed=settings.seed)
    stages = [method for method in weights.items() if len(settings.stages) > 1]
    stage_bytes = [most(lambda m=m, n=n: m.end_stage(pretrained, look, states[n])) for n, m in stages]
    for parameter in model.parameters():
        parameter.grad = torch.zeros_like(parameter) if parameter.requires_grad else None
    pull_bytes = most(defences.pull)
    model.zero_grad()
    return WeightCosts(pull_bytes=pull_bytes, stage_bytes=max([0, *stage_bytes]))


def _one_pass(
    model: PreTrainedModel, head: nn.Module | None, settings: Settings, tokens: int
) -> Iterator[Pass]:
    """The longest example."""
    ids_1T = torch.zeros(1, tokens, dtype=torch.int64)
    with unpacked(), evaluating(model), autocast(settings.hardware):
        logits_NV = logits_at(model, head, ids_1T, ids_1T[0])
    yield logits_NV.float(), ids_1T[0]
