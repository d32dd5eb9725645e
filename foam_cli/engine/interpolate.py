"""Points between the base and what training made of it: scored after a run, or exported."""

from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from typing import Any

from rich.table import Table
from torch import nn

from foam_cli.core.growth import GrowthRecord
from foam_cli.core.settings import Settings
from foam_cli.engine.examine import Results
from foam_cli.model.blocks import insert_block
from foam_cli.model.interpolation import interpolated
from foam_cli.model.loading import load_base, weights_dtype
from foam_cli.model.neurons import growable_ffns, make_growable


@contextmanager
def standing_at(
    alpha: float, model: nn.Module, settings: Settings, records: Sequence[GrowthRecord]
) -> Generator[None]:
    """Put a run's model at one point for a while.

    Args:
        alpha: 0 is the base, 1 the model as it is.
        model: The model.
        settings: The run's settings, which name the base.
        records: The run's growth events.

    Yields:
        Nothing.
    """
    if alpha == 1:
        yield
        return
    with interpolated(model, _base_of_the_same_structure(model, settings, records), alpha):
        yield


def _base_of_the_same_structure(
    model: nn.Module, settings: Settings, records: Sequence[GrowthRecord]
) -> nn.Module:
    hardware = settings.hardware
    base = load_base(
        settings.model, dtype=weights_dtype(hardware.precision), device=hardware.device, seed=settings.seed
    ).model
    if ffns := growable_ffns(model):
        make_growable(base, ffns[0].bank.capacity)
    for record in records:
        for after in sorted(record.blocks_after, reverse=True):
            insert_block(base, after, record.step)
    return base


def name_of(alpha: float) -> str:
    """How results at a point are called.

    Args:
        alpha: The point.

    Returns:
        For example `alpha_0.50`, as in `alpha_0.50/science/acc`.
    """
    return f"alpha_{alpha:.2f}"


def sweep(
    alphas: Sequence[float],
    model: nn.Module,
    settings: Settings,
    records: Sequence[GrowthRecord],
    examined: Callable[[str], Results],
) -> dict[str, Results]:
    """Score a model at some points between its base and itself.

    Args:
        alphas: The points.
        model: The trained model.
        settings: The run's settings.
        records: The run's growth events.
        examined: Asks the tasks, given a name for the results.

    Returns:
        The results by name.
    """
    base = _base_of_the_same_structure(model, settings, records)
    found: dict[str, Results] = {}
    for alpha in sorted(alphas):
        with interpolated(model, base, alpha):
            found[name_of(alpha)] = examined(name_of(alpha))
    return found


def table(results: dict[str, Results]) -> Table:
    """Show what each point scores.

    Args:
        results: `base`, the points, and `final`.

    Returns:
        A row per point, a column per task.
    """
    tasks: dict[str, Any] = results["final"]
    shown = Table("alpha", *tasks, title="between the base (0) and the trained model (1)")
    for name in ("base", *sorted(one for one in results if one.startswith("alpha_")), "final"):
        alpha = {"base": "0", "final": "1"}.get(name, name.removeprefix("alpha_"))
        scored = results[name]
        shown.add_row(alpha, *(f"{scored[t].metrics[scored[t].primary].value:.3f}" for t in tasks))
    return shown
