"""report.html: one run on one self-contained page."""

from pathlib import Path
from typing import Any

from markupsafe import Markup

from foam_cli.core.files import write_text
from foam_cli.report import numbers
from foam_cli.report.answers import answers_of_run
from foam_cli.report.html import render
from foam_cli.report.numbers import (
    as_number,
    block_ranges,
    change,
    count,
    decimal,
    plural,
    score,
    short_count,
    small,
    words,
)
from foam_cli.report.origin import origin
from foam_cli.report.run_folder import GrowthEvent, RunFolder, mapping, read_run
from foam_cli.report.scores import Reading, Score, scores, verdict

_MAX_EVENTS = 200


def run_report(run_dir: Path) -> Path:
    """Write report.html and figures/ of a run, from what its folder holds.

    Args:
        run_dir: The run folder; anything in it may be missing.

    Returns:
        The page.
    """
    # matplotlib takes a second to import: only those who draw pay for it.
    from foam_cli.report.gallery import captions, draw_all
    from foam_cli.report.trade_figures import transfer_summaries

    run = read_run(run_dir)
    rows = scores(run)
    drawn = draw_all(run, rows, run_dir / "figures")
    figures = {
        name: caption | {"svg": Markup(drawn[name]) if name in drawn else None}
        for name, caption in captions().items()
    }
    page = run_dir / "report.html"
    context = page_context(run, rows) | {"figures": figures, "transfer": transfer_summaries(run)}
    write_text(page, render("page.html.j2", context))
    return page


def page_context(run: RunFolder, rows: list[Score]) -> dict[str, Any]:
    """Everything the page says, as text.

    Args:
        run: The run.
        rows: Its scores.

    Returns:
        The template's variables; nothing in them is markup.
    """
    return {
        "name": run.name,
        "status": run.status,
        "verdict": verdict(run, rows),
        "facts": _facts(run),
        "scores": [_score_row(row) for row in rows],
        "events": [_event_row(event) for event in run.growth[:_MAX_EVENTS]],
        "num_events": len(run.growth),
        "samples": answers_of_run(run.samples),
        "num_samples": len(run.samples),
        "origin": origin([run]),
        "config": run.config,
        "notes": run.notes,
    }


def _facts(run: RunFolder) -> list[tuple[str, str, str]]:
    """The strip of key figures: (name, value, remark)."""
    parameters = mapping(run.result.get("parameters"))
    base, final = as_number(parameters.get("base")), as_number(parameters.get("final"))
    grown = f"{100 * (final / base - 1):+.1f} % over the base" if base and final else ""
    blocks = sum(event.blocks for event in run.growth)
    recycled = sum(event.recycled for event in run.growth)
    more = [
        f"{recycled} recycled" if recycled else "",
        f"{plural(blocks, 'block')} inserted" if blocks else "",
    ]
    events = f"in {plural(len(run.growth), 'event')}"
    seconds = run.result.get("seconds")
    return [
        ("parameters", short_count(final), grown),
        ("trainable", short_count(parameters.get("trainable")), ""),
        ("neurons born", count(run.neurons_born), ", ".join([events, *filter(None, more)])),
        ("tokens trained on", short_count(run.result.get("tokens")), f"in {count(run.last_step)} steps"),
        ("time", numbers.duration(seconds), "everything included" if as_number(seconds) else ""),
        ("peak memory", numbers.memory(run.result.get("peak_memory_bytes")), ""),
    ]


def _cell(reading: Reading, metric: str) -> dict[str, str]:
    interval = ""
    if reading.low is not None and reading.high is not None:
        interval = f"{score(reading.low, metric, unit=False)} to {score(reading.high, metric, unit=False)}"
    return {"value": score(reading.value, metric), "interval": interval}


def _score_row(row: Score) -> dict[str, Any]:
    sizes = [reading.n for reading in row.readings.values() if reading.n is not None]
    return {
        "task": words(row.task),
        "metric": row.metric,
        "role": {"learnt": "to learn", "kept": "to keep"}.get(row.role, ""),
        "primary": row.primary,
        "seen": row.seen,
        "cells": [_cell(reading, row.metric) for reading in row.readings.values()],
        "change": change(row.base, row.final, row.metric),
        "better": 0 if not row.gain else 1 if row.gain > 0 else -1,
        "n": count(max(sizes)) if sizes else numbers.DASH,
    }


def _event_row(event: GrowthEvent) -> dict[str, str]:
    row = event.row
    parts = [
        plural(sum(event.born.values()), "neuron") if event.born else "",
        plural(event.blocks, "block") if event.blocks else "",
        f"{event.recycled} recycled" if event.recycled else "",
    ]
    inserted = row.get("blocks_after") or []
    places = [
        f"block{'s' if len(event.born) > 1 else ''} {block_ranges(list(event.born))}" if event.born else "",
        f"behind block {', '.join(map(str, inserted))}" if event.blocks else "",
    ]
    return {
        "step": count(event.step),
        "reason": str(row.get("reason", "")),
        "where": "; ".join(filter(None, places)) or numbers.DASH,
        "what": ", ".join(filter(None, parts)) or numbers.DASH,
        "before": count(row.get("parameters_before")),
        "after": count(row.get("parameters_after")),
        "dlogits": small(row.get("max_abs_dlogits")),
        "loss_before": decimal(row.get("loss_before_nats")),
        "loss_after": decimal(row.get("loss_after_nats")),
    }
