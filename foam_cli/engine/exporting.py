"""Writes a run's model in the format that is asked for."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from foam_cli.core.settings import Settings
from foam_cli.export.delta import save_delta
from foam_cli.export.facts import ExportFacts
from foam_cli.export.huggingface import export_hf
from foam_cli.model.loading import BaseModel, load_base, weights_dtype


@dataclass(frozen=True, kw_only=True)
class Exported:
    """What was written, whatever its format.

    Attributes:
        path: The folder or the file.
        max_abs_dlogits: Largest difference of a logit on the probe, running against reloaded model.
        facts: The format's own report, as plain data.
    """

    path: Path
    max_abs_dlogits: float
    facts: dict[str, Any]


def write_export(
    form: str,
    base: BaseModel,
    *,
    settings: Settings,
    target: Path | None,
    run_folder: Path,
    facts: ExportFacts,
) -> Exported:
    """Write a model.

    Args:
        form: `hf` or `delta`.
        base: The run's model, grown and trained, and its tokenizer.
        settings: The run's settings; a delta is proved on the base that they name.
        target: Where to write, or None for a place in the run folder.
        run_folder: The run folder.
        facts: What the export shall say about the run.

    Returns:
        What was written.
    """
    if form == "hf":
        report = export_hf(base.model, base.tokenizer, target or run_folder / "export", facts)
        path, measured = report.folder, report.max_abs_dlogits
    else:
        hardware = settings.hardware
        dtype = weights_dtype(hardware.precision)
        fresh = load_base(settings.model, dtype=dtype, device=hardware.device, seed=settings.seed).model
        report = save_delta(base.model, fresh, target or run_folder / "growth.safetensors", facts)
        path, measured = report.file, report.max_abs_dlogits
    return Exported(path=path, max_abs_dlogits=measured, facts=asdict(report))
