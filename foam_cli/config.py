"""From words on a command line to plain data. The only file that knows Hydra.

Hydra composes conf/ (and the user's `--config-dir`) with the overrides; foam_cli/building.py turns what comes
out into objects.
"""

import dataclasses
import difflib
import re
from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

from foam_cli.core.errors import ConfigError

#: Settings whose mere presence says which option of a group is meant.
IMPLIED_OPTIONS = {"model.path": ("model", "local"), "data.path": ("data", "files")}

#: Groups that conf/config.yaml names although they may hold no option.
_OPTIONAL_GROUP = "experiment"


def conf_dir() -> Path:
    """Where the shipped configuration is: inside the wheel, or beside the package in a checkout.

    Returns:
        The folder `conf`.
    """
    inside = Path(__file__).parent / "conf"
    return inside if inside.is_dir() else Path(__file__).parent.parent / "conf"


def groups(config_dirs: Sequence[Path] = ()) -> dict[str, list[str]]:
    """List the configuration groups and their options, by looking at folders alone.

    Args:
        config_dirs: The user's own folders beside the shipped one.

    Returns:
        Group name (nested ones with slashes) to its options, both sorted.
    """
    found: dict[str, set[str]] = {}
    for root in (conf_dir(), *config_dirs):
        for file in root.rglob("*.yaml"):
            group = file.parent.relative_to(root).as_posix()
            if group != "." and not file.stem.startswith("_"):
                found.setdefault(group, set()).add(file.stem)
    return {group: sorted(options) for group, options in sorted(found.items())}


def nearest(word: str, allowed: Iterable[str]) -> str:
    """Say which spelling was probably meant.

    Args:
        word: What was written.
        allowed: What could have been written.

    Returns:
        " Did you mean 'x'?" or nothing.
    """
    close = difflib.get_close_matches(word, list(allowed), n=1, cutoff=0.5)
    return f" Did you mean '{close[0]}'?" if close else ""


# ---------------------------------------------------------------- overrides -> composed plain data


@dataclasses.dataclass(frozen=True, kw_only=True)
class Composed:
    """A composed configuration.

    Attributes:
        values: The settings as plain data, resolved except for what comes from the environment.
        choices: The chosen option of every group.
    """

    values: dict[str, Any]
    choices: dict[str, str]


def _split(override: str) -> tuple[str, str, str]:
    match = re.fullmatch(r"(\+\+|\+|~)?([^=]+)(?:=(.*))?", override, flags=re.DOTALL)
    if match is None or (match[3] is None and match[1] != "~"):
        raise ConfigError(f"'{override}' is not a setting: write key=value, e.g. train.steps=500.")
    return match[1] or "", match[2], match[3] or ""


def normalise(overrides: Sequence[str], config_dirs: Sequence[Path] = ()) -> list[str]:
    """Translate overrides to Hydra's grammar and check the names of groups and options.

    `growth.trigger=schedule` chooses an option of the nested group growth/trigger; `model.path=DIR` implies
    `model=local`, `data.path=FILE` implies `data=files`.

    Args:
        overrides: As the user wrote them.
        config_dirs: The user's own configuration folders.

    Returns:
        Overrides for Hydra; one that is malformed or names an option that does not exist is a ConfigError.
    """
    known = {_OPTIONAL_GROUP: [], **groups(config_dirs)}
    written = {_split(one)[1] for one in overrides}
    implied = [
        f"{group}={option}"
        for key, (group, option) in IMPLIED_OPTIONS.items()
        if key in written and group not in written
    ]
    return [_normalised(override, known) for override in [*implied, *overrides]]


def _normalised(override: str, known: Mapping[str, list[str]]) -> str:
    sign, key, value = _split(override)
    group = key.replace(".", "/")
    if group.split("/")[0] == "hydra":
        raise ConfigError(f"{override}: foam has no use for Hydra's own settings; leave it out.")
    if sign == "~":
        return override
    if group not in known:
        return override if _is_readable(override) else f"{sign}{key}={_quoted(value)}"
    options = re.findall(r"[\w.\-]+", value) or [value]
    for option in options:
        if options.count(option) > 1 and group != "data":  # a stream of data may come back to a stage
            raise ConfigError(
                f"{key}={value}: names '{option}' more than once, without effect; once will do."
            )
        if option not in known[group]:
            raise ConfigError(
                f"{key}={value}: there is no option '{option}'.{nearest(option, known[group])}"
                f" Options of {group}: {', '.join(known[group]) or 'none so far'}."
            )
    # Every group that has a default is overridden plainly; a user who adds '+' means the same thing.
    return f"{group}={value}"


def _is_readable(override: str) -> bool:
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.errors import HydraException

    try:
        OverridesParser.create().parse_override(override)
    except HydraException:
        return False
    return True


def _quoted(value: str) -> str:
    """Make text of what Hydra's grammar cannot read, such as a path with braces or a tilde."""
    return "'" + re.sub(r"(\\*)'", r"\1\1\\'", value) + "'"


def compose(overrides: Sequence[str], config_dirs: Sequence[Path] = (), name: str = "config") -> Composed:
    """Compose the configuration.

    Args:
        overrides: Settings as on the command line.
        config_dirs: The user's own configuration folders; searched after conf/.
        name: The primary configuration file.

    Returns:
        The composed configuration. Interpolations that read the environment stay as they are written, so
        that no secret reaches a file.

    Raises:
        ConfigError: An override names a key or an option that does not exist.
    """
    from hydra import compose as hydra_compose
    from hydra.errors import HydraException
    from omegaconf import DictConfig, OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    for folder in config_dirs:
        if not folder.is_dir():
            raise ConfigError(f"--config-dir {folder}: no such folder.")
    if stages := _stages(overrides):
        return _compose_stages(stages, overrides, config_dirs)
    translated = normalise(overrides, config_dirs)
    if config_dirs:
        paths = ",".join(f"file://{folder.resolve()}" for folder in config_dirs)
        translated.insert(0, f"hydra.searchpath=[{paths}]")
    try:
        with _hydra_alone():
            composed: DictConfig = hydra_compose(
                config_name=name, overrides=translated, return_hydra_config=True
            )
        picked = {str(group): str(option) for group, option in composed.hydra.runtime.choices.items()}
        OmegaConf.set_struct(composed, False)
        del composed["hydra"]
        for key in sorted(OmegaConf.missing_keys(composed)):
            raise ConfigError(f"{key}: has no value. Give it one: {key}=...")
        plain = _resolved_but_for_environment(composed)
    except (HydraException, OmegaConfBaseException) as error:
        raise ConfigError(_explain(error, overrides, config_dirs)) from error
    plugins = [str(value) for value in plain.get("plugins") or []]
    if plugins and not any(_split(one)[1] == "plugins" for one in overrides):
        raise ConfigError("plugins: may be given on the command line only, never by a configuration file.")
    choices = {group: option for group, option in picked.items() if not group.startswith("hydra")}
    return Composed(values=plain, choices=choices)


def _stages(overrides: Sequence[str]) -> list[str]:
    """The options in `data=[a,b,...]`, which are learnt one after the other; nothing for a single one."""
    named = [value for sign, key, value in map(_split, overrides) if key == "data" and sign != "~"]
    listed = re.fullmatch(r"\s*\[(.*)\]\s*", named[-1]) if named else None
    return [one.strip() for one in listed[1].split(",") if one.strip()] if listed else []


def _compose_stages(stages: list[str], overrides: Sequence[str], config_dirs: Sequence[Path]) -> Composed:
    """Compose once for every stage; only `data` differs, and every stage's task is asked throughout."""
    rest = [one for one in overrides if _split(one)[1] != "data"]
    if not any(_split(one)[1] == "evaluation" for one in rest):
        rest.append(f"evaluation=[{','.join(stages)}]")
    composed = [compose([f"data={stage}", *rest], config_dirs) for stage in stages]
    listed = [
        {"name": name, "task": _task_of(name, config_dirs), "data": one.values["data"]}
        for name, one in zip(stages, composed, strict=True)
    ]
    first = composed[0]
    return Composed(
        values={**first.values, "stages": listed}, choices={**first.choices, "data": "-".join(stages)}
    )


def _task_of(name: str, config_dirs: Sequence[Path]) -> str:
    """The task of the evaluation that is called like a stage, if it has one task alone."""
    if name not in groups(config_dirs).get("evaluation", []):
        return name
    section = compose([f"evaluation={name}"], config_dirs).values["evaluation"]
    tasks = [key for key, value in section.items() if isinstance(value, dict) and "_target_" in value]
    return tasks[0] if len(tasks) == 1 else name


@contextmanager
def _hydra_alone() -> Generator[None]:
    """Hydra set to conf/; an application around us that uses Hydra itself finds it as it was."""
    from hydra import initialize_config_dir
    from hydra.core.global_hydra import GlobalHydra

    theirs = GlobalHydra.instance().hydra
    GlobalHydra.instance().clear()
    try:
        with initialize_config_dir(config_dir=str(conf_dir().resolve()), version_base="1.3"):
            yield
    finally:
        GlobalHydra.instance().hydra = theirs


def _resolved_but_for_environment(composed: Any) -> dict[str, Any]:
    """Resolve everything, but read `${oc.env:NAME}`, however deep in a chain, as the text it is."""
    from omegaconf import OmegaConf
    from omegaconf.resolvers import oc

    def env_as_written(*arguments: Any) -> str:
        return "${oc.env:" + ",".join("null" if one is None else str(one) for one in arguments) + "}"

    def decode_later(text: str | None, _parent_: Any, _node_: Any) -> Any:
        return f"${{oc.decode:{text}}}" if "${oc.env:" in str(text) else oc.decode(text, _parent_, _node_)

    OmegaConf.register_new_resolver("oc.env", env_as_written, replace=True)
    OmegaConf.register_new_resolver("oc.decode", decode_later, replace=True)
    try:
        return cast("dict[str, Any]", OmegaConf.to_container(composed, resolve=True))
    finally:
        OmegaConf.register_new_resolver("oc.env", oc.env, replace=True)
        OmegaConf.register_new_resolver("oc.decode", oc.decode, replace=True)


def _explain(error: Exception, overrides: Sequence[str], config_dirs: Sequence[Path]) -> str:
    """Say in one line which override Hydra did not like, and what would have been right."""
    text = f"{error} {error.__cause__ or ''}"
    if (ambiguous := re.search(r"Ambiguous value for argument '([^=]+)=(.*)'", text)) is not None:
        key, value = ambiguous.groups()
        return (
            f"{key}={value}: is not one value. A list is written {key}=[{value}], text {key}=\"'{value}'\"."
        )
    if (homeless := re.search(r"Could not override '(\S+)'. No match", text)) is not None:
        group, _, part = homeless[1].rpartition("/")
        if not group:
            return f"{part}: has no effect here; it belongs to foam ablate."
        chosen = [one for one in overrides if _split(one)[1] == group]
        return (
            f"{group}.{part}: has no effect, because {(chosen or [f'the chosen {group}'])[-1]} has no {part}."
        )
    for override in overrides:
        sign, key, _ = _split(override)
        if sign == "+" or f"'{key}'" not in text.replace(f"{key}.", ""):
            continue
        parts = [part for part in re.split(r"[./]", key) if part]
        siblings = _keys_beside(parts[:-1], config_dirs, overrides)
        if parts[-1] in siblings:
            continue
        where = ".".join(parts[:-1]) or "the top level"
        allowed = f" Keys at {where}: {', '.join(siblings)}." if siblings else ""
        return f"{override}: there is no setting '{key}'.{nearest(parts[-1], siblings)}{allowed}"
    return " ".join(str(error).split())


def _keys_beside(parents: list[str], config_dirs: Sequence[Path], overrides: Sequence[str]) -> list[str]:
    chosen = [one for one in overrides if _split(one)[1].replace(".", "/") in groups(config_dirs)]
    try:
        node: Any = compose(chosen, config_dirs).values
        for key in parents:
            node = node[key]
        return sorted(key for key in node if not str(key).startswith("_"))
    except (ConfigError, KeyError, TypeError):
        return []


def resolve_environment(values: Mapping[str, Any]) -> dict[str, Any]:
    """Fill in what comes from the environment; done last, and never written anywhere.

    Args:
        values: From `compose` or `from_yaml`.

    Returns:
        The same settings with every interpolation resolved.

    Raises:
        ConfigError: An environment variable is not set.
    """
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    try:
        return cast("dict[str, Any]", OmegaConf.to_container(OmegaConf.create(dict(values)), resolve=True))
    except OmegaConfBaseException as error:
        raise ConfigError(" ".join(str(error).split())) from error


# ---------------------------------------------------------------- plain data -> text


def to_yaml(config: Mapping[str, Any]) -> str:
    """Write a composed configuration as YAML.

    Args:
        config: From `compose`.

    Returns:
        Text that `from_yaml` reads back.
    """
    from omegaconf import OmegaConf

    return OmegaConf.to_yaml(OmegaConf.create(dict(config)), resolve=False)


def from_yaml(path: Path, plugins: Sequence[str] = ()) -> dict[str, Any]:
    """Read back what `to_yaml` wrote.

    Args:
        path: A run's config.yaml.
        plugins: Packages that the user trusts now. Those that the file names are not: it may come from
            somebody else.

    Returns:
        The configuration as plain data.

    Raises:
        ConfigError: There is no such file.
    """
    from omegaconf import OmegaConf

    if not path.is_file():
        raise ConfigError(f"{path}: no such file, so this is not a run folder.")
    loaded = cast("dict[str, Any]", OmegaConf.to_container(OmegaConf.load(path), resolve=False))
    return {**loaded, "plugins": list(plugins)}


def plugins_of(overrides: Sequence[str]) -> list[str]:
    """Read the packages that the user trusts off the command line.

    Args:
        overrides: As on the command line.

    Returns:
        The names in `plugins=[...]`.
    """
    given = [value for sign, key, value in map(_split, overrides) if key == "plugins" and not sign]
    return re.findall(r"[\w.]+", given[-1]) if given else []
