"""report.html of a study: its arms on one self-contained page."""

import importlib
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from markupsafe import Markup

from foam_cli.core.files import write_text
from foam_cli.report import numbers
from foam_cli.report.answers import MAX_ARMS, answers_of_study
from foam_cli.report.html import render
from foam_cli.report.numbers import as_number, change, count, plural, score, short_count, words
from foam_cli.report.origin import origin
from foam_cli.report.pareto import pareto
from foam_cli.report.run_folder import mapping
from foam_cli.report.scores import Clause
from foam_cli.report.study_folder import Spread, StudyArm, StudyFolder, read_study, spread

_MAX_SENTENCES = 6
_MAX_ROWS = 400
_MAX_LETTERS = 600
#: Name, where result.json has it, and how it is written.
_COSTS: tuple[tuple[str, tuple[str, ...], Callable[[Any], str]], ...] = (
    ("Trainable", ("parameters", "trainable"), short_count),
    ("Parameters", ("parameters", "final"), short_count),
    ("FLOPs", ("flops",), numbers.small),
    ("Tokens", ("tokens",), short_count),
    ("Time", ("seconds",), numbers.duration),
    ("Memory", ("peak_memory_bytes",), numbers.memory),
)


def study_report(folder: Path) -> Path:
    """Write report.html and figures/ of a study.

    Args:
        folder: OUTPUT_DIR/study, or the folder of ablation_comparison.json; anything in it may be missing.

    Returns:
        The page.
    """
    # matplotlib takes a second to import: only those who draw pay for it.
    from foam_cli.report.study_figures import draw_study, study_captions

    study = read_study(folder)
    drawn = draw_study(study, folder / "figures")
    figures = {
        name: caption | {"svg": Markup(drawn[name]) if name in drawn else None}
        for name, caption in study_captions(study.arms).items()
    }
    page = folder / "report.html"
    write_text(page, render("study.html.j2", study_context(study) | {"figures": figures}))
    return page


def draw_soon() -> None:
    """Import what draws figures beside whatever this process does now: it will be wanted at its end."""
    name = "foam_cli.report.study_figures"
    threading.Thread(target=importlib.import_module, args=(name,), daemon=True).start()


def study_context(study: StudyFolder) -> dict[str, Any]:
    """Everything the page says, as text.

    Args:
        study: The study.

    Returns:
        The template's variables; nothing in them is markup.
    """
    sentences = _sentences(study)
    # Too many to be read: those that none surpasses stand first, and what was tested is folded away.
    best = _unsurpassed(study) if len(sentences) > _MAX_SENTENCES else []
    shown = best or sentences[:_MAX_SENTENCES]
    costs = [cost for cost in _COSTS if any(arm.spread(*cost[1]) for arm in study.arms)]
    return {
        "name": study.name,
        "status": _status(study),
        "verdict": shown or [Clause(what="No verdict", which=["no run is finished"])],
        "more_sentences": [str(one) for one in sentences if one not in shown],
        "facts": _facts(study),
        "notes": study.notes,
        "tasks": [(words(task), metric, _ROLES.get(role, "")) for task, metric, role in study.tasks],
        "costs": [name for name, _, _ in costs],
        "base": [_base_cell(study, task, metric) for task, metric, _ in study.tasks],
        "arms": [_arm_row(study, arm, costs) for arm in study.arms],
        "comparisons": _comparisons(study),
        "failures": [(label, error[:_MAX_LETTERS]) for label, error in study.failures.items()],
        "samples": answers_of_study(study.arms),
        "max_answering": MAX_ARMS if len(study.arms) > MAX_ARMS else None,
        "origin": origin(study.runs),
        "config": "",
    }


def _status(study: StudyFolder) -> str:
    if study.failures:
        return f"{len(study.failures)} failed"
    finished, planned = len(study.runs), study.num_planned
    return "finished" if planned is None or finished >= planned else f"{finished} of {planned} runs"


_ROLES = {"learnt": "to learn", "kept": "to keep"}


# ---------------------------------------------------------------- sentences


def _sentences(study: StudyFolder) -> list[Clause]:
    """What the study's tests showed; where none were made, what was measured."""
    told = [mapping(one) for one in _rows(study.comparison.get("comparisons"))]
    if told:
        return [_tested(str(one.get("arm", "")), str(one.get("verdict", ""))) for one in told]
    return [_measured(arm) for arm in study.arms if arm.runs]


def _unsurpassed(study: StudyFolder) -> list[Clause]:
    """The arms that no other surpasses both in learning and in keeping, by medians."""
    spreads = {arm.name: (arm.learnt, arm.kept) for arm in study.arms}
    points = {name: (x.median, y.median) for name, (x, y) in spreads.items() if x and y}
    best = pareto(points)
    if not 0 < len(best) <= _MAX_SENTENCES:
        return []
    arms = {arm.name: arm for arm in study.arms}
    told = f"{len(best)} of {len(points)} arms, by medians that nothing tested"
    first = Clause(what="Unsurpassed", which=[f"in learning and keeping at once: {told}"])
    return [first, *(_measured(arms[name]) for name in best)]


def _rows(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _tested(arm: str, sentence: str) -> Clause:
    return Clause(what=arm, which=[sentence.removeprefix(arm).strip().removesuffix(".")])


def _measured(arm: StudyArm) -> Clause:
    parts: list[str] = []
    if arm.learnt is not None:
        parts.append(f"learnt tasks {score(arm.learnt.median, 'acc')}{_ends(arm.learnt, _percent)}")
    if arm.kept is not None:
        parts.append(f"kept tasks {_points(arm.kept.median)} points{_ends(arm.kept, _points)}")
    if not parts:
        return Clause(what=arm.name, which=["neither asked what it learnt nor what it kept"])
    return Clause(what=arm.name, which=parts, remark=f" (not tested; {plural(len(arm.runs), 'seed')})")


def _percent(value: float) -> str:
    return score(value, "acc", unit=False)


def _points(value: float) -> str:
    return change(0, value, "acc")


def _ends(found: Spread, write: Callable[[float], str]) -> str:
    return "" if found.low == found.high else f" [{write(found.low)} to {write(found.high)}]"


# ---------------------------------------------------------------- numbers


def _facts(study: StudyFolder) -> list[tuple[str, str, str]]:
    """The strip of key figures: (name, value, remark)."""
    results = [run.result for run in study.runs]
    tokens, seconds, memory = (
        [value for result in results if (value := as_number(result.get(key))) is not None]
        for key in ("tokens", "seconds", "peak_memory_bytes")
    )
    failed = f"{len(study.failures)} failed" if study.failures else ""
    seeds = study.seeds
    return [
        ("arms", count(len(study.arms)), ""),
        ("finished runs", count(len(results)), failed),
        ("seeds", count(len(seeds)), ", ".join(seeds[:8]) + (" …" if len(seeds) > 8 else "")),
        ("tokens trained on", short_count(sum(tokens)), "all runs together"),
        ("time", numbers.duration(sum(seconds)), "all runs together"),
        ("peak memory", numbers.memory(max(memory, default=None)), "the largest run"),
    ]


def _cell(found: Spread | None, write: Callable[[Any], str]) -> dict[str, str]:
    if found is None:
        return {"value": numbers.DASH, "extremes": ""}
    low, high = write(found.low).removesuffix("\u202f%"), write(found.high).removesuffix("\u202f%")
    return {"value": write(found.median), "extremes": "" if low == high else f"{low} to {high}"}


def _base_cell(study: StudyFolder, task: str, metric: str) -> dict[str, str]:
    found = [mapping(run.result.get("metrics")).get(f"base/{task}/{metric}") for run in study.runs]
    return _cell(spread([as_number(value) for value in found]), _writer(metric))


def _writer(metric: str) -> Callable[[Any], str]:
    return lambda value: score(value, metric)


def _arm_row(study: StudyFolder, arm: StudyArm, costs: list[Any]) -> dict[str, Any]:
    cells = [
        _cell(arm.spread("metrics", f"final/{task}/{metric}"), _writer(metric))
        for task, metric, _ in study.tasks
    ]
    return {
        "name": arm.name,
        "seeds": len(arm.runs),
        "overrides": arm.overrides,
        "cells": cells,
        "costs": [_cell(arm.spread(*path), write) for _, path, write in costs],
    }


def _comparisons(study: StudyFolder) -> list[dict[str, str]]:
    """Every task of every arm against its baseline, as the comparison has it."""
    rows: list[dict[str, str]] = []
    for one in map(mapping, _rows(study.comparison.get("comparisons"))):
        for task, told in mapping(one.get("tasks")).items():
            effect = mapping(told)
            finding = str(effect.get("finding", ""))
            rows.append(
                {
                    "arm": str(one.get("arm", "")),
                    "baseline": str(one.get("baseline", "")),
                    "task": words(task),
                    "points": _signed(effect.get("points"), 1),
                    "interval": f"{_signed(effect.get('low'), 1)} to {_signed(effect.get('high'), 1)}",
                    "cohens_h": _signed(effect.get("cohens_h"), 2),
                    "p_holm": numbers.decimal(effect.get("p_holm")),
                    "num_items": count(effect.get("num_items")),
                    "finding": finding,
                    "trend": {"better": "up", "worse": "down"}.get(finding, ""),
                }
            )
    return rows[:_MAX_ROWS]


def _signed(value: Any, digits: int) -> str:
    number = as_number(value)
    return numbers.DASH if number is None else f"{number:+.{digits}f}".replace("-", "−")
