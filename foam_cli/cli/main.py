"""The `foam` command. Nothing heavy is imported before a command needs it."""

import json
import os
import shlex
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.text import Text

from foam_cli import __version__, config
from foam_cli.cli import completion
from foam_cli.core.errors import ConfigError, FoamError
from foam_cli.core.imports import without_collecting
from foam_cli.core.text import visible

app = typer.Typer(
    name="foam",
    help="Grow a pretrained transformer while it trains: it learns new things and keeps the old.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)

_OVERRIDES_HELP = "Settings: GROUP=OPTION or key=value, e.g. growth=v3 train.steps=500."


def _list_of_groups() -> str:
    lines = [f"[cyan]{group}[/]: {', '.join(options)}" for group, options in config.groups().items()]
    return "[bold]Groups and options[/]\n\n" + "\n\n".join(lines)


Overrides = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[SETTINGS]...", help=_OVERRIDES_HELP, autocompletion=completion.complete_settings
    ),
]
ConfigDirs = Annotated[
    list[Path] | None, typer.Option("--config-dir", help="A folder with configuration groups of your own.")
]
Json = Annotated[bool, typer.Option("--json", help="One JSON document on stdout, everything else on stderr.")]
Debug = Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")]


def _display(as_json: bool) -> Any:
    from foam_cli.engine.display import Display

    return Display(Console(stderr=as_json))


def _command() -> str:
    return shlex.join(["foam", *sys.argv[1:]])


def _version(wanted: bool) -> bool:
    if wanted:
        print(f"foam {__version__}")  # noqa: T201
        raise typer.Exit
    return wanted


@app.callback()
def main(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Grow a pretrained transformer while it trains: it learns new things and keeps the old."""
    del version


@app.command(epilog=_list_of_groups())
def train(
    overrides: Overrides = None,
    resume: Annotated[
        str | None,
        typer.Option(
            help="Continue a run: its folder, or 'auto' for the newest unfinished one of these settings."
        ),
    ] = None,
    config_dir: ConfigDirs = None,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Train a model and let it grow. Without settings: the embedded study, in two minutes."""
    del debug
    from foam_cli.engine.run import run_training
    from foam_cli.engine.stopping import STOPPED_EXIT_CODE
    from foam_cli.report.terminal import terminal_summary

    display = _display(as_json)
    outcome = run_training(
        overrides or [], display, command=_command(), resume=resume, config_dirs=config_dir or []
    )
    if outcome.status == "interrupted":
        raise typer.Exit(STOPPED_EXIT_CODE)
    display.console.print()
    display.console.print(terminal_summary(outcome.folder))
    if as_json:
        result = json.loads((outcome.folder / "result.json").read_text(encoding="utf-8"))
        print(json.dumps({"run": str(outcome.folder), **result}))  # noqa: T201


@app.command(epilog=_list_of_groups())
def plan(
    overrides: Overrides = None,
    measure: Annotated[
        bool,
        typer.Option("--measure", help="Measure this machine's speed even where the profile states one."),
    ] = False,
    config_dir: ConfigDirs = None,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Say what `foam train` with the same settings will need: parameters, memory, operations, time.

    Nothing is downloaded or allocated. Exit code 4: it does not fit the hardware profile's memory.
    """
    del debug
    from foam_cli.engine.plan import DOES_NOT_FIT_EXIT_CODE, document, plan_run, suggest
    from foam_cli.engine.plan_table import plan_tables

    words, dirs = overrides or [], config_dir or []
    planned = plan_run(words, config_dirs=dirs, measure=measure)
    suggestion = None if planned.fits else suggest(planned, words, dirs)
    Console(stderr=as_json).print(plan_tables(planned, suggestion))
    if as_json:
        print(json.dumps(document(planned, suggestion)))  # noqa: T201
    if not planned.fits:
        raise typer.Exit(DOES_NOT_FIT_EXIT_CODE)


@app.command()
def doctor(
    overrides: Overrides = None,
    config_dir: ConfigDirs = None,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Check the installation, and say how to mend what is wrong. Exit code 1: `foam train` would fail."""
    del debug
    from foam_cli.engine.doctor import examine, findings_table

    findings = examine(overrides or [], config_dir or [])
    Console(stderr=as_json).print(findings_table(findings))
    if as_json:
        print(json.dumps([vars(finding) for finding in findings]))  # noqa: T201
    if any(finding.status == "problem" for finding in findings):
        raise typer.Exit(1)


@app.command(name="eval", epilog=_list_of_groups())
def evaluate(
    tasks: Annotated[
        list[str],
        typer.Argument(
            metavar="TASK... TARGET [TARGET] [SETTINGS]...",
            help="Tasks (options of the group evaluation); a target: run=DIR, model=NAME, model.path=DIR, "
            "a folder or a hub id; two are compared; and settings.",
            autocompletion=completion.complete_tasks,
        ),
    ],
    config_dir: ConfigDirs = None,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Score a run, an export or any model, or compare two. Stopped, the same command goes on where it was."""
    del debug
    from foam_cli.engine.evaluate import evaluate as run_evaluation
    from foam_cli.engine.stopping import STOPPED_EXIT_CODE

    display = _display(as_json)
    try:
        document = run_evaluation(tasks, display, config_dirs=config_dir or [])
    except KeyboardInterrupt:
        raise typer.Exit(STOPPED_EXIT_CODE) from None
    if as_json:
        print(json.dumps(document))  # noqa: T201
    if document["failed"]:
        raise typer.Exit(1)


@app.command(epilog=_list_of_groups())
def ablate(  # noqa: PLR0917
    study: Annotated[
        str,
        typer.Argument(
            metavar="STUDY | search STUDY",
            help="The study, e.g. sweep. With `search` before it: let Optuna look for good settings.",
            autocompletion=completion.complete_studies,
        ),
    ],
    overrides: Overrides = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Check the whole study and show its runs; start none.")
    ] = False,
    config_dir: ConfigDirs = None,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Run the arms of a study on the same data, order and seeds, and compare them."""
    del debug
    if not dry_run and not any(word.startswith("launcher=") for word in overrides or []):
        from foam_cli.engine.launchers.local import import_ahead

        import_ahead()  # before this process imports torch itself, which takes as long again
    with without_collecting():
        from foam_cli.engine import ablate as studies

    display, words, dirs = _display(as_json), list(overrides or []), config_dir or []
    try:
        if study == "search":
            document = _search(words, display, dirs, dry_run=dry_run)
        else:
            document = studies.ablate(
                study, words, display, command=_command(), config_dirs=dirs, dry_run=dry_run
            )
    except studies.StudyStopped as stop:
        display.say(str(stop))
        raise typer.Exit(stop.exit_code) from None
    if as_json:
        print(json.dumps(document))  # noqa: T201
    if document.get("failures"):
        raise typer.Exit(1)


def _search(words: list[str], display: Any, config_dirs: list[Path], *, dry_run: bool) -> dict[str, Any]:
    from foam_cli.engine.study.search import search

    if dry_run:
        raise ConfigError("--dry-run: a search cannot know its runs beforehand; leave it out.")
    if not words or "=" in words[0]:
        raise ConfigError("foam ablate search: name the study, e.g. foam ablate search search_example.")
    return search(words[0], words[1:], display, command=_command(), config_dirs=config_dirs)


@app.command()
def export(
    run: Annotated[str, typer.Argument(metavar="RUN", help="A run folder, also as run=DIR.")],
    settings: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[format=hf|delta] [alpha=NUMBER]",
            help="hf: a plain Hugging Face folder. delta: what growth added to a frozen base, as one file. "
            "alpha: a point between the base (0) and the trained model (1).",
        ),
    ] = None,
    target: Annotated[
        Path | None,
        typer.Option("--to", help="Where to write; RUN/export or RUN/growth.safetensors when not given."),
    ] = None,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Write a run's newest checkpoint as a plain Hugging Face folder, or what growth added as one file."""
    del debug
    form, alpha = _export_settings(settings or [])
    from foam_cli.engine.export_run import export_run

    display = _display(as_json)
    report = export_run(Path(run.removeprefix("run=")), target, display, form, alpha)
    if as_json:
        print(json.dumps(report, default=str))  # noqa: T201


def _export_settings(words: list[str]) -> tuple[str, float]:
    form, alpha = "hf", 1.0
    for word in words:
        key, _, value = word.rpartition("=")
        if key in ("", "format", "export.format"):
            form = value
        elif key == "alpha":
            alpha = _fraction(value)
        else:
            raise ConfigError(f"{word}: foam export knows format= and alpha= only.")
    if form not in ("hf", "delta"):
        raise ConfigError(f"format={form}: not known. Choose one of: hf, delta.")
    return form, alpha


def _fraction(value: str) -> float:
    try:
        number = float(value)
    except ValueError:
        number = -1.0
    if not 0 <= number <= 1:
        raise ConfigError(f"alpha={value}: wanted a number between 0 (the base) and 1 (the trained model).")
    return number


@app.command()
def report(
    folder: Annotated[
        Path,
        typer.Argument(metavar="DIR", help="A run folder; or a study's, OUTPUT_DIR/STUDY or its results."),
    ],
    debug: Debug = False,
) -> None:
    """Write the report.html of a run or of a study again, from its folders alone."""
    del debug
    from foam_cli.report.page import run_report
    from foam_cli.report.study_folder import is_study
    from foam_cli.report.study_page import study_report

    if (folder / "config.yaml").is_file():
        page = run_report(folder)
    elif is_study(folder):
        page = study_report(folder)
    else:
        raise ConfigError(
            f"{folder}: is neither a run folder (it has no config.yaml) nor a study's (no ARM/SEED folder "
            "with one, and no ablation_comparison.json)."
        )
    Console().print(Text(visible(str(page))))


def run() -> None:
    """Enter foam: expected failures become one message and an exit code, never a traceback."""
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    debug = "--debug" in sys.argv
    try:
        app()
    except FoamError as error:
        if debug:
            raise
        _fail(str(error), error.exit_code)
    except OSError as error:
        if debug:
            raise
        _fail(f"{error.filename or 'A file'}: {error.strerror or error}", 1)
    except Exception as error:
        if debug:
            raise
        _fail(f"Unexpected {type(error).__name__}: {error} Run again with --debug for the traceback.", 1)


def _fail(message: str, code: int) -> None:
    console = Console(stderr=True, soft_wrap=True)
    console.print("error:", style="bold red", end=" ")
    console.print(Text(visible(message)))
    sys.stdout.flush()
    sys.stderr.flush()
    raise SystemExit(code)


if __name__ == "__main__":
    run()
