"""What the runs of a benchmark share: model, examples, budget, and the clock that times them."""

import argparse
import copy
import functools
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from transformers import PreTrainedModel, Qwen2Config, Qwen2ForCausalLM

from foam_cli import config
from foam_cli.core.seeds import derive_seed
from foam_cli.core.settings import Settings
from foam_cli.data.batching import BatchStream, padded
from foam_cli.data.nanoworld.corpus import base_documents
from foam_cli.data.nanoworld.tokenizer import train_tokenizer
from foam_cli.engine import machine
from foam_cli.engine.prepare import TrainingData, prepare_data
from foam_cli.engine.run import build_settings
from foam_cli.model.loading import BaseModel

SEED = 0
VOCABULARY = 1536
CONTEXT = 512
#: Qwen2 shapes: hidden size, FFN width, blocks, heads, key-value heads.
SHAPES = {"nano": (192, 512, 4, 6, 2), "25m": (512, 1536, 8, 8, 2), "tiny": (32, 64, 2, 2, 1)}
#: What is measured when nothing else is asked for; tiny is for tests.
MODELS = ("nano", "25m")
PRECISIONS = ("fp32", "bf16_autocast")
IGNORED = -100


@dataclass(frozen=True, kw_only=True)
class Case:
    """One model in one precision: what all contestants share.

    Attributes:
        model_name: A key of `SHAPES`.
        overrides: The configuration without growth, as on the command line.
        settings: The configuration with growth, whose first event would come after the last timed step.
        without_growth: The same, growth off.
        model: The untrained weights that every contestant starts from.
        tokenizer: The model's tokenizer.
        data: The examples, and foam's batches.
        warmup: Steps before the clock starts.
    """

    model_name: str
    overrides: tuple[str, ...]
    settings: Settings
    without_growth: Settings
    model: PreTrainedModel
    tokenizer: Any
    data: TrainingData
    warmup: int

    def variant(self, *overrides: str) -> Settings:
        """The configuration with some settings changed.

        Args:
            overrides: The changes, as on the command line.

        Returns:
            The settings.
        """
        return build_settings(config.compose([*self.overrides, *overrides]).values)

    def stream(self) -> BatchStream:
        """The batches from the first one on, which foam and the bare loop both train on.

        Returns:
            The stream, at its start.
        """
        return BatchStream(self.data.train, self.data.batch_tokens, self.data.seed)

    def planned_tokens(self) -> list["Tokens"]:
        """Tokens of the first batches of `stream`.

        Returns:
            One entry per step of a run.
        """
        stream, lengths = self.stream(), self.data.train.lengths
        batches = [lengths[stream.next()] for _ in range(self.settings.train.steps)]
        return [Tokens(real=int(b.sum()), padded=len(b) * padded(int(b.max()))) for b in batches]


@dataclass(frozen=True, kw_only=True)
class Tokens:
    """Size of one batch.

    Attributes:
        real: Tokens of the examples.
        padded: Rows times columns.
    """

    real: int
    padded: int


class Clock:
    """Told at the start of every step; times from the end of the warm-up to the start of the last step."""

    def __init__(self, warmup: int, last: int) -> None:
        self.warmup = warmup
        self.last = last
        self.num_steps = 0
        self._marks: list[float] = []

    def tick(self) -> None:
        """Note that a step starts. A GPU is waited for only at the two ends."""
        if self.num_steps in (self.warmup, self.last):
            if torch.cuda.is_available():
                torch.cuda.synchronize()
            self._marks.append(time.perf_counter())
        self.num_steps += 1

    @property
    def seconds(self) -> float:
        """Time that the timed steps took."""
        return self._marks[1] - self._marks[0]

    def measured(self, tokens: Sequence[Tokens]) -> dict[str, Any]:
        """What the timed steps did.

        Args:
            tokens: Of every step, untimed ones included.

        Returns:
            Plain data for the results file.
        """
        seconds = self.seconds
        timed = tokens[self.warmup : self.last]
        real, total = sum(t.real for t in timed), sum(t.padded for t in timed)
        return {
            "tokens_per_second": real / seconds,
            "seconds": seconds,
            "tokens": real,
            "padding_frac": 1 - real / total,
            "padded_tokens_per_batch": total / len(timed),
        }


def fresh_copy(model: PreTrainedModel) -> PreTrainedModel:
    """Copy a model, so that every measurement starts from the same weights.

    Args:
        model: The model.

    Returns:
        The copy.
    """
    return copy.deepcopy(model)


@functools.cache
def build_tokenizer() -> Any:
    """Learn a tokenizer on a part of the embedded world, once.

    Returns:
        The tokenizer.
    """
    return train_tokenizer(base_documents(SEED)[::8], VOCABULARY)


def build_case(model_name: str, precision: str, args: argparse.Namespace) -> Case:
    """Make the model, the tokenizer and the data.

    Args:
        model_name: A key of `SHAPES`.
        precision: One of `PRECISIONS`.
        args: The command line.

    Returns:
        What the contestants share.
    """
    # The clock stops at the start of the last step, and that step makes the first growth event possible:
    # the banks have the room for grown neurons that a real run gives them, but no event is timed.
    steps = args.warmup + args.steps + 1
    overrides = (
        f"hardware={machine.choose_profile()}",
        f"hardware.precision={precision}",
        f"hardware.threads={args.threads or 'null'}",
        f"data.num_examples={args.examples}",
        f"train={args.train}",
        f"train.steps={steps}",
        f"train.batch_tokens={args.batch_tokens}",
        "train.accumulate=1",
        "train.validate_every_steps=null",
        "evaluation=none",
        "replay=none",
        *args.set,
    )
    growing = config.compose([*overrides, "growth=v3", f"growth.trigger.cooldown_steps={steps}"])
    settings = build_settings(growing.values)
    without_growth = build_settings(config.compose([*overrides, "growth=none"]).values)
    machine.set_up(settings.hardware, SEED)
    tokenizer = build_tokenizer()
    model = build_model(model_name, tokenizer.pad_token_id).to(settings.hardware.device)
    base = BaseModel(model=model, tokenizer=tokenizer, name=model_name, sha256="", max_length=CONTEXT)
    data = prepare_data(settings.data, None, base, settings.train, SEED)
    return Case(
        model_name=model_name,
        overrides=overrides,
        settings=settings,
        without_growth=without_growth,
        model=model,
        tokenizer=tokenizer,
        data=data,
        warmup=args.warmup,
    )


def build_model(name: str, pad_id: int) -> PreTrainedModel:
    """Make a model with random weights.

    Args:
        name: A key of `SHAPES`.
        pad_id: The padding token.

    Returns:
        The model.
    """
    hidden, width, blocks, heads, kv_heads = SHAPES[name]
    shape = Qwen2Config(
        vocab_size=VOCABULARY,
        hidden_size=hidden,
        intermediate_size=width,
        num_hidden_layers=blocks,
        num_attention_heads=heads,
        num_key_value_heads=kv_heads,
        max_position_embeddings=CONTEXT,
        tie_word_embeddings=True,
        pad_token_id=pad_id,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive_seed(SEED, "init"))
        return Qwen2ForCausalLM(shape)
