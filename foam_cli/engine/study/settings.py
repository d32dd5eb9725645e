"""What conf/ablate.yaml and conf/study/ say."""

import re
from dataclasses import dataclass
from typing import Any, Literal

from foam_cli.engine.study.jobs import Launcher


@dataclass(frozen=True, kw_only=True)
class Search:
    """A search for the best values of a few settings, by Optuna.

    Attributes:
        metric: A key of `metrics` in result.json, such as final/heldout/loss_nats.
        direction: Whether it should become small or large.
        trials: How many choices of values are tried in all.
        parameters: Setting to `{low, high}` with `log` or `step`, or to `{choices}`.
        prune: Whether a choice that does worse than the median on its first seeds is spared the others.
        seed: For the sampler.
    """

    metric: str
    direction: Literal["minimize", "maximize"]
    trials: int
    parameters: dict[str, Any]
    prune: bool
    seed: int

    def __post_init__(self) -> None:
        if self.trials < 1 or not self.parameters:
            raise ValueError("search: needs at least one trial and one parameter.")


@dataclass(frozen=True, kw_only=True)
class Study:
    """A study.

    Attributes:
        name: Its name; its runs are in OUTPUT_DIR/name. None: that of its file.
        seeds: The seeds of every arm.
        settings: What all arms share and plain `foam train` would not do.
        arms: Arm to the settings in which it differs; none at all where the grid says everything.
        grid: Setting to values, or any word to named lists of settings; every arm is run with every
            combination of them.
        baseline: The arm that all others are compared with, crossed with the grid as they are; or one full
            name. None: the first.
        skip: Crossed arms that are left out, by name; * and [abc] as in a shell.
        search: What `foam ablate search` looks for, or None.
    """

    name: str | None
    seeds: list[int]
    settings: list[str]
    arms: dict[str, list[str]]
    grid: dict[str, Any]
    baseline: str | None
    skip: list[str]
    search: Search | None

    def __post_init__(self) -> None:
        if not self.seeds:
            raise ValueError("seeds=[]: give at least one seed.")
        if len(set(self.seeds)) < len(self.seeds):
            raise ValueError(f"seeds={self.seeds}: names a seed twice.")
        if not self.arms and not self.grid and self.search is None:
            raise ValueError("arms={}: a study needs arms, a grid or a search.")
        for arm in self.arms:
            if not re.fullmatch(r"\w[\w.\-]*", arm):
                raise ValueError(f"arms.{arm}: is a folder's name; use letters, digits and _ - . alone.")
        for key, values in self.grid.items():
            if not isinstance(values, list | dict):
                raise ValueError(f"grid.{key}={values}: give a list of values or named lists of settings.")
            if not values:
                raise ValueError(f"grid.{key}=[]: give at least one value, or leave {key} out.")


@dataclass(frozen=True, kw_only=True)
class StudySettings:
    """What `foam ablate` is told.

    Attributes:
        study: The study.
        launcher: Where the runs run.
        run_limit_s: Seconds that one run may take from its start; one that takes longer is asked to save and
            leave, and killed if it does not. None: no limit.
        results_dir: Where the comparison is written.
    """

    study: Study
    launcher: Launcher
    run_limit_s: float | None
    results_dir: str

    def __post_init__(self) -> None:
        if self.run_limit_s is not None and self.run_limit_s <= 0:
            raise ValueError(f"run_limit_s={self.run_limit_s}: null turns it off.")
