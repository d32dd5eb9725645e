"""`foam ablate`: the arms of a study on the same data, order and seeds, compared.

Hydra's launcher plugins start runs only from within `hydra.main`, compose anew in every process, and give a
study no say in a run that hangs; joblib's executor breaks for all runs when one of its processes is killed.
So the configuration of every run is composed once, here, and written into its folder; a launcher
(conf/launcher) starts a process on the folder, as `foam train --resume FOLDER` would, and the folder says how
it went.
"""

import dataclasses
import fcntl
import os
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.table import Table

from foam_cli import config
from foam_cli.building import build
from foam_cli.core.errors import CheckpointError, ConfigError, FoamError
from foam_cli.core.files import write_json
from foam_cli.engine import machine
from foam_cli.engine.display import Display
from foam_cli.engine.folder import arm_folder, status
from foam_cli.engine.stopping import STOPPED_EXIT_CODE, stop_requests
from foam_cli.engine.study import places
from foam_cli.engine.study.estimate import estimate
from foam_cli.engine.study.jobs import Order
from foam_cli.engine.study.plan import PlannedRun, arms_of, baseline_of, plan_runs
from foam_cli.engine.study.results import compare_arms, write_results
from foam_cli.engine.study.settings import StudySettings
from foam_cli.engine.study.supervise import Ended, supervise
from foam_cli.engine.study.tables import side_by_side
from foam_cli.report.study_page import draw_soon, study_report

_OWN_KEYS = ("study", "launcher", "run_limit_s", "results_dir")


class StudyStopped(FoamError):  # noqa: N818
    """The user stopped a study; it can be continued."""

    exit_code = STOPPED_EXIT_CODE


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What the user wants done.

    Attributes:
        settings: The study and how it is run.
        shared: Settings of all runs.
        command: What the user typed.
        config_dirs: The user's own configuration folders.
    """

    settings: StudySettings
    shared: list[str]
    command: str
    config_dirs: Sequence[Path]


def ablate(
    name: str,
    overrides: Sequence[str],
    display: Display,
    *,
    command: str,
    config_dirs: Sequence[Path] = (),
    dry_run: bool = False,
) -> dict[str, Any]:
    """Run a study; finished runs are not repeated, unfinished ones are continued.

    Args:
        name: An option of the group study.
        overrides: `study.*`, `launcher`, `jobs`, `run_limit_s` and `results_dir` for the study itself, all
            others for every arm.
        display: Shows the progress.
        command: What the user typed.
        config_dirs: The user's own configuration folders.
        dry_run: Whether the runs are only shown.

    Returns:
        The comparison, as it is written to ablation_comparison.json; of a dry run, the runs.

    Raises:
        FoamError: Every run failed.
        StudyStopped: The user stopped the study; what is finished has been compared.
    """
    asked = read_study(name, overrides, command, config_dirs)
    study, launcher = asked.settings.study, asked.settings.launcher
    if not dry_run:
        launcher.warm_up()
    arms = arms_of(study)
    baselines = baseline_of(study, arms)
    planned = plan_runs(study, arms, asked.shared, config_dirs)
    if dry_run:
        return _show(planned, study.name or name, display)

    def compare(folders: Mapping[str, Path], failures: Mapping[str, str]) -> dict[str, Any]:
        runs = {(run.arm, run.seed): folders[run.label] for run in planned if run.label in folders}
        document = compare_arms(study, arms, baselines, runs, failures)
        _publish(document, runs, Path(asked.settings.results_dir), _study_folder(planned[0]), display)
        return document

    with study_lock(planned[0]):
        try:
            folders, failures = run_all(asked, planned, display)
        except StudyStopped:
            if folders := finished_runs(planned):
                compare(folders, {})
            raise
    if not folders:
        raise FoamError(f"{study.name}: every run failed. The first: {next(iter(failures.values()))}")
    return compare(folders, failures)


def _publish(
    document: Mapping[str, Any],
    runs: Mapping[tuple[str, int], Path],
    results_dir: Path,
    folder: Path,
    display: Display,
) -> None:
    """Write a comparison and its report, and show it."""
    target = write_results(document, runs, results_dir)
    # Also with the runs, so that `foam report` needs nothing but the study's folder.
    write_json(folder / target.name, document)
    page = study_report(target.parent)
    display.console.print(side_by_side(document))
    for sentence in document["verdicts"]:
        display.say(sentence)
    for path in (target, page):
        display.say(str(path), style="dim")


def read_study(name: str, overrides: Sequence[str], command: str, config_dirs: Sequence[Path]) -> Asked:
    """Tell the settings of the study from those of its runs.

    Args:
        name: An option of the group study.
        overrides: As on the command line.
        command: What the user typed.
        config_dirs: The user's own configuration folders.

    Returns:
        The study and the rest.

    Raises:
        ConfigError: A setting is wrong, or the launcher cannot work here.
    """
    words = [f"launcher.{word}" if word.startswith("jobs=") else word for word in overrides]
    own = [word for word in words if word.lstrip("+~").split("=")[0].split(".")[0] in _OWN_KEYS]
    composed = config.compose([f"study={name}", *own], config_dirs, name="ablate")
    values = config.resolve_environment(composed.values)
    settings = build(StudySettings, values)
    study = dataclasses.replace(settings.study, name=settings.study.name or name)
    settings.launcher.check()
    shared = [word for word in words if word not in own]
    everywhere = [*study.settings, *shared, *(word for arm in study.arms.values() for word in arm)]
    if settings.launcher.elsewhere and not any(
        word.startswith("hardware=") and word != "hardware=auto" for word in everywhere
    ):
        raise ConfigError(
            f"launcher={composed.choices.get('launcher')}: runs elsewhere, so this machine cannot choose the "
            "profile. Name it: hardware=rtx4090, for example."
        )
    automatic = [one for one in machine.resolve_auto(everywhere) if one not in everywhere]
    shared = [*automatic, *(word for word in shared if word != "hardware=auto")]
    return Asked(
        settings=dataclasses.replace(settings, study=study),
        shared=shared,
        command=command,
        config_dirs=config_dirs,
    )


@contextmanager
def study_lock(run: PlannedRun) -> Generator[None]:
    """Keep a second `foam ablate` of the same study out.

    Args:
        run: Any run of it.

    Yields:
        Nothing.

    Raises:
        CheckpointError: There is one already.
        FoamError: The study's folder cannot be made.
    """
    folder = _study_folder(run)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FoamError(f"output_dir={folder}: cannot be made: {error}") from error
    with (folder / ".lock").open("w", encoding="utf-8") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise CheckpointError(
                f"{folder}: another foam ablate is running this study. Wait for it, or give this one another "
                "study.name."
            ) from error
        yield


def _study_folder(run: PlannedRun) -> Path:
    return arm_folder(run.composed.values, run.composed.choices).parent


def run_all(
    asked: Asked, runs: Sequence[PlannedRun], display: Display
) -> tuple[dict[str, Path], dict[str, str]]:
    """Run what is not finished.

    Args:
        asked: How.
        runs: The runs.
        display: Shows the progress.

    Returns:
        Label to folder of the finished runs, and label to error of those that failed.

    Raises:
        StudyStopped: The user stopped the study.
    """
    finished = finished_runs(runs)
    pending = {run.label: _order(run, asked.command) for run in runs if run.label not in finished}
    if finished:
        display.say(f"{len(finished)} of {len(runs)} runs were finished before.", style="dim")
    ended: dict[str, Ended] = {}
    if pending:
        draw_soon()
        with stop_requests(display.say) as should_stop:
            ended = supervise(
                pending,
                asked.settings.launcher,
                display,
                run_limit_s=asked.settings.run_limit_s,
                should_stop=should_stop,
                already=(len(finished), len(runs)),
            )
            stopped = should_stop()
        finished = finished_runs(runs)
        if stopped and len(finished) < len(runs):
            raise StudyStopped(
                f"Stopped: {len(finished)} of {len(runs)} runs are finished. Continue with: {asked.command}"
            )
    return finished, {label: str(how.error) for label, how in ended.items() if how.status != "finished"}


def finished_runs(runs: Sequence[PlannedRun]) -> dict[str, Path]:
    """Find the runs that need not be repeated.

    Args:
        runs: The runs of a study.

    Returns:
        Label to folder.
    """
    found = {run.label: places.find(run) for run in runs}
    return {label: path for label, path in found.items() if path is not None and status(path) == "finished"}


def _order(run: PlannedRun, command: str) -> Order:
    folder = places.find(run) or places.make(run)
    return Order(
        folder=str(folder.resolve()),
        plugins=tuple(run.composed.values.get("plugins") or []),
        command=command,
        working_dir=os.getcwd(),  # noqa: PTH109
        threads=None,
    )


def _show(runs: Sequence[PlannedRun], name: str, display: Display) -> dict[str, Any]:
    """Print what a study would run."""
    finished = finished_runs(runs)
    with display.bar("planning", total=len({run.arm for run in runs})) as update:
        estimates = estimate(runs, finished, update)
    table = Table(
        "arm", "seed", "status", "seconds", "GiB", "estimated from", title=f"{name}: {len(runs)} runs"
    )
    rows: list[dict[str, Any]] = []
    for run in runs:
        one, folder = estimates[run.label], places.find(run)
        state = "new" if folder is None else status(folder)
        seconds = "?" if one.seconds is None else f"{one.seconds:,.0f}"
        memory = "?" if one.memory_bytes is None else f"{one.memory_bytes / 2**30:.1f}"
        table.add_row(run.arm, str(run.seed), state, seconds, memory, one.source)
        rows.append({"arm": run.arm, "seed": run.seed, "run_id": run.run_id, "status": state, **vars(one)})
    display.console.print(table)
    return {"study": name, "runs": rows, "seconds_left": _seconds_left(rows)}


def _seconds_left(rows: Sequence[Mapping[str, Any]]) -> float | None:
    left = [row["seconds"] for row in rows if row["status"] != "finished"]
    return None if None in left else float(sum(left))
