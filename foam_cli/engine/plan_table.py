"""A plan as tables for a terminal."""

from rich.console import Group
from rich.table import Table
from rich.text import Text

from foam_cli.engine.costs import PeriodCosts
from foam_cli.engine.plan import RUNTIME_BYTES, USABLE_FRAC, Plan

_GIB = 2**30
_MAX_COLUMNS = 4


def plan_tables(plan: Plan, suggestion: list[str] | None) -> Group:
    """Show a plan.

    Args:
        plan: The plan.
        suggestion: Settings with which it would fit, or None.

    Returns:
        What a console prints.
    """
    return Group(_memory(plan), Text(_words(plan)), _verdict(plan, suggestion))


def _memory(plan: Plan) -> Table:
    shown = _shown(plan)
    unit, name = (_GIB, "GiB") if plan.peak_bytes >= 2 * _GIB else (2**20, "MiB")

    def size(number: int) -> str:
        return f"{number / unit:,.2f}"

    table = Table(title=f"memory in {name} at the fullest moment of a step", title_justify="left")
    table.add_column("")
    for cost in shown:
        where = "start" if cost.period.step == 0 else f"from step {cost.period.step}"
        table.add_column(where, justify="right")
    table.add_row("parameters", *(f"{cost.parameters:,}" for cost in shown))
    table.add_row("trainable", *(f"{cost.trainable:,}" for cost in shown))
    table.add_row("growth events", *(str(cost.period.num_events) for cost in shown), end_section=True)
    for part in shown[0].parts:
        table.add_row(part, *(size(cost.parts[part]) for cost in shown))
    table.add_row("runtime", *(size(RUNTIME_BYTES) for _ in shown), end_section=True)
    table.add_row("total", *(size(cost.total_bytes + RUNTIME_BYTES) for cost in shown), style="bold")
    return table


def _shown(plan: Plan) -> list[PeriodCosts]:
    count = len(plan.periods)
    if count <= _MAX_COLUMNS:
        return plan.periods
    return [plan.periods[round(at * (count - 1) / (_MAX_COLUMNS - 1))] for at in range(_MAX_COLUMNS)]


def _words(plan: Plan) -> str:
    train = plan.settings.train
    rows, tokens = plan.shape_BT
    lines = [
        f"parameters {plan.base_parameters:,} → {plan.periods[-1].parameters:,}, "
        f"{plan.periods[-1].trainable:,} of them trainable",
        f"largest batch {rows} × {tokens} tokens, every token a target; {train.accumulate} of them a step, "
        f"{plan.settings.total_steps} steps",
        f"a backward pass needs {_amount(plan.peak.kept_bytes)} of activations; all gradients take "
        f"{_amount(plan.peak.gradient_bytes)}",
        f"{plan.flops:.3g} floating-point operations",
    ]
    if plan.rate is not None:
        low, high = plan.flops / plan.rate.high, plan.flops / plan.rate.low
        lines[-1] += f", {_time(low)} to {_time(high)} of training at the {plan.rate.source} speed"
    return "\n".join(lines)


def _verdict(plan: Plan, suggestion: list[str] | None) -> Text:
    need, has = _amount(plan.peak_bytes), _amount(plan.memory_bytes)
    what = f"{need} of {has} on {plan.settings.hardware.device}"
    if plan.fits:
        return Text(f"fits: {what}", style="bold green")
    text = Text(f"does not fit: {what}, of which {USABLE_FRAC:.0%} can be used", style="bold red")
    if suggestion:
        return text.append(f"\nfits with: {' '.join(suggestion)}", style="bold")
    return text.append(
        "\nNeither smaller batches nor adamw8bit, bf16 or training less make it fit: choose a smaller model, "
        "shorter examples (data.max_length) or a larger device.",
        style="bold",
    )


def _amount(size: int) -> str:
    return f"{size / _GIB:.2f} GiB" if size >= 2 * _GIB else f"{size / 2**20:.2f} MiB"


def _time(seconds: float) -> str:
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.1f} {unit}"
    return f"{seconds:.1f} s"
