"""One run, from a configuration to a report. A table of contents: every line is a chapter elsewhere."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from foam_cli import config
from foam_cli.building import build
from foam_cli.core.errors import CheckpointError, ConfigError, FoamError
from foam_cli.core.settings import Settings
from foam_cli.engine import examine, machine
from foam_cli.engine.chapters import Run
from foam_cli.engine.display import Display
from foam_cli.engine.folder import RunFolder, arm_folder, newest_unfinished
from foam_cli.engine.refusals import refuse_nonsense
from foam_cli.engine.stopping import stop_requests
from foam_cli.engine.tracking import require_libraries


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """How a run ended.

    Attributes:
        folder: Its folder.
        status: `finished` or `interrupted`.
    """

    folder: Path
    status: str


def run_training(
    overrides: Sequence[str],
    display: Display,
    *,
    command: str,
    resume: str | None = None,
    config_dirs: Sequence[Path] = (),
) -> Outcome:
    """Train: a new run, or one that is continued.

    Args:
        overrides: Settings as on the command line.
        display: Shows the progress.
        command: What the user typed, for the manifest.
        resume: A run folder, `auto`, or None for a new run.
        config_dirs: The user's own configuration folders.

    Returns:
        How it ended.

    Raises:
        ConfigError: A setting is wrong, or `--resume` and the settings do not go together.
    """
    if resume is not None and resume != "auto":
        others = [one for one in overrides if not one.startswith("plugins=")]
        if others:
            raise ConfigError(f"--resume {resume}: the run has its settings already; leave out {others[0]}.")
        folder = RunFolder.open(Path(resume))
        values = config.from_yaml(folder.path / "config.yaml", config.plugins_of(overrides))
        settings = build_settings(values)
        require_libraries(settings)
        return _run(settings, values, folder, display, command, resuming=folder.has_begun)
    composed = config.compose(machine.resolve_auto(overrides), config_dirs)
    settings = build_settings(composed.values)
    require_libraries(settings)
    arm = arm_folder(composed.values, composed.choices)
    if resume == "auto":
        folder = RunFolder.open(newest_unfinished(arm))
        return _run(settings, composed.values, folder, display, command, resuming=True)
    folder = RunFolder.create(arm, settings.seed)
    return _run(settings, composed.values, folder, display, command, resuming=False)


def build_settings(values: dict[str, Any]) -> Settings:
    """Check a composed configuration and build its objects; a setting that is wrong is a ConfigError.

    Args:
        values: From `config.compose`, or a run's config.yaml.

    Returns:
        The settings.
    """
    settings = build(Settings, config.resolve_environment(values), values.get("plugins") or [])
    refuse_nonsense(settings)
    return settings


def _run(
    settings: Settings,
    values: dict[str, Any],
    folder: RunFolder,
    display: Display,
    command: str,
    *,
    resuming: bool,
) -> Outcome:
    display.say(f"run {folder.path}")
    run = Run(settings, values, folder, display, command)
    try:
        with stop_requests(display.say) as should_stop:
            run.set_up(resuming=resuming)
            folder.tracking.begin(settings, values, folder.path, run.state.step, display.say)
            finished = run.train(should_stop)
        if not finished:
            run.write_result("interrupted")
            display.say(f"Stopped at step {run.state.step}. Continue with: foam train --resume {folder.path}")
            return Outcome(folder=folder.path, status="interrupted")
        run.conclude()
        return Outcome(folder=folder.path, status="finished")
    except (FoamError, OSError, RuntimeError, KeyboardInterrupt) as error:
        run.write_result("failed", error=str(error) or type(error).__name__)
        raise
    finally:
        folder.close()


def restore(folder: Path, display: Display, tasks: examine.Tasks | None = None) -> "Run":
    """Rebuild a run's model from its newest checkpoint.

    Args:
        folder: The run folder.
        display: Shows the progress.
        tasks: What it will be asked; looked up in its training data.

    Returns:
        The run, its model as it was when it was saved.

    Raises:
        CheckpointError: The run has no checkpoint.
    """
    values = config.from_yaml(folder / "config.yaml")
    run = Run(build_settings(values), values, RunFolder.open(folder, read_only=True), display, command="")
    if not list((folder / "checkpoints").glob("step_*")):
        raise CheckpointError(f"{folder}: has no checkpoint, so there is no model to look at.")
    run.set_up(resuming=True, examine_base=False, tasks=tasks or {})
    run.base.model.eval()
    return run
