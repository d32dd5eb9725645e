"""How fast a machine trains: what its maker says, or what a few real blocks of the model show in a second."""

import copy
import time
from dataclasses import dataclass
from typing import Any

import torch
from torch.nn import functional as F
from transformers import AutoModelForCausalLM, PreTrainedModel

from foam_cli.core.errors import ConfigError
from foam_cli.core.settings import Settings
from foam_cli.engine import machine
from foam_cli.model.blocks import LISTS_PER_BLOCK
from foam_cli.model.blueprint import blueprint
from foam_cli.model.heads import logits_at
from foam_cli.model.loading import weights_dtype
from foam_cli.model.sites import find_blocks
from foam_cli.model.trace import trace_pass

#: Which share of what its maker states a GPU reaches in training: from small models to large ones.
_NOMINAL_SHARES = (0.15, 0.5)
#: How much longer a run may take than its measured passes: batches that are not full make it shorter,
#: optimizer, data and growth longer.
_MEASURED_FACTORS = (0.6, 1.3)
#: As many blocks of the model are measured as have so many parameters, but at least one.
_MAX_PARAMETERS = 50_000_000
_SECONDS = 1.0
#: A vocabulary this large shows how fast the output layer is; more of it would only take memory.
_MAX_VOCABULARY = 8192


@dataclass(frozen=True, kw_only=True)
class Rate:
    """How fast.

    Attributes:
        low: Operations per second that are reached in any case.
        high: Operations per second at best.
        source: `nominal` or `measured`.
    """

    low: float
    high: float
    source: str


def rate_of(config: Any, settings: Settings, shape_BT: tuple[int, int], *, measure: bool) -> Rate:
    """Find out how fast a run would be.

    Args:
        config: The base model's config.
        settings: The configuration.
        shape_BT: Rows and tokens per row of a batch.
        measure: Measure although the profile states a rate.

    Returns:
        The rate.

    Raises:
        ConfigError: The device of the profile is not here, and it states no rate.
    """
    nominal = settings.hardware.nominal_tflops
    if nominal is not None and not measure:
        low, high = _NOMINAL_SHARES
        return Rate(low=low * nominal * 1e12, high=high * nominal * 1e12, source="nominal")
    if settings.hardware.device == "cuda" and not torch.cuda.is_available():
        raise ConfigError(
            "hardware.device=cuda: torch sees no CUDA device, so nothing can be measured. Leave out "
            "--measure and state hardware.nominal_tflops, or plan with hardware=cpu."
        )
    found = _measured(config, settings, shape_BT)
    fast, slow = _MEASURED_FACTORS
    return Rate(low=found / slow, high=found / fast, source="measured")


def _measured(config: Any, settings: Settings, shape_BT: tuple[int, int]) -> float:
    """Operations per second of real passes through some blocks and a small output layer."""
    machine.set_up(settings.hardware, settings.seed)
    model = _some_blocks(config, settings)
    head = model.get_output_embeddings()
    cast = machine.autocast(settings.hardware)
    flops = trace_pass(model, head, shape_BT, autocast=cast).flops  # the first pass warms up, too
    device = model.device
    ids_BT = torch.zeros(shape_BT, dtype=torch.int64, device=device)
    at_N = torch.arange(shape_BT[0] * shape_BT[1], device=device)

    def one_pass() -> float:
        started = time.perf_counter()
        with machine.autocast(settings.hardware):
            logits_NV = logits_at(model, head, ids_BT, at_N)
        F.cross_entropy(logits_NV.float(), torch.zeros_like(at_N), reduction="sum").backward()
        model.zero_grad()
        if device.type == "cuda":
            torch.cuda.synchronize()
        return time.perf_counter() - started

    best, started = one_pass(), time.perf_counter()
    while time.perf_counter() - started < _SECONDS:
        best = min(best, one_pass())
    return flops / best


def _some_blocks(config: Any, settings: Settings) -> PreTrainedModel:
    small = copy.deepcopy(config)
    small.vocab_size = min(small.vocab_size, _MAX_VOCABULARY)
    small.pad_token_id = None
    whole = find_blocks(blueprint(copy.deepcopy(small), torch.float32))[1]
    per_block = sum(parameter.numel() for parameter in whole[0].parameters())
    count = max(1, min(len(whole), _MAX_PARAMETERS // per_block))
    small.num_hidden_layers = count
    for name in LISTS_PER_BLOCK:
        if vars(small).get(name):
            setattr(small, name, list(vars(small)[name])[:count])
    with torch.random.fork_rng(devices=[]):
        model = AutoModelForCausalLM.from_config(small, dtype=weights_dtype(settings.hardware.precision))
    machine.suit(model, settings.hardware)
    return model.to(settings.hardware.device).train()
