"""Who takes part in train_speed.py: foam, a bare PyTorch loop, transformers' Trainer."""

import os
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.console import Console
from torch import nn
from torch.nn import functional as F
from train_speed_case import IGNORED, SEED, Case, Clock, Tokens
from transformers import PreTrainedModel

from foam_cli.core.settings import Settings
from foam_cli.data.batching import padded
from foam_cli.engine import machine
from foam_cli.engine.defences import Defences
from foam_cli.engine.display import Display
from foam_cli.engine.folder import RunFolder
from foam_cli.engine.grow import Grower
from foam_cli.engine.loop import Loop, train
from foam_cli.engine.optimizers import Optimizers, lr_factor, select_trainable
from foam_cli.engine.state import RunState
from foam_cli.model.heads import direct_head, logits_at
from foam_cli.model.neurons import GrowableFFN, make_growable

Contestant = Callable[[Case, PreTrainedModel, Clock], list[Tokens]]


def foam_with_growth(case: Case, model: PreTrainedModel, clock: Clock) -> list[Tokens]:
    return _foam(case, case.settings, model, clock)


def foam_without_growth(case: Case, model: PreTrainedModel, clock: Clock) -> list[Tokens]:
    return _foam(case, case.without_growth, model, clock)


def _foam(case: Case, s: Settings, model: PreTrainedModel, clock: Clock) -> list[Tokens]:
    state = train_with_foam(case, s, model, clock)
    tokens = case.planned_tokens()
    assert state.tokens == sum(batch.real for batch in tokens)
    return tokens


def train_with_foam(
    case: Case,
    s: Settings,
    model: PreTrainedModel,
    clock: Clock,
    *,
    prepare: Callable[[Sequence[GrowableFFN]], None] = lambda _: None,
    backend: str = "inductor",
) -> RunState:
    """Foam's own loop, with its progress display, its log and its neuron statistics.

    Args:
        case: What is shared.
        s: The settings.
        model: What to train.
        clock: Told at the start of every step.
        prepare: Changes the banks before anything else.
        backend: What compiles where `hardware.compile` is set.

    Returns:
        What the loop left.
    """
    machine.set_up(s.hardware, SEED)
    machine.suit(model, s.hardware)
    # Methods that look at old data look at the examples themselves: it costs the same.
    data = replace(case.data, stream=case.stream(), old=case.data.train)
    width = model.config.get_text_config().intermediate_size
    ffns = make_growable(model, s.growth.capacity(s.train.steps, width)) if s.growth else []
    prepare(ffns)
    optimizers = Optimizers(model, s.train, s.hardware)
    state = RunState(growth=s.growth.initial_state() if s.growth else {})

    def starts_a_step() -> bool:  # the loop asks this first in every step
        clock.tick()
        return False

    with Path(os.devnull).open("w") as nowhere, tempfile.TemporaryDirectory() as folder:
        loop = Loop(
            settings=s,
            model=model,
            head=direct_head(model),
            logits=torch.compile(logits_at, backend=backend) if s.hardware.compile else logits_at,
            data=data,
            optimizers=optimizers,
            grower=Grower(s, model, ffns, optimizers) if s.growth else None,
            last_step=s.train.steps,
            defences=Defences(
                model=model, pretrained={}, answers={}, weights={}, states={}, kept_in=Path(folder)
            ),
            folder=RunFolder(Path(folder)),
            display=Display(Console(file=nowhere, force_terminal=True)),
            evaluate=lambda _: None,
            save=lambda _: None,
            should_stop=starts_a_step,
        )
        train(loop, state)
    return state


def bare_loop(case: Case, model: PreTrainedModel, clock: Clock) -> list[Tokens]:
    """A good loop without a framework: same batches, no mask, fused AdamW, nothing waits for the device."""
    t, hardware = case.settings.train, case.settings.hardware
    torch.use_deterministic_algorithms(False)
    stream, pad_id = case.stream(), case.data.pad_id
    parameters = [parameter for _, parameter in select_trainable(model, t)]
    optimizer = torch.optim.AdamW(
        parameters, lr=t.lr, betas=(t.beta1, t.beta2), weight_decay=t.weight_decay, fused=True
    )
    model.train()
    for step in range(t.steps):
        clock.tick()
        ids_BT, next_BT = _collate(case, stream.next(), pad_id)
        with machine.autocast(hardware):
            logits_BTV = model(input_ids=ids_BT, use_cache=False).logits
        loss = F.cross_entropy(logits_BTV.float().flatten(0, 1), next_BT.flatten(), ignore_index=IGNORED)
        loss.backward()
        nn.utils.clip_grad_norm_(parameters, t.clip_norm, foreach=True)
        for group in optimizer.param_groups:
            group["lr"] = t.lr * lr_factor(step, t)
        optimizer.step()
        optimizer.zero_grad()
        if step % t.log_every_steps == 0:
            float(loss.detach())
    return case.planned_tokens()


def _collate(case: Case, indices: Sequence[int], pad_id: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Right-padded tokens, and beside each the next one where that is learnt."""
    examples = [case.data.train.example(index) for index in indices]
    shape = (len(examples), padded(max(len(one.ids) for one in examples)))
    ids, following = np.full(shape, pad_id, np.int64), np.full(shape, IGNORED, np.int64)
    for row, one in enumerate(examples):
        length = len(one.ids)
        ids[row, :length] = one.ids
        following[row, : length - 1] = np.where(one.targets, one.ids, IGNORED)[1:]
    device = case.settings.hardware.device
    return (
        torch.from_numpy(ids).to(device, non_blocking=True),
        torch.from_numpy(following).to(device, non_blocking=True),
    )


def trainer_shuffled(case: Case, model: PreTrainedModel, clock: Clock) -> list[Tokens]:
    return _trainer(case, model, clock, by_length=False)


def trainer_by_length(case: Case, model: PreTrainedModel, clock: Clock) -> list[Tokens]:
    return _trainer(case, model, clock, by_length=True)


def _trainer(case: Case, model: PreTrainedModel, clock: Clock, *, by_length: bool) -> list[Tokens]:
    """The Trainer with its own sampler, collation and loss; nothing is logged, saved or evaluated."""
    from transformers import (
        DataCollatorForSeq2Seq,
        PrinterCallback,
        Trainer,
        TrainerCallback,
        TrainingArguments,
    )

    class StepStarts(TrainerCallback):
        def on_step_begin(self, *_args: Any, **_kwargs: Any) -> None:
            clock.tick()

    t, hardware = case.settings.train, case.settings.hardware
    torch.use_deterministic_algorithms(False)
    select_trainable(model, t)
    rows = rows_per_batch(case.data.train.lengths, t.batch_tokens, by_length=by_length)
    tokens: list[Tokens] = []
    pad = DataCollatorForSeq2Seq(case.tokenizer)

    def collate(features: list[dict[str, Any]]) -> dict[str, torch.Tensor]:
        batch = pad(features)
        real = sum(len(one["input_ids"]) for one in features)
        tokens.append(Tokens(real=real, padded=batch["input_ids"].numel()))
        return batch

    with tempfile.TemporaryDirectory() as folder:
        arguments = TrainingArguments(
            output_dir=folder,
            max_steps=t.steps,
            per_device_train_batch_size=rows,
            train_sampling_strategy="group_by_length" if by_length else "random",
            optim="adamw_torch_fused",
            learning_rate=t.lr,
            weight_decay=t.weight_decay,
            adam_beta1=t.beta1,
            adam_beta2=t.beta2,
            max_grad_norm=t.clip_norm,
            warmup_steps=t.warmup_steps,
            bf16=hardware.precision == "bf16_autocast",
            use_cpu=hardware.device == "cpu",
            dataloader_pin_memory=hardware.device == "cuda",
            logging_strategy="no",
            save_strategy="no",
            report_to="none",
            disable_tqdm=True,
            remove_unused_columns=False,
            seed=SEED,
        )
        dataset: Any = _features(case)
        trainer = Trainer(
            model=model,
            args=arguments,
            train_dataset=dataset,
            data_collator=collate,
            callbacks=[StepStarts()],
        )
        trainer.remove_callback(PrinterCallback)
        trainer.train()
    return tokens


def _features(case: Case) -> list[dict[str, list[int]]]:
    corpus = case.data.train
    examples = [corpus.example(index) for index in range(len(corpus))]
    return [
        {
            "input_ids": np.asarray(one.ids).tolist(),
            "attention_mask": [1] * len(one.ids),
            "labels": np.where(one.targets, one.ids, IGNORED).tolist(),
        }
        for one in examples
    ]


def rows_per_batch(lengths: np.ndarray[Any, Any], batch_tokens: int, *, by_length: bool) -> int:
    """How many examples per batch fill the token budget on average, padding to the longest included.

    Args:
        lengths: Tokens of every example.
        batch_tokens: The budget.
        by_length: Whether batches hold examples of similar length; else any.

    Returns:
        The number whose mean padded size is nearest to the budget.
    """
    order = np.argsort(lengths) if by_length else np.random.default_rng(SEED).permutation(len(lengths))
    candidates = range(1, max(2, min(len(lengths), batch_tokens // int(lengths.min())) + 1))

    def miss(rows: int) -> float:
        whole = len(lengths) // rows * rows
        longest = lengths[order[:whole]].reshape(-1, rows).max(axis=1)
        return abs(rows * float(longest.mean()) - batch_tokens)

    return min(candidates, key=miss)


CONTESTANTS: dict[str, Contestant] = {
    "foam": foam_with_growth,
    "foam-growth-off": foam_without_growth,
    "bare": bare_loop,
    "trainer": trainer_shuffled,
    "trainer-by-length": trainer_by_length,
}
