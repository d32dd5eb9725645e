"""The folders of a study's runs: found again by what they do, made at once or not at all."""

import re
from pathlib import Path

from foam_cli import config
from foam_cli.core.errors import FoamError
from foam_cli.core.files import folder_written_aside, write_text
from foam_cli.engine.folder import arm_folder, run_id
from foam_cli.engine.study.plan import PlannedRun


def find(run: PlannedRun) -> Path | None:
    """Find a run's folder.

    Args:
        run: The run.

    Returns:
        The folder of an earlier part of the very same run, or None.
    """
    arm = arm_folder(run.composed.values, run.composed.choices)
    for folder in sorted(arm.glob(f"{run.seed}*")):
        if not re.fullmatch(rf"{run.seed}(-\d+)?", folder.name) or not (folder / "config.yaml").is_file():
            continue
        plugins = run.composed.values.get("plugins") or []
        if run_id(config.from_yaml(folder / "config.yaml", plugins)) == run.run_id:
            return folder
    return None


def make(run: PlannedRun) -> Path:
    """Make a run's folder, with its configuration in it; nothing that exists is ever touched.

    Args:
        run: The run.

    Returns:
        OUTPUT_DIR/study/arm/seed, or seed-2 ... where runs with other settings are kept already.

    Raises:
        FoamError: The folder cannot be made.
    """
    arm = arm_folder(run.composed.values, run.composed.choices)
    number = 0
    while True:
        number += 1
        folder = arm / (f"{run.seed}" if number == 1 else f"{run.seed}-{number}")
        try:
            with folder_written_aside(folder, may_replace=lambda _: False) as aside:
                write_text(aside / "config.yaml", config.to_yaml(run.composed.values))
        except FileExistsError:
            continue
        except OSError as error:
            raise FoamError(f"output_dir={arm}: cannot be made: {error}") from error
        return folder
