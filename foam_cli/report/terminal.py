"""The last thing `foam train` prints: the verdict and the numbers behind it."""

from pathlib import Path

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from foam_cli.core.text import visible
from foam_cli.report.numbers import DASH, change, count, duration, plural, score, short_count, words
from foam_cli.report.run_folder import RunFolder, mapping, read_run
from foam_cli.report.scores import Reading, Score, scores, verdict

_NUM_COLUMNS = 7
_STYLES = {"Learnt": "bold green", "Kept": "bold blue", "Forgot": "bold red", "Not learnt": "bold red"}


def terminal_summary(run_dir: Path) -> RenderableType:
    """Sum a run up for the terminal.

    Args:
        run_dir: The run folder; anything in it may be missing.

    Returns:
        The verdict, the main metric of every task, what grew, and where the files are. Text from the run is
        never read as markup.
    """
    run = read_run(run_dir)
    rows = scores(run)
    shown = [row for row in rows if row.primary]
    parts: list[RenderableType] = [_verdict(run, rows)]
    if shown:
        parts += [Text(), _table(shown)]
    return Group(*parts, Text(), *_lines(run, run_dir))


def _verdict(run: RunFolder, rows: list[Score]) -> Text:
    text = Text()
    for place, clause in enumerate(verdict(run, rows)):
        text.append("\n" if place else "").append(clause.what, style=_STYLES.get(clause.what, "bold yellow"))
        text.append(f"  {', '.join(clause.which)}").append(clause.remark, style="dim")
    return text


def _table(rows: list[Score]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 3, 0, 0))
    table.add_column("task")
    table.add_column("metric", style="dim")
    for name in ("base", "final", "95 % interval", "change", "n"):
        table.add_column(name, justify="right")
    if any(row.seen for row in rows):
        table.add_column("", style="yellow")
    for row in rows:
        final = row.readings["final"]
        gain = row.gain or 0
        table.add_row(
            Text(words(row.task)),
            Text(words(row.metric)),
            score(row.base, row.metric),
            Text(score(row.final, row.metric), style="bold"),
            Text(_interval(final, row.metric), style="dim"),
            Text(
                change(row.base, row.final, row.metric),
                style="green" if gain > 0 else "red" if gain < 0 else "",
            ),
            count(final.n),
            *([Text(visible(row.seen))] if len(table.columns) > _NUM_COLUMNS else []),
        )
    return table


def _interval(reading: Reading, metric: str) -> str:
    if reading.low is None or reading.high is None:
        return DASH
    return f"{score(reading.low, metric, unit=False)} to {score(reading.high, metric, unit=False)}"


def _lines(run: RunFolder, run_dir: Path) -> list[Text]:
    parameters = mapping(run.result.get("parameters"))
    blocks = sum(event.blocks for event in run.growth)
    grown = plural(run.neurons_born, "neuron") + (f" and {plural(blocks, 'block')}" if blocks else "")
    sizes = f"{short_count(parameters.get('base'))} → {short_count(parameters.get('final'))} parameters"
    tokens = f"{short_count(run.result.get('tokens'))} tokens, {duration(run.result.get('seconds'))}"
    facts = {
        "grown": f"{grown} in {plural(len(run.growth), 'event')}, {sizes}",
        "trained": f"{count(run.last_step)} steps, {tokens}",
    }
    facts["run"] = visible(str(run_dir))
    if (run_dir / "report.html").is_file():
        facts["report"] = visible(str(run_dir / "report.html"))
    if run.result.get("export"):
        facts["export"] = visible(str(run.result["export"]))
    return [Text.assemble((f"{name:<9}", "dim"), value, overflow="fold") for name, value in facts.items()]
