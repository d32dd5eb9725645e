"""The words of `foam eval`: which of them are tasks, which say what is scored, and which are settings."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from foam_cli.core.errors import ConfigError

_HOW = "run=DIR, model=NAME, model.path=DIR, a folder or a hub id"


@dataclass(frozen=True, kw_only=True)
class Target:
    """A model to be scored.

    Attributes:
        name: As the user wrote it.
        run: The run folder, or None for a model that is loaded as it is.
        overrides: Settings that choose the model.
    """

    name: str
    run: Path | None = None
    overrides: tuple[str, ...] = ()

    @property
    def short_name(self) -> str:
        """A name for a folder."""
        parts = Path(self.name.replace(":", "-")).resolve().parts
        return "-".join(parts[-2:] if self.run is not None else parts[-1:])


@dataclass(frozen=True, kw_only=True)
class Words:
    """A command line, sorted.

    Attributes:
        tasks: Options of the group evaluation.
        targets: What is scored: one, or two to be compared.
        overrides: Settings.
    """

    tasks: list[str]
    targets: list[Target]
    overrides: list[str]


def sort_words(words: Sequence[str], known_tasks: Sequence[str]) -> Words:
    """Sort the words of a command.

    Args:
        words: Tasks, targets and settings in any order. Without an equals sign a word that names a task is
            one, a folder is a target, and so is what has a slash in it like a hub id.
        known_tasks: Options of the group evaluation.

    Returns:
        The words by what they mean.

    Raises:
        ConfigError: No task or no target is named, or more than two targets.
    """
    if any(word.startswith("model.path=") for word in words):
        words = [word for word in words if word != "model=local"]  # a path says that already
    tasks: list[str] = []
    targets: list[Target] = []
    overrides: list[str] = []
    for word in words:
        key, equals, value = word.partition("=")
        if key == "run" and equals:
            targets.append(_folder(value))
        elif equals and key in ("model", "model.path"):
            targets.append(Target(name=value, overrides=(word,)))
        elif equals:
            overrides.append(word)
        elif word not in known_tasks and (Path(word).is_dir() or "/" in word):
            targets.append(_folder_or_hub_id(word))
        else:
            tasks.append(word)
    if not tasks:
        raise ConfigError(f"Name a task: {', '.join(known_tasks)}.")
    if not targets:
        raise ConfigError(f"Name what to score: {_HOW}.")
    if len(targets) > 2:
        names = ", ".join(target.name for target in targets)
        raise ConfigError(f"{names}: one model is scored, or two are compared; leave out {targets[2].name}.")
    return Words(tasks=tasks, targets=targets, overrides=[_in_full(one, tasks) for one in overrides])


def _folder(name: str) -> Target:
    """A run folder, or one that holds a model, such as an export."""
    path = Path(name).expanduser()
    if not (path / "config.yaml").is_file() and (path / "config.json").is_file():
        return Target(name=name, overrides=(f"model.path={name}",))
    return Target(name=name, run=path)


def _folder_or_hub_id(name: str) -> Target:
    path = Path(name).expanduser()
    if path.is_dir():
        if not any((path / file).is_file() for file in ("config.yaml", "config.json")):
            raise ConfigError(
                f"{name}: is no run folder (it has no config.yaml) and no model (it has no config.json)."
            )
        return _folder(name)
    if name.count("/") != 1 or name.startswith((".", "/", "~")):
        raise ConfigError(f"{name}: no such folder. What to score is named as {_HOW}.")
    return Target(name=name, overrides=(f"model.path={name}",))


def _in_full(override: str, tasks: Sequence[str]) -> str:
    """`tasks=[...]` is short for a setting of the task lm_eval."""
    if not override.startswith("tasks="):
        return override
    if "lm_eval" not in tasks:
        raise ConfigError(
            f"{override}: names tasks of lm-evaluation-harness and has no effect without the task lm_eval: "
            f"foam eval lm_eval {override}."
        )
    return f"evaluation.lm_eval.{override}"
