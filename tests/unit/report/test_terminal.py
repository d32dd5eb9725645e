"""What the terminal shows at the end of a run."""

from collections.abc import Callable
from pathlib import Path

from rich.console import Console

from foam_cli.report.terminal import terminal_summary

WriteRun = Callable[[Path, str], Path]


def shown(folder: Path, width: int = 200) -> str:
    console = Console(width=width, color_system=None, legacy_windows=False)
    with console.capture() as capture:
        console.print(terminal_summary(folder))
    return capture.get().replace("\u202f", " ")


def test_a_finished_run(run_dir: Path):
    text = shown(run_dir)
    assert "Learnt  tool use 0 → 95 %" in text
    line = next(line.split() for line in text.splitlines() if line.startswith("tool use"))
    assert line == ["tool", "use", "full", "call", "acc", "0", "%", "95", "%", "89", "to", "98", "+95", "120"]
    assert "16 neurons and 1 block in 2 events, 2 k → 2.5 k parameters" in text
    assert "60 steps, 3.84 k tokens, 1 min 37 s" in text
    assert str(run_dir) in text
    assert "report.html" not in text


def test_an_empty_folder(tmp_path: Path):
    assert "nothing was evaluated" in shown(tmp_path)


def test_markup_in_names_is_shown_as_it_is(tmp_path: Path, write_run: WriteRun, hostile: str):
    write_run(tmp_path, hostile)
    assert "[red]" in shown(tmp_path, width=2000)


def test_a_narrow_terminal_is_wide_enough(run_dir: Path):
    assert max(map(len, shown(run_dir, width=60).splitlines())) <= 60
