"""What an export is told about its run, and what it says about itself: plain data."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Int


@dataclass(frozen=True, kw_only=True)
class ExportFacts:
    """What the exported folder shall say about the run it comes from.

    Attributes:
        source: The base model: a hub id or the name of a folder.
        command: The command that made the run.
        seed: The run's seed.
        versions: Versions of foam and of what it runs on.
        metrics: The run's numbers, `<when>/<task>/<metric>` to value.
        intervals: For some of them [low, high, n].
        history: The run's growth events, as they are in growth.jsonl.
        probe_BT: Token ids on which the export must agree with the running model.
        tolerance: Largest change of a logit on the probe, in fp32.
        seen: Labels of tasks that the training data holds.
    """

    source: str
    command: str
    seed: int
    versions: dict[str, str]
    metrics: dict[str, float | int]
    intervals: dict[str, list[float | int]]
    history: list[dict[str, Any]]
    probe_BT: Int[torch.Tensor, "B T"]
    tolerance: float
    seen: dict[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, kw_only=True)
class ExportReport:
    """What was exported.

    Attributes:
        folder: Where it is.
        architecture: The model's class in transformers.
        num_blocks: Blocks of the exported model.
        width: The FFN width all of its blocks have.
        num_neurons: Neurons in use per block; the rest of the width is zero padding.
        num_parameters: Parameters of the exported model, padding included, tied ones once.
        num_bytes: Size of the folder.
        max_abs_dlogits: Largest difference of a logit on the probe, running against loaded model, in fp32.
        tolerance: What was allowed.
    """

    folder: Path
    architecture: str
    num_blocks: int
    width: int
    num_neurons: list[int]
    num_parameters: int
    num_bytes: int
    max_abs_dlogits: float
    tolerance: float
