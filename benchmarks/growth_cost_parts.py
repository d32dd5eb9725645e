"""The six measurements of growth_cost.py: each takes a case and gives rows of the table."""

import argparse
import statistics
from collections.abc import Callable

import torch
from growth_cost_runs import (
    NO_GROWTH,
    Contender,
    Row,
    as_data,
    neurons_grow_never,
    ratio,
    run,
    run_in_turn,
)
from torch._dynamo.utils import counters
from train_speed_case import Case, fresh_copy

from foam_cli.config import conf_dir
from foam_cli.engine.optimizers import Optimizers
from foam_cli.model.neurons import NeuronBank, make_growable

Part = Callable[[Case, argparse.Namespace], list[Row]]

SLOTS = (64, 256, 1024)
#: Initializers that may take longer than two steps: they measure moments of much more data.
COSTLY = ("tiny", "expressivity")
#: Events of a run whose compilations are counted, and neurons that each block gets by one of them.
COMPILED_EVENTS, BORN_PER_EVENT = 10, 20


def tracking(case: Case, args: argparse.Namespace) -> list[Row]:
    """Step time where neurons are measured as v3 does it, and none is born, to that without growth."""
    on = Contender(name="tracking", overrides=neurons_grow_never(case))
    off = Contender(name="no growth", overrides=NO_GROWTH)
    runs = run_in_turn(case, [on, off], args.rounds)
    compared = ratio(runs[on.name], runs[off.name])
    return [
        Row(
            part="tracking",
            model=case.model_name,
            what="step time, tracking / no growth",
            **compared,
            target="≤ 1.02",
            met=compared["value"] <= 1.02,
            measurements=as_data(*runs.values()),
        )
    ]


def events(case: Case, args: argparse.Namespace) -> list[Row]:
    """Time of a growth event, in training steps of the same run, for every initializer there is."""
    every = max(1, args.steps // 4)
    growing = ("growth=v3", "growth.trigger=schedule", f"growth.trigger.every_steps={every}")
    names = sorted(path.stem for path in (conf_dir() / "growth" / "initializer").glob("*.yaml"))
    # with replay, because some look at old data; the data itself is the case's
    growing = (*growing, "replay=reservoir")
    contenders = [
        Contender(name=name, overrides=(*growing, f"growth.initializer={name}", *_trained(name)))
        for name in names
    ]
    rows: list[Row] = []
    for name, ran in run_in_turn(case, contenders, args.rounds).items():
        costs = [seconds / one.step_seconds for one in ran for seconds in one.event_seconds]
        aimed_at = name not in COSTLY
        rows.append(
            Row(
                part="events",
                model=case.model_name,
                what=f"event in steps, {name}",
                value=statistics.median(costs),
                low=min(costs),
                high=max(costs),
                target="≤ 2" if aimed_at else "",
                met=statistics.median(costs) <= 2 if aimed_at else None,
                measurements=as_data(ran),
            )
        )
    return rows


def _trained(initializer: str) -> tuple[str, ...]:
    """Twins are of use on a frozen core only, and refused elsewhere."""
    return ("train=grown",) if initializer == "duplicate" else ()


def frozen(case: Case, args: argparse.Namespace) -> list[Row]:
    """Step time of full fine-tuning to that of newborn neurons on a frozen core."""
    full = Contender(name="full", overrides=("train=full", *NO_GROWTH))
    born_first = ("growth.trigger=once", "growth.placement=uniform", "growth.recycling=none")
    grown = Contender(name="grown", overrides=("train=grown", "growth=v3", *born_first))
    runs = run_in_turn(case, [full, grown], args.rounds)
    assert all(one.num_events == 1 for one in runs[grown.name])
    compared = ratio(runs[full.name], runs[grown.name])
    aimed_at = case.model_name == "25m"
    return [
        Row(
            part="frozen",
            model=case.model_name,
            what="step time, full / grown on a frozen core",
            **compared,
            target="≥ 1.4" if aimed_at else "",
            met=compared["value"] >= 1.4 if aimed_at else None,
            measurements=as_data(*runs.values()),
        )
    ]


def banks(case: Case, args: argparse.Namespace) -> list[Row]:
    """Step time with so many slots in use in every block to that without banks; nothing is tracked."""
    without = Contender(name="no bank", overrides=NO_GROWTH)
    untracked = f"growth.track_every_steps={case.settings.train.steps}"  # but in the first step
    contenders = [
        Contender(
            name=f"{num} slots",
            overrides=(*neurons_grow_never(case), f"growth.max_neurons_per_event={num}", untracked),
            num_slots=num,
        )
        for num in SLOTS
    ]
    runs = run_in_turn(case, [without, *contenders], args.rounds)
    return [
        Row(
            part="banks",
            model=case.model_name,
            what=f"step time, {one.name} in use / no bank",
            **ratio(runs[one.name], runs[without.name]),
            target="",
            met=None,
            measurements=as_data(runs[one.name], runs[without.name]),
        )
        for one in contenders
    ]


def recompilations(case: Case, args: argparse.Namespace) -> list[Row]:
    """Graphs compiled in a run with ten growth events, less those of the same run without any."""
    steps = 2 * COMPILED_EVENTS + 1
    shared = ("growth=v3", "growth.trigger=schedule", f"growth.max_neurons_per_event={BORN_PER_EVENT}")
    shared += (f"train.steps={steps}", "hardware.compile=true")
    graphs: dict[str, int] = {}
    for name, every in (("never", steps), ("ten events", 2)):
        contender = Contender(
            name=name, overrides=(*shared, f"growth.trigger.every_steps={every}"), backend=args.backend
        )
        torch.compiler.reset()
        before = counters["stats"]["unique_graphs"]
        # Beyond the limit torch would go on without compiling, and without counting.
        with torch._dynamo.config.patch(recompile_limit=1000):
            ran = run(case, contender, 0)
        assert ran.num_events == (COMPILED_EVENTS if every == 2 else 0)
        graphs[name] = counters["stats"]["unique_graphs"] - before
    torch.compiler.reset()
    assert graphs["never"] > 0
    count = graphs["ten events"] - graphs["never"]
    return [
        Row(
            part="recompilations",
            model=case.model_name,
            what=f"recompilations by ten growth events ({args.backend})",
            value=count,
            low=count,
            high=count,
            target="0",
            met=count == 0,
            measurements={"graphs": graphs},
        )
    ]


def memory(case: Case, args: argparse.Namespace) -> list[Row]:
    """Bytes of the banks and of their optimizer's state, to what the docstrings say."""
    del args
    rows: list[Row] = []
    for num_slots in SLOTS:
        model = fresh_copy(case.model)
        ffns = make_growable(model, num_slots)
        optimizers = Optimizers(model, case.settings.train, case.settings.hardware)
        assert optimizers.neurons is not None
        states = optimizers.neurons.state.values()
        measured = {
            "banks": sum(_bank_bytes(ffn.bank) for ffn in ffns),
            "optimizer": sum(tensor.nbytes for state in states for tensor in state.values()),
        }
        width, num_parameters = ffns[0].views.hidden_size, 3 * num_slots * ffns[0].views.hidden_size
        formula = {
            "banks": len(ffns) * (12 * num_slots * width + 9 * num_slots),
            "optimizer": len(ffns) * (8 * num_parameters + 12 * num_slots),
        }
        for what, num_bytes in measured.items():
            exact = num_bytes / formula[what]
            rows.append(
                Row(
                    part="memory",
                    model=case.model_name,
                    what=f"{what}, {num_slots} slots: {num_bytes / 2**20:.2f} MiB / formula",
                    value=exact,
                    low=exact,
                    high=exact,
                    target="1",
                    met=num_bytes == formula[what],
                    measurements={"bytes": num_bytes, "formula_bytes": formula[what]},
                )
            )
    return rows


def _bank_bytes(bank: NeuronBank) -> int:
    return sum(tensor.nbytes for tensor in (*bank.parameters(), *bank.buffers()))


PARTS: dict[str, Part] = {
    "tracking": tracking,
    "events": events,
    "frozen": frozen,
    "banks": banks,
    "recompilations": recompilations,
    "memory": memory,
}
