"""What a run will cost, before anything is downloaded or allocated: parameters, memory, operations, time."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from foam_cli import config
from foam_cli.core.settings import Settings
from foam_cli.data.batching import padded
from foam_cli.engine import machine
from foam_cli.engine.costs import Passes, PeriodCosts, base_shape, period_costs
from foam_cli.engine.periods import Period, periods_of
from foam_cli.engine.rate import Rate, rate_of
from foam_cli.engine.run import build_settings
from foam_cli.model.blueprint import config_of

#: Of a plan that does not fit; 3 says that a run was stopped, here as elsewhere.
DOES_NOT_FIT_EXIT_CODE = 4
#: What Python and torch, or the CUDA context, take for themselves.
RUNTIME_BYTES = 700 * 2**20
#: The share of the memory that can be used: allocators leave gaps.
USABLE_FRAC = 0.95
#: At most so many periods are recorded, the others lie between them.
_MAX_TRACED = 4


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a run will cost.

    Attributes:
        settings: The configuration.
        base_parameters: Of the base model.
        shape_BT: Rows and tokens per row of the largest batch.
        periods: Costs by period.
        memory_bytes: Memory of the device.
        flops: Of all steps.
        rate: How fast, or None where it was not asked for.
    """

    settings: Settings
    base_parameters: int
    shape_BT: tuple[int, int]
    periods: list[PeriodCosts]
    memory_bytes: int
    flops: float
    rate: Rate | None

    @property
    def peak(self) -> PeriodCosts:
        """The period that needs most memory."""
        return max(self.periods, key=lambda period: period.total_bytes)

    @property
    def peak_bytes(self) -> int:
        """The most memory that the run needs."""
        return self.peak.total_bytes + RUNTIME_BYTES

    @property
    def fits(self) -> bool:
        """Whether the device has that much."""
        return self.peak_bytes <= USABLE_FRAC * self.memory_bytes


def plan_run(
    overrides: Sequence[str],
    *,
    config_dirs: Sequence[Path] = (),
    measure: bool = False,
    timed: bool = True,
) -> Plan:
    """Plan a run.

    Args:
        overrides: Settings as for `foam train`.
        config_dirs: The user's own configuration folders.
        measure: Measure this machine's speed even where the profile states one.
        timed: Whether the time is wanted.

    Returns:
        What it will cost.
    """
    settings = build_settings(config.compose(machine.resolve_auto(overrides), config_dirs).values)
    return plan_of(settings, measure=measure, timed=timed)


def plan_of(settings: Settings, *, measure: bool = False, timed: bool = True) -> Plan:
    """Plan a run of some settings.

    Args:
        settings: The configuration.
        measure: As in `plan_run`.
        timed: As in `plan_run`.

    Returns:
        What it will cost.
    """
    model_config = config_of(settings.model)
    shape_BT = batch_shape(settings, model_config)
    parameters, num_blocks, width = base_shape(model_config, grows=bool(settings.growth))
    periods = periods_of(settings, num_blocks, width)
    costs = _costs(model_config, settings, periods, shape_BT)
    ends = [*(period.step for period in periods[1:]), settings.total_steps]
    return Plan(
        settings=settings,
        base_parameters=parameters,
        shape_BT=shape_BT,
        periods=costs,
        memory_bytes=machine.memory_bytes(settings.hardware),
        flops=sum(
            (end - cost.period.step) * cost.flops_per_step for cost, end in zip(costs, ends, strict=True)
        ),
        rate=rate_of(model_config, settings, shape_BT, measure=measure) if timed else None,
    )


def batch_shape(settings: Settings, model_config: Any) -> tuple[int, int]:
    """The largest batch: as many of the longest examples as the token budget holds.

    Args:
        settings: The configuration.
        model_config: The base model's config.

    Returns:
        Rows and tokens per row.
    """
    context = int(getattr(model_config.get_text_config(), "max_position_embeddings", 0) or 2048)
    longest = min(settings.data.max_length, context)
    budget = settings.train.batch_tokens
    tokens = min(padded(longest), context)
    return max(1, budget // tokens), tokens


def _costs(
    model_config: Any, settings: Settings, periods: list[Period], shape_BT: tuple[int, int]
) -> list[PeriodCosts]:
    """Record a few periods; what lies between two of them grows in proportion to the parameters."""
    chosen = range(len(periods))
    if len(periods) > _MAX_TRACED:
        chosen = sorted({0, 1, len(periods) // 2, len(periods) - 1})
    known: Passes = {}
    recorded = {
        index: period_costs(model_config, settings, periods[index], shape_BT, known) for index in chosen
    }
    return [
        recorded.get(index) or _between(recorded, index, period, len(periods))
        for index, period in enumerate(periods)
    ]


def _between(recorded: dict[int, PeriodCosts], index: int, period: Period, count: int) -> PeriodCosts:
    first = recorded[max(one for one in recorded if one < index)]
    last = recorded[min(one for one in recorded if index < one < count)]

    def size(one: Period) -> int:
        return one.num_neurons + sum(map(len, one.insertions))

    share = (size(period) - size(first.period)) / max(1, size(last.period) - size(first.period))

    def mean(low: float, high: float) -> int:
        return round(low + share * (high - low))

    return PeriodCosts(
        period=period,
        parameters=mean(first.parameters, last.parameters),
        trainable=mean(first.trainable, last.trainable),
        held={part: mean(size, last.held[part]) for part, size in first.held.items()},
        fullest={part: mean(size, last.fullest[part]) for part, size in first.fullest.items()},
        gradient_bytes=mean(first.gradient_bytes, last.gradient_bytes),
        kept_bytes=mean(first.kept_bytes, last.kept_bytes),
        flops_per_step=first.flops_per_step + share * (last.flops_per_step - first.flops_per_step),
    )


# ---------------------------------------------------------------- what to change if it does not fit


def suggest(plan: Plan, overrides: Sequence[str], config_dirs: Sequence[Path] = ()) -> list[str] | None:
    """Find settings with which a run fits, by planning with them.

    Args:
        plan: A plan that does not fit.
        overrides: Its settings.
        config_dirs: The user's own configuration folders.

    Returns:
        Settings to add, as few and as harmless as were found, or None where none of those tried suffices.
    """
    for changes in _candidates(plan):
        if plan_run([*overrides, *changes], config_dirs=config_dirs, timed=False).fits:
            return changes
    return None


def _candidates(plan: Plan) -> list[list[str]]:
    """What may be changed, beginning with what changes results least."""
    train, hardware = plan.settings.train, plan.settings.hardware
    smaller: list[list[str]] = [[]]
    rows, parts = plan.shape_BT[0], 1
    while rows > 1:
        rows, parts = rows // 2, parts * 2
        tokens = f"train.batch_tokens={-(-train.batch_tokens // parts)}"
        smaller.append([tokens, f"train.accumulate={train.accumulate * parts}"])
    stronger: list[list[str]] = [[]]
    if hardware.optimizer != "adamw8bit":
        stronger.append(["hardware.optimizer=adamw8bit"])
    if hardware.precision != "bf16":
        stronger += [[*stronger[-1], "hardware.precision=bf16"]]
    if train.parameters == "full":
        stronger += [[*stronger[-1], "train=ffn"]]
    if train.parameters != "grown" and plan.settings.growth:
        stronger += [[*stronger[-1], "train=grown"]]
    ends = [smaller[0], smaller[-1]] if len(smaller) > 1 else smaller
    if not plan.peak.fullest["activations"]:
        smaller = []  # it is the optimizer's step that is fullest, whatever the batches
    tried = [*smaller, *(strong + small for strong in stronger[1:] for small in ends)]
    return [_last_of_each(changes) for changes in tried if changes]


def _last_of_each(changes: list[str]) -> list[str]:
    return list({change.split("=")[0]: change for change in changes}.values())


# ---------------------------------------------------------------- the plan as plain data


def document(plan: Plan, suggestion: list[str] | None) -> dict[str, Any]:
    """Write a plan as plain data.

    Args:
        plan: The plan.
        suggestion: From `suggest`, or None.

    Returns:
        What `foam plan --json` prints.
    """
    s, last = plan.settings, plan.periods[-1]
    seconds = None
    if plan.rate is not None:
        seconds = {
            "low": plan.flops / plan.rate.high,
            "high": plan.flops / plan.rate.low,
            "rate": plan.rate.source,
            "flops_per_second": [plan.rate.low, plan.rate.high],
        }
    return {
        "model": s.model.path,
        "hardware": {
            "device": s.hardware.device,
            "precision": s.hardware.precision,
            "optimizer": s.hardware.optimizer,
            "memory_bytes": plan.memory_bytes,
        },
        "parameters": {
            "base": plan.base_parameters,
            "final": last.parameters,
            "trainable": plan.periods[0].trainable,
            "final_trainable": last.trainable,
        },
        "batch": {
            "rows": plan.shape_BT[0],
            "tokens_per_row": plan.shape_BT[1],
            "accumulate": s.train.accumulate,
        },
        "periods": [_stage(cost) for cost in plan.periods],
        "runtime_bytes": RUNTIME_BYTES,
        "peak_bytes": plan.peak_bytes,
        "fits": plan.fits,
        "suggestion": suggestion,
        "flops": plan.flops,
        "seconds": seconds,
    }


def _stage(cost: PeriodCosts) -> dict[str, Any]:
    return {
        "step": cost.period.step,
        "events": cost.period.num_events,
        "parameters": cost.parameters,
        "trainable": cost.trainable,
        "memory_bytes": cost.parts,
        "total_bytes": cost.total_bytes,
        "gradient_bytes": cost.gradient_bytes,
        "kept_bytes": cost.kept_bytes,
        "flops_per_step": cost.flops_per_step,
    }
