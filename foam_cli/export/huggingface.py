"""Exports a grown model as a plain Hugging Face folder, and proves that it is the same model."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from foam_cli.core.errors import ExportError
from foam_cli.core.files import folder_written_aside, write_json, write_text
from foam_cli.export.card import model_card
from foam_cli.export.facts import ExportFacts, ExportReport
from foam_cli.export.merge import merge
from foam_cli.export.parity import measure_parity, quiet_progress

MARKER = "foam_export.json"


def is_foam_export(folder: Path) -> bool:
    """Recognise a folder that foam exported, by its marker file.

    Args:
        folder: Any path.

    Returns:
        Whether foam wrote it.
    """
    try:
        marker = json.loads((folder / MARKER).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(marker, dict) and "foam_export" in marker


def export_hf(model: Any, tokenizer: Any, target: Path, facts: ExportFacts) -> ExportReport:
    """Write a model as a folder that `AutoModelForCausalLM` loads, without code of foam's.

    The folder appears at once and complete, or not at all: it is written aside, loaded again, compared
    with the running model, and renamed.

    Args:
        model: The running model, growable or not; only read.
        tokenizer: Its tokenizer; saved with its chat template.
        target: Where the folder shall be; an older export of foam's is replaced.
        facts: What the folder shall say about the run, and the probe it is checked on.

    Returns:
        What was exported, with the measured difference.

    Raises:
        ExportError: `target` holds something that foam did not export, the disk refuses, the architecture is
            not one of transformers' own, or the loaded folder does not reproduce the running model's logits.
    """
    if not type(model).__module__.startswith("transformers."):
        raise ExportError(
            f"{type(model).__name__} comes from {type(model).__module__}: a plain folder holds no code, "
            "so only models that transformers itself defines can be exported"
        )
    _check_target(target)
    try:
        with folder_written_aside(target, _is_replaceable) as folder:
            return replace(_fill(folder, model, tokenizer, facts), folder=target)
    except OSError as error:
        raise ExportError(
            f"cannot write {target}: {error.strerror or error}; free space or pass another folder"
        ) from error


def _is_replaceable(target: Path) -> bool:
    return target.is_dir() and (is_foam_export(target) or not any(target.iterdir()))


def _check_target(target: Path) -> None:
    if target.exists() and not _is_replaceable(target):
        what = (
            f"holds no {MARKER}, so it is not an export of foam's" if target.is_dir() else "is not a folder"
        )
        raise ExportError(
            f"{target} {what} and will not be overwritten; pass another folder or remove it yourself"
        )


def _fill(folder: Path, model: Any, tokenizer: Any, facts: ExportFacts) -> ExportReport:
    merged, num_neurons, width = merge(model)
    with quiet_progress():
        merged.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    difference = measure_parity(model, folder, facts.probe_BT, facts.tolerance)
    if not difference <= facts.tolerance:  # NaN must fail too
        raise ExportError(
            f"the exported model's logits differ from the running model's by {difference:.2e}, more than the "
            f"{facts.tolerance:.0e} allowed (export.max_abs_dlogits); nothing was written"
        )
    report = ExportReport(
        folder=folder,
        architecture=type(model).__name__,
        num_blocks=len(num_neurons),
        width=width,
        num_neurons=num_neurons,
        num_parameters=sum(parameter.numel() for parameter in merged.parameters()),
        num_bytes=sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()),
        max_abs_dlogits=difference,
        tolerance=facts.tolerance,
    )
    write_text(folder / "README.md", model_card(facts, report))
    write_json(folder / MARKER, _marker(facts, report))
    return report


def _marker(facts: ExportFacts, report: ExportReport) -> dict[str, Any]:
    return {
        "foam_export": 1,
        "format": "hf",
        "source": facts.source,
        "architecture": report.architecture,
        "command": facts.command,
        "seed": facts.seed,
        "versions": facts.versions,
        "width": report.width,
        "num_neurons": report.num_neurons,
        "tolerance": report.tolerance,
        "max_abs_dlogits": report.max_abs_dlogits,
        "growth": facts.history,
    }
