"""A study as data: its arms, their runs, and what the comparison says of them where there is one."""

import re
import statistics
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from foam_cli.report.in_short import in_short, main_metrics
from foam_cli.report.numbers import as_number, is_fraction, plural
from foam_cli.report.run_folder import RunFolder, mapping, read_object, read_run

COMPARISON = "ablation_comparison.json"
_PLACES = {"seed", "output_dir", "name.study", "name.arm"}


@dataclass(frozen=True, kw_only=True)
class Spread:
    """A number over seeds.

    Attributes:
        median: Its median.
        low: The lowest.
        high: The highest.
    """

    median: float
    low: float
    high: float


@dataclass(frozen=True, kw_only=True)
class StudyArm:
    """One arm.

    Attributes:
        name: Its name.
        overrides: In what it differs.
        runs: Its finished runs, by seed.
    """

    name: str
    overrides: list[str]
    runs: dict[str, RunFolder]

    def spread(self, *path: str) -> Spread | None:
        """A number of result.json over the seeds.

        Args:
            *path: The keys that lead to it.

        Returns:
            Its spread, or None where no run has it.
        """
        found: list[Any] = [run.result for run in self.runs.values()]
        for key in path:
            found = [mapping(value).get(key) for value in found]
        return spread([as_number(value) for value in found])

    @property
    def learnt(self) -> Spread | None:
        """The mean score of what was to be learnt."""
        return spread([in_short(run.result).get("learnt") for run in self.runs.values()])

    @property
    def kept(self) -> Spread | None:
        """The mean change of what was to be kept, of tasks whose main metric is a fraction."""
        return spread([_change(run) for run in self.runs.values()])


@dataclass(frozen=True, kw_only=True)
class StudyFolder:
    """Everything a study's report is made from.

    Attributes:
        name: The study.
        arms: Its arms.
        comparison: ablation_comparison.json, or nothing.
        failures: "arm/seed" to what went wrong.
        notes: What is missing or damaged, one sentence each.
    """

    name: str
    arms: list[StudyArm]
    comparison: dict[str, Any]
    failures: dict[str, str]
    notes: list[str] = field(default_factory=list)

    @property
    def runs(self) -> list[RunFolder]:
        """All finished runs."""
        return [run for arm in self.arms for run in arm.runs.values()]

    @property
    def num_planned(self) -> int | None:
        """How many runs the study is to have, where its comparison says so."""
        seeds = self.comparison.get("seeds")
        return len(self.arms) * len(seeds) if isinstance(seeds, list) else None

    @property
    def seeds(self) -> list[str]:
        """The seeds of the finished runs."""
        return list(dict.fromkeys(seed for arm in self.arms for seed in arm.runs))

    @property
    def tasks(self) -> list[tuple[str, str, str]]:
        """Task, main metric and role, what is to be learnt first."""
        found: dict[tuple[str, str], str] = {}
        for run in self.runs:
            roles = mapping(run.result.get("roles"))
            for task, metric in mapping(run.result.get("primary")).items():
                found.setdefault((task, str(metric)), str(roles.get(task, "other")))
        order = {"learnt": 0, "kept": 1}
        return sorted(((*key, role) for key, role in found.items()), key=lambda row: order.get(row[2], 2))


def spread(values: list[float | None]) -> Spread | None:
    """Sum up a number over seeds.

    Args:
        values: One per seed.

    Returns:
        Median and extremes, or None where there is no value at all.
    """
    known = [value for value in values if value is not None]
    return Spread(median=statistics.median(known), low=min(known), high=max(known)) if known else None


def tasks_of(run: RunFolder, role: str) -> list[str]:
    """The keys of the main metrics that are fractions.

    Args:
        run: The run.
        role: `learnt` or `kept`.

    Returns:
        E.g. `science/acc`.
    """
    return [f"{task}/{m}" for task, m in main_metrics(run.result, role).items() if is_fraction(m)]


def _change(run: RunFolder) -> float | None:
    short = in_short(run.result)
    kept = main_metrics(run.result, "kept").items()
    losses = [short.get(f"forgotten/{task}") for task, metric in kept if is_fraction(metric)]
    known = [loss for loss in losses if loss is not None]
    return -statistics.fmean(known) if known and len(known) == len(losses) else None


# ---------------------------------------------------------------- reading


def is_study(folder: Path) -> bool:
    """Whether a folder is a study's: with a comparison, or with arms that have runs.

    Args:
        folder: The folder.

    Returns:
        True where it is.
    """
    return (folder / COMPARISON).is_file() or any(folder.glob("*/*/config.yaml"))


def read_study(folder: Path) -> StudyFolder:
    """Read a study.

    Args:
        folder: OUTPUT_DIR/study, or the folder of a comparison.

    Returns:
        What there is, with a note for everything that is missing or damaged.
    """
    path, notes = folder.resolve(), list[str]()
    compared = read_object(path / COMPARISON, notes) if (path / COMPARISON).is_file() else {}
    sides = mapping(compared.get("arms"))
    failures = {str(label): str(error) for label, error in mapping(compared.get("failures")).items()}
    if sides:
        arms = [_compared_arm(path, name, mapping(side), notes) for name, side in sides.items()]
        _note_what_is_new(path, arms, failures, notes)
    else:
        arms, failures, unfinished = _found_arms(path)
        if unfinished:
            names = ", ".join(unfinished[:4]) + (", ..." if len(unfinished) > 4 else "")
            notes.append(f"not finished: {plural(len(unfinished), 'run')} ({names}).")
        notes.append(f"{COMPARISON} is not there: the differences below are medians without a test.")
    for arm in arms:
        notes += [f"{arm.name}/{seed}: {note}" for seed, run in arm.runs.items() for note in run.notes]
    name = compared.get("study") or path.name
    return StudyFolder(name=str(name), arms=arms, comparison=compared, failures=failures, notes=notes[:12])


def _compared_arm(path: Path, name: str, side: dict[str, Any], notes: list[str]) -> StudyArm:
    runs: dict[str, RunFolder] = {}
    for seed, told in mapping(side.get("runs")).items():
        # Beside the comparison if that is where the study is kept, else where it says, seen from here.
        places = (path / name / Path(str(told)).name, Path(str(told)), path.parent / str(told))
        place = next((one for one in places if (one / "result.json").is_file()), None)
        if place is None:
            notes.append(f"{name}/{seed}: {told} is not there.")
        else:
            runs[str(seed)] = read_run(place)
    overrides = side.get("overrides")
    return StudyArm(name=name, overrides=_texts(overrides), runs=runs)


def _texts(value: Any) -> list[str]:
    return [str(one) for one in value] if isinstance(value, list) else []


def _run_folders(path: Path) -> list[Path]:
    found = [file.parent for file in path.glob("*/*/config.yaml")]
    return sorted(
        (run for run in found if re.fullmatch(r"\d+(-\d+)?", run.name)),
        key=lambda run: (run.parent.name, *map(int, run.name.split("-"))),
    )


def _note_what_is_new(path: Path, arms: list[StudyArm], failures: dict[str, str], notes: list[str]) -> None:
    known = {run.path for arm in arms for run in arm.runs.values()}
    others = [
        run
        for run in _run_folders(path)
        if run not in known and f"{run.parent.name}/{run.name.partition('-')[0]}" not in failures
    ]
    if others:
        names = ", ".join(f"{run.parent.name}/{run.name}" for run in others[:4])
        notes.append(f"{COMPARISON} knows nothing of {len(others)} more runs here ({names}).")


def _found_arms(path: Path) -> tuple[list[StudyArm], dict[str, str], list[str]]:
    """Arms by their folders, what failed, and what has yet to finish; of runs of a seed the last finished."""
    runs: dict[str, dict[str, RunFolder]] = {}
    failures: dict[str, str] = {}
    unfinished: list[str] = []
    for folder in _run_folders(path):
        arm, seed = folder.parent.name, folder.name.partition("-")[0]
        run = read_run(folder)
        if run.status == "finished":
            runs.setdefault(arm, {})[seed] = run
        elif said := run.result.get("error") or read_object(folder / "attempt.json", []).get("error"):
            failures[f"{arm}/{folder.name}"] = str(said)
        else:
            unfinished.append(f"{arm}/{folder.name}")
    changed = _differences({arm: next(iter(found.values())).config for arm, found in runs.items()})
    arms = [StudyArm(name=arm, overrides=changed[arm], runs=found) for arm, found in runs.items()]
    return arms, failures, unfinished


def _differences(configs: dict[str, str]) -> dict[str, list[str]]:
    """The settings in which configurations differ from one another."""
    flat = {name: _flat(_parsed(text)) for name, text in configs.items()}
    keys = dict.fromkeys(key for one in flat.values() for key in one if key not in _PLACES)
    differ = [key for key in keys if len({one.get(key) for one in flat.values()}) > 1]
    return {name: [f"{key}={one[key]}" for key in differ if key in one] for name, one in flat.items()}


def _parsed(text: str) -> Any:
    try:
        return yaml.safe_load(text)
    except (yaml.YAMLError, RecursionError):
        return None


def _flat(value: Any, prefix: str = "") -> dict[str, str]:
    if not isinstance(value, dict):
        return {prefix: "null" if value is None else str(value)} if prefix else {}
    found: dict[str, str] = {}
    for key, inner in value.items():
        found |= _flat(inner, f"{prefix}.{key}" if prefix else str(key))
    return found
