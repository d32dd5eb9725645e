"""A stream of stages: what is learnt one after the other, and what each stage did to the others."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from rich.table import Table

from foam_cli.core.errors import ConfigError
from foam_cli.core.settings import Settings, Stage
from foam_cli.data.corpus import Corpus
from foam_cli.engine.examine import Results
from foam_cli.engine.prepare import TrainingData
from foam_cli.evaluation.compare import hits
from foam_cli.evaluation.transfer import Transfer, transfer


def stages_of(settings: Settings) -> list[Stage]:
    """The stages of a run.

    Args:
        settings: The configuration.

    Returns:
        At least one: a run without a stream is a stream of one stage.
    """
    return settings.stages or [Stage(name="", task="", data=settings.data)]


def check_stream(settings: Settings) -> None:
    """Refuse what makes no sense over several stages.

    Args:
        settings: The configuration.

    Raises:
        ConfigError: Something does not; the message says what to do.
    """
    if len(settings.stages) > 1 and "distillation" in settings.regularizer:
        raise ConfigError(
            "regularizer=distillation: its teacher is the base model, which does not know what the stages of "
            f"data=[{','.join(stage.name for stage in settings.stages)}] teach. Use regularizer=ewc with "
            "regularizer.ewc.online_decay=1, or replay=reservoir, or train one stage at a time."
        )


def stage_at(settings: Settings, step: int) -> int:
    """Which stage a step belongs to; a stage's last step is its own.

    Args:
        settings: The configuration.
        step: Optimizer steps done.

    Returns:
        The stage's number, from 0.
    """
    return max(0, -(-step // settings.train.steps) - 1)


def after_others(data: TrainingData, earlier: Sequence[Corpus]) -> TrainingData:
    """Let a stage replay what earlier stages taught, beside what the base model knew.

    Args:
        data: The stage's own data.
        earlier: What earlier stages taught.

    Returns:
        The stage's data; unchanged where nothing is replayed or nothing came before.
    """
    if data.replay is None or not earlier:
        return data
    known = [] if data.old is None else [data.old]
    return replace(data, old=Corpus.joined([*known, *earlier]))


def name_of(number: int) -> str:
    """How results after a stage are called.

    Args:
        number: The stage, from 0.

    Returns:
        For example `stage_1`.
    """
    return f"stage_{number + 1}"


def summed_up(settings: Settings, results: Mapping[str, Results]) -> Transfer | None:
    """Sum a finished stream up.

    Args:
        settings: The configuration.
        results: `base`, and the results after every stage.

    Returns:
        The matrix R and what follows from it, or None where a stage has no task with right answers.
    """
    names = [stage.task for stage in settings.stages]
    base = results["base"]
    if not names or not all(name in base and hits(base[name]) for name in names):
        return None
    rows = [results["base"], *(results[name_of(number)] for number in range(len(names)))]
    return transfer(rows, names, settings.seed)


def table(found: Transfer, stages: Sequence[Stage]) -> Table:
    """Show the matrix R and its summaries.

    Args:
        found: The summary.
        stages: The stages.

    Returns:
        A row per stage, a column per task; the summaries below.
    """
    summary = [
        f"{name.replace('_', ' ')} {metric.value:+.3f} [{metric.low:+.3f}, {metric.high:+.3f}]"
        for name, metric in found.metrics.items()
    ]
    shown = Table("after", *found.tasks, title="scores after every stage", caption="\n".join(summary))
    for name, scores in zip(["base", *(stage.name for stage in stages)], found.matrix, strict=True):
        shown.add_row(name, *(f"{score:.3f}" for score in scores))
    return shown
