"""From a study to its runs: arms crossed with the grid and the seeds, every one composed and built."""

import itertools
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from foam_cli import config
from foam_cli.core.errors import ConfigError, FoamError
from foam_cli.engine.folder import run_id
from foam_cli.engine.run import build_settings
from foam_cli.engine.study.settings import Study
from foam_cli.engine.tracking import require_libraries


@dataclass(frozen=True, kw_only=True)
class Arm:
    """One configuration of a study, whatever the seed.

    Attributes:
        name: What its folder is called: its name in the study and its values of the grid.
        family: Its name in the study.
        overrides: The settings in which it differs.
    """

    name: str
    family: str
    overrides: list[str]


@dataclass(frozen=True, kw_only=True)
class PlannedRun:
    """One run of a study.

    Attributes:
        arm: The arm.
        seed: The seed.
        composed: Its whole configuration.
    """

    arm: str
    seed: int
    composed: config.Composed

    @property
    def label(self) -> str:
        """What people read."""
        return f"{self.arm}/{self.seed}"

    @property
    def run_id(self) -> str:
        """The hash of what it does, whatever its seed and place."""
        return run_id(self.composed.values)


def arms_of(study: Study) -> list[Arm]:
    """Cross the arms with the grid, and leave out what the study skips.

    Args:
        study: The study.

    Returns:
        Arms named like v3+lr=0.001+ratio=0.2; of a key only as much as tells it from the others. A study
        without arms has a single one that is not named.

    Raises:
        ConfigError: Two arms would have one name; what is to be skipped is not there, or all there is.
    """
    short = _short_names(list(study.grid))
    axes = [_points(key, short[key], values) for key, values in study.grid.items()]
    arms: list[Arm] = []
    for family, overrides in (study.arms or {"": []}).items():
        for point in itertools.product(*axes):
            words = [word for word, _ in point]
            settings = [setting for _, settings in point for setting in settings]
            name = "+".join(filter(None, [family, *words])) or "base"
            arms.append(Arm(name=name, family=family, overrides=[*overrides, *settings]))
    names = [arm.name for arm in arms]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ConfigError(f"study.grid: two arms would be called {twice[0]}; leave one of the values out.")
    skipped: set[str] = set()
    for pattern in study.skip:
        if not (found := [name for name in names if fnmatchcase(name, pattern)]):
            raise ConfigError(f"study.skip: {pattern} is the name of no arm.{config.nearest(pattern, names)}")
        skipped.update(found)
    left = [arm for arm in arms if arm.name not in skipped]
    if arms and not left:
        raise ConfigError(f"study.skip={study.skip}: leaves no arm.")
    return left


def _points(
    key: str, short: str, values: Sequence[Any] | Mapping[str, Sequence[str]]
) -> list[tuple[str, list[str]]]:
    """What is tried along one axis of the grid: a point's words in an arm's name, and its settings."""
    if isinstance(values, Mapping):
        return [(f"{short}={name}", list(settings)) for name, settings in values.items()]
    return [(f"{short}={_readable(value)}", [f"{key}={override_value(value)}"]) for value in values]


def _short_names(keys: Sequence[str]) -> dict[str, str]:
    last = [key.rpartition(".")[2] for key in keys]
    return {key: end if last.count(end) == 1 else key for key, end in zip(keys, last, strict=True)}


def _readable(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    return re.sub(r"[^\w.\-]+", "_", text).strip("_")


def override_value(value: Any) -> str:
    """Write a value as an override has it.

    Args:
        value: From a YAML file.

    Returns:
        Text that Hydra reads as the same value; a word stays a word, so that it may name an option.
    """
    if isinstance(value, str):
        return value
    return json.dumps(value).replace('"', "'") if isinstance(value, list | dict) else json.dumps(value)


def plan_runs(
    study: Study,
    arms: Sequence[Arm],
    shared: Sequence[str],
    config_dirs: Sequence[Path] = (),
) -> list[PlannedRun]:
    """Compose and build every run of a study; nothing is started and nothing written.

    Args:
        study: The study.
        arms: From `arms_of`.
        shared: Settings of all arms that the user gave.
        config_dirs: The user's own configuration folders.

    Returns:
        The runs, all arms of the first seed first.

    Raises:
        ConfigError: Some cannot be run. The message lists all of them.
    """
    found: dict[tuple[str, int], PlannedRun] = {}
    wrong: dict[str, list[str]] = {}
    for arm in arms:
        words = [*study.settings, *shared, *arm.overrides]
        try:
            for seed, composed in _composed(words, study, arm.name, config_dirs).items():
                found[arm.name, seed] = PlannedRun(arm=arm.name, seed=seed, composed=composed)
        except FoamError as error:
            wrong.setdefault(str(error), []).append(arm.name)
    _refuse_twins(found, wrong, study.seeds[0])
    if wrong:
        lines = [f"{', '.join(names)}: {message}" for message, names in wrong.items()]
        raise ConfigError(f"study {study.name}: nothing was started.\n" + "\n".join(lines))
    return [found[arm.name, seed] for seed in study.seeds for arm in arms]


def _composed(
    words: Sequence[str], study: Study, arm: str, config_dirs: Sequence[Path]
) -> dict[int, config.Composed]:
    """The configurations of an arm. Composing takes a while: of more than two seeds only two are composed."""
    place = [f"name.study='{study.name}'", f"name.arm='{arm}'"]

    def compose(seed: int) -> config.Composed:
        composed = config.compose([*words, *place, f"seed={seed}"], config_dirs)
        require_libraries(build_settings(composed.values))
        return composed

    found = {seed: compose(seed) for seed in study.seeds[:2]}
    first = found[study.seeds[0]]
    only_the_seed = all(
        one.values == {**first.values, "seed": seed} for seed, one in found.items()
    )  # unless a user's own file reads ${seed}
    for seed in study.seeds[2:]:
        values = {**first.values, "seed": seed}
        found[seed] = (
            config.Composed(values=values, choices=first.choices) if only_the_seed else compose(seed)
        )
    return found


def _refuse_twins(
    found: Mapping[tuple[str, int], PlannedRun], wrong: dict[str, list[str]], seed: int
) -> None:
    same: dict[str, list[str]] = {}
    for (arm, at), run in found.items():
        if at == seed:
            same.setdefault(run.run_id, []).append(arm)
    for names in same.values():
        if len(names) > 1:
            wrong.setdefault("are the same run: an arm must differ in something.", []).extend(names)


def baseline_of(study: Study, arms: Sequence[Arm]) -> dict[str, str]:
    """Say which arm every arm is compared with.

    Args:
        study: The study.
        arms: From `arms_of`.

    Returns:
        Arm to its baseline: the one that the study names, at the same point of the grid where there is one.
        An arm whose baseline is skipped has none.

    Raises:
        ConfigError: There is no such arm.
    """
    names = [arm.name for arm in arms]
    wanted = study.baseline or names[0]
    if wanted in names:
        return {name: wanted for name in names if name != wanted}
    if wanted not in study.arms:
        known = [*study.arms, *names]
        raise ConfigError(f"study.baseline={wanted}: there is no such arm.{config.nearest(wanted, known)}")
    pairs = {arm.name: wanted + arm.name.removeprefix(arm.family) for arm in arms}
    return {name: other for name, other in pairs.items() if name != other and other in names}
