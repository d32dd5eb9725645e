"""`foam export`: write the model of an earlier run."""

from pathlib import Path
from typing import Any

from foam_cli.core.files import read_json
from foam_cli.engine import examine
from foam_cli.engine.display import Display
from foam_cli.engine.run import restore


def export_run(folder: Path, target: Path | None, display: Display) -> dict[str, Any]:
    """Export the newest checkpoint of a run.

    Args:
        folder: The run folder.
        target: Where to write, or None for the run's own `export` folder.
        display: Shows the progress.

    Returns:
        What was written, as plain data.
    """
    run = restore(folder, display)
    run.command = read_json(folder / "manifest.json")["command"]
    for when in ("base", "final"):
        run.results[when] = examine.load(folder / "evaluations" / when) or {}
    report = run.write_export(target or folder / "export")
    return {
        "folder": str(report.folder),
        "architecture": report.architecture,
        "num_parameters": report.num_parameters,
        "width": report.width,
        "max_abs_dlogits": report.max_abs_dlogits,
        "tolerance": report.tolerance,
    }
