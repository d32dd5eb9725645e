"""Puts the training examples into the order that `data.curriculum` asks for."""

from dataclasses import replace
from pathlib import Path
from typing import cast

import numpy as np

from foam_cli.core.errors import ConfigError
from foam_cli.core.settings import Settings
from foam_cli.data.curricula.difficulty import PhasedStream
from foam_cli.data.curricula.protocols import Curriculum
from foam_cli.engine.cached import cached
from foam_cli.engine.display import Display
from foam_cli.engine.prepare import Source, TrainingData
from foam_cli.engine.row_losses import corpus_losses
from foam_cli.model.loading import BaseModel


def in_phases(
    data: TrainingData, source: Source, settings: Settings, base: BaseModel, display: Display
) -> TrainingData:
    """Order the training examples.

    Args:
        data: What is trained on.
        source: Where it comes from; it names the curriculum.
        settings: The configuration.
        base: The model before anything is grown; its losses say what is difficult.
        display: Shows the progress.

    Returns:
        The same data with another stream, or as it was where no curriculum is asked for.

    Raises:
        ConfigError: There are fewer examples or forward passes than phases.
    """
    curriculum = cast("Curriculum | None", getattr(source, "curriculum", None))
    if curriculum is None or not curriculum.reads_losses:
        return data
    key = [
        base.sha256,
        data.train.sha256,
        settings.hardware.precision,
        settings.hardware.device,
        settings.seed,
    ]

    def measure() -> list[float]:
        return corpus_losses(
            base.model, data.train, pad_id=data.pad_id, batch_tokens=settings.evaluation["batch_tokens"],
            hardware=settings.hardware, display=display,
        )  # fmt: skip

    losses: list[float] = cached(Path(settings.output_dir), "difficulty", key, measure)
    pools = curriculum.pools(losses, data.train.lengths)
    num_batches = settings.train.steps * settings.train.accumulate
    if min(map(len, pools)) == 0 or num_batches < len(pools):
        raise ConfigError(
            f"data.curriculum.num_phases={len(pools)}: there are {len(data.train)} examples and "
            f"{num_batches} forward passes, so some phase would show nothing; ask for fewer phases."
        )
    held = sum(len(pool) for pool in pools) * np.dtype(np.int64).itemsize
    hardest = [max(losses[index] for index in pool) for pool in pools]
    display.say(
        f"  curriculum: {len(pools)} phases of up to {', '.join(f'{loss:.2f}' for loss in hardest)} nats; "
        f"holds {held / 2**20:.2f} MiB",
        style="dim",
    )
    stream = PhasedStream(data.train, pools, data.stream.batch_tokens, data.seed, num_batches)
    return replace(data, stream=stream)
