"""What growth_cost.py times: foam's own loop under different settings, in turn; and how times compare."""

import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch
from train_speed_case import SEED, Case, Clock, fresh_copy
from train_speed_contestants import train_with_foam

from foam_cli.core.seeds import torch_generator
from foam_cli.model.neurons import GrowableFFN

NO_GROWTH = ("growth=none",)


@dataclass(frozen=True, kw_only=True)
class Contender:
    """One way to train.

    Attributes:
        name: What it is called.
        overrides: Its settings, besides those of the case.
        num_slots: Slots of every bank that hold a neuron from the start.
        backend: What compiles it, if its settings say so.
    """

    name: str
    overrides: tuple[str, ...]
    num_slots: int = 0
    backend: str = "inductor"


@dataclass(frozen=True, kw_only=True)
class Ran:
    """What one run showed.

    Attributes:
        contender: Who ran.
        turn: In which round.
        step_seconds: Mean time of a step, growth events left out.
        event_seconds: Time of every growth event between the first and the last timed step.
        num_events: Growth events of the whole run.
    """

    contender: str
    turn: int
    step_seconds: float
    event_seconds: tuple[float, ...]
    num_events: int


def neurons_grow_never(case: Case) -> tuple[str, ...]:
    """Settings under which neurons are measured, and none is born.

    Args:
        case: What is shared.

    Returns:
        The overrides.
    """
    return ("growth=v3", f"growth.trigger.cooldown_steps={case.settings.train.steps}")


def run(case: Case, contender: Contender, turn: int) -> Ran:
    """Let one contender train a fresh copy of the model.

    Args:
        case: What is shared.
        contender: Who.
        turn: In which round.

    Returns:
        What it showed.
    """
    settings = case.variant(*contender.overrides)
    last = settings.train.steps - 1
    clock = Clock(case.warmup, last)

    def prepare(ffns: Sequence[GrowableFFN]) -> None:
        for ffn in ffns:
            occupy(ffn, contender.num_slots)

    state = train_with_foam(
        case, settings, fresh_copy(case.model), clock, prepare=prepare, backend=contender.backend
    )
    timed = tuple(one.seconds or 0.0 for one in state.records if case.warmup < one.step <= last)
    seconds = (clock.seconds - sum(timed)) / (last - case.warmup)
    ran = Ran(
        contender=contender.name,
        turn=turn,
        step_seconds=seconds,
        event_seconds=timed,
        num_events=len(state.records),
    )
    print(f"{case.model_name} round {turn + 1} {contender.name}: {1e3 * seconds:,.1f} ms a step")
    return ran


@torch.no_grad()
def occupy(ffn: GrowableFFN, num_slots: int) -> None:
    """Fill the first slots of a bank with random neurons.

    Args:
        ffn: The FFN.
        num_slots: How many.
    """
    generator = torch_generator(SEED, "occupy")
    for rows in ffn.bank.parameters():
        rows[:num_slots] = 0.02 * torch.randn(rows[:num_slots].shape, generator=generator).to(rows)
    ffn.bank.live_C[:num_slots] = True
    ffn.bank.recount()


def run_in_turn(case: Case, contenders: Sequence[Contender], rounds: int) -> dict[str, list[Ran]]:
    """Let all train, in every round each once.

    Args:
        case: What is shared.
        contenders: Who.
        rounds: How often.

    Returns:
        Their runs by name, in the order of the rounds.
    """
    runs: dict[str, list[Ran]] = {one.name: [] for one in contenders}
    for turn in range(rounds):
        for one in contenders:
            runs[one.name].append(run(case, one, turn))
    return runs


@dataclass(frozen=True, kw_only=True)
class Row:
    """One line of the table.

    Attributes:
        part: Which measurement.
        model: Of which model.
        what: The quantity.
        value: The ratio of medians, or what else is compared with the target.
        low: Its least value in any round.
        high: Its greatest value in any round.
        target: What it should be, for people; empty where nothing is aimed at.
        met: Whether it is, or None where nothing is aimed at.
        measurements: All that it was computed from.
    """

    part: str
    model: str
    what: str
    value: float
    low: float
    high: float
    target: str
    met: bool | None
    measurements: dict[str, Any]


def ratio(above: Sequence[Ran], below: Sequence[Ran]) -> dict[str, float]:
    """Compare the step times of two contenders that took turns.

    Args:
        above: The runs of one.
        below: The runs of the other, in the same rounds.

    Returns:
        The ratio of their medians, and the extremes of the ratios within a round, as a row has them.
    """
    times = [[one.step_seconds for one in runs] for runs in (above, below)]
    within = [a / b for a, b in zip(*times, strict=True)]
    return {
        "value": statistics.median(times[0]) / statistics.median(times[1]),
        "low": min(within),
        "high": max(within),
    }


def as_data(*runs: Sequence[Ran]) -> dict[str, Any]:
    """Make runs plain data.

    Args:
        runs: The runs of some contenders.

    Returns:
        For the results file.
    """
    return {"runs": [asdict(one) for several in runs for one in several]}
