"""What a person watches while a run works: one bar with an estimate, and a line for whatever happens."""

from collections.abc import Callable, Generator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from foam_cli.core.growth import GrowthRecord
from foam_cli.core.text import visible


class Display:
    """Shows progress on a console; on one that is not a terminal, lines only."""

    def __init__(self, console: Console) -> None:
        self.console = console

    def say(self, text: str, style: str = "") -> None:
        """Print a line.

        Args:
            text: Shown as it is: neither markup nor control characters in it have an effect.
            style: A rich style.
        """
        self.console.print(Text(visible(text), style=style))

    def growth(self, record: GrowthRecord) -> None:
        """Tell of a growth event.

        Args:
            record: The event.
        """
        born = sum(record.born.values())
        what = [f"{born} neurons born in {len(record.born)} blocks"] if born else []
        recycled = sum(map(len, record.recycled.values()))
        what += [f"{recycled} recycled"] if recycled else []
        what += [f"{len(record.blocks_after)} block inserted"] if record.blocks_after else []
        measured = (
            f"max |Δlogits| {record.max_abs_dlogits:.1e}, "
            f"probe loss {record.loss_before_nats:.4f} → {record.loss_after_nats:.4f}, "
            f"parameters {record.parameters_before:,} → {record.parameters_after:,}"
        )
        self.console.print(
            f"  [magenta]✦ growth {record.event}[/] at step {record.step}: {', '.join(what)}; {measured}",
            highlight=False,
            soft_wrap=True,
        )

    @contextmanager
    def bar(self, title: str, total: int, done: int = 0) -> Generator[Callable[..., None]]:
        """Show a bar while something works.

        Args:
            title: What works.
            total: How much there is to do.
            done: How much is done already.

        Yields:
            A function that is told how much is done, a few words beside the bar, and the total if it changes.
        """
        columns = (
            SpinnerColumn(),
            TextColumn("{task.description}", style="bold", markup=False),
            BarColumn(bar_width=28),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            TextColumn("{task.fields[words]}", markup=False),
        )
        live = self.console.is_terminal
        with Progress(*columns, console=self.console, disable=not live, transient=True) as progress:
            task = progress.add_task(visible(title), total=total, completed=done, words="")

            def update(completed: int, words: str = "", total: int | None = None) -> None:
                progress.update(task, completed=completed, words=words, total=total)

            yield update
