"""`foam export`: write the model of an earlier run."""

from pathlib import Path
from typing import Any

from foam_cli.core.files import read_json
from foam_cli.engine import examine
from foam_cli.engine.display import Display
from foam_cli.engine.interpolate import name_of
from foam_cli.engine.run import restore

#: Where a point between the base and the trained model is written when nothing else is said.
_POINT = {"hf": "export_{point}", "delta": "growth_{point}.safetensors"}


def export_run(
    folder: Path, target: Path | None, display: Display, form: str = "hf", alpha: float = 1.0
) -> dict[str, Any]:
    """Export the newest checkpoint of a run.

    Args:
        folder: The run folder.
        target: Where to write, or None for a place in the run folder.
        display: Shows the progress.
        form: `hf` or `delta`.
        alpha: A point between the base (0) and the trained model (1).

    Returns:
        What was written, as plain data.
    """
    run = restore(folder, display)
    run.command = read_json(folder / "manifest.json")["command"]
    if alpha != 1:  # what is written says so, and never takes the place of the trained model
        run.command += f"; foam export alpha={alpha:g}, between the base (0) and the trained model (1)"
        target = target or folder / _POINT[form].format(point=name_of(alpha))
    # The scores of the point that is exported, which are known where the run's sweep came by it.
    scored = {"base": "base", "final": "final" if alpha == 1 else name_of(alpha)}
    for when, where in scored.items():
        run.results[when] = examine.load(folder / "evaluations" / where) or {}
    exported = run.write_export(form, target, alpha)
    assert exported is not None
    kept = ("architecture", "num_parameters", "num_blocks", "width", "max_abs_dlogits", "tolerance")
    place = {name: str(exported.facts[name]) for name in ("folder", "file") if name in exported.facts}
    return place | {name: exported.facts[name] for name in kept if name in exported.facts}
