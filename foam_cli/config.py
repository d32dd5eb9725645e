"""Floor 1: from words on a command line to checked objects. The only file that knows Hydra.

Hydra composes conf/ (and the user's `--config-dir`) with the overrides. What comes out is plain data, and
`build` turns it into frozen dataclasses: a mapping with `_target_` becomes that class, any other mapping the
dataclass that the enclosing class names. Every key is checked against the class, so a misspelt or additional
setting fails whatever way it came in. The YAML files own the values; no class has defaults.
"""

import dataclasses
import difflib
import importlib
import re
import types
from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, TypeVar, Union, cast, get_args, get_origin, get_type_hints

from foam_cli.core.errors import ConfigError

T = TypeVar("T")

#: Settings whose mere presence says which option of a group is meant.
IMPLIED_OPTIONS = {"model.path": ("model", "local"), "data.path": ("data", "files")}

_TRUSTED_PACKAGE = "foam_cli"
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
    for option in re.findall(r"[\w.\-]+", value) or [value]:
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
    listed = [{"name": name, "data": one.values["data"]} for name, one in zip(stages, composed, strict=True)]
    first = composed[0]
    return Composed(
        values={**first.values, "stages": listed}, choices={**first.choices, "data": "-".join(stages)}
    )


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


# ---------------------------------------------------------------- plain data -> objects


def build(cls: type[T], node: Mapping[str, Any], plugins: Sequence[str] = (), path: str = "") -> T:
    """Make an object of a frozen dataclass from plain data, and objects for everything within it.

    All `_target_` names in `node` are checked before the first object is made.

    Args:
        cls: The dataclass.
        node: Its settings.
        plugins: Packages besides foam_cli that `_target_` may name.
        path: Where `node` stands in the whole configuration, for messages.

    Returns:
        The object.

    An unknown or missing key, a value of the wrong type and a `_target_` that is not allowed are each a
    ConfigError.
    """
    _check_targets(node, tuple(plugins), path)
    return _build(cls, node, path)


def _check_targets(node: Any, plugins: tuple[str, ...], path: str) -> None:
    if isinstance(node, Mapping):
        mapping = cast("Mapping[str, Any]", node)
        if "_target_" in mapping:
            _check_target(mapping["_target_"], plugins, f"{path}._target_")
        for key, value in mapping.items():
            _check_targets(value, plugins, f"{path}.{key}" if path else str(key))
    elif isinstance(node, list):
        for index, value in enumerate(cast("list[Any]", node)):
            _check_targets(value, plugins, f"{path}[{index}]")


def _check_target(target: Any, plugins: tuple[str, ...], path: str) -> None:
    allowed = (_TRUSTED_PACKAGE, *plugins)
    if not isinstance(target, str) or not re.fullmatch(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)+", target):
        raise ConfigError(f"{path}={target!r}: not the dotted name of a class.")
    if not any(target.startswith(f"{package}.") for package in allowed):
        raise ConfigError(
            f"{path}={target}: refused. Classes may come from {', '.join(allowed)} only; name further "
            f"packages on the command line: plugins=[{target.split('.')[0]}]."
        )


def _load_class(target: str, path: str) -> type[Any]:
    module_name, _, class_name = target.rpartition(".")
    try:
        found = getattr(importlib.import_module(module_name), class_name)
    except (ImportError, AttributeError) as error:
        raise ConfigError(f"{path}._target_={target}: cannot be imported ({error}).") from error
    if not (isinstance(found, type) and dataclasses.is_dataclass(found)):
        raise ConfigError(f"{path}._target_={target}: is not a dataclass, so it cannot be configured.")
    return found


def _build(cls: type[T], node: Mapping[str, Any], path: str) -> T:
    hints = get_type_hints(cls)
    names = [field.name for field in dataclasses.fields(cls) if field.init]  # pyright: ignore[reportArgumentType]
    at = f"{path}." if path else ""
    for key in node:
        if key not in names:
            raise ConfigError(
                f"{at}{key}: there is no such setting.{nearest(str(key), names)}"
                f" Settings of {path or 'the top level'}: {', '.join(names)}."
            )
    missing = [name for name in names if name not in node]
    if missing:
        raise ConfigError(f"{at}{missing[0]}: is missing. Its YAML file must give it a value.")
    values = {name: _convert(hints[name], node[name], f"{at}{name}") for name in names}
    try:
        return cls(**values)
    except ValueError as error:  # a class may check its own values in __post_init__
        raise ConfigError(str(error) if str(error).startswith(at) else f"{at}{error}") from error


def _convert(annotation: Any, value: Any, path: str) -> Any:
    """Check a value against an annotation; build the object where it is a mapping."""
    if isinstance(value, Mapping):
        return _convert_mapping(annotation, cast("Mapping[str, Any]", value), path)
    if isinstance(value, list):
        return _convert_list(annotation, cast("list[Any]", value), path)
    for option in _alternatives(annotation):
        found, converted = _scalar(option, value)
        if found:
            return converted
    raise ConfigError(f"{path}={value!r}: wanted {_describe(annotation)}.")


def _convert_mapping(annotation: Any, value: Mapping[str, Any], path: str) -> Any:
    options = _alternatives(annotation)
    classes = [one for one in options if isinstance(one, type) and dataclasses.is_dataclass(one)]
    if "_target_" in value:
        found = _load_class(value["_target_"], path)
        made = _build(found, {key: item for key, item in value.items() if key != "_target_"}, path)
        protocols = [one for one in options if getattr(one, "_is_runtime_protocol", False)]
        if (kinds := [*classes, *protocols]) and not isinstance(made, tuple(kinds)):
            wanted = f"wanted {_describe(annotation)}{_options_that_fit(path, protocols)}"
            raise ConfigError(f"{path}: {found.__name__} does not fit here; {wanted}.")
        return made
    if classes:
        return _build(classes[0], value, path)
    for option in options:
        if option is Any or (get_origin(option) or option) is dict:
            inner = (get_args(option) or (Any, Any))[1]
            return {key: _convert(inner, item, f"{path}.{key}") for key, item in value.items()}
    raise ConfigError(f"{path}={dict(value)}: is a group of settings; wanted {_describe(annotation)}.")


def _convert_list(annotation: Any, value: list[Any], path: str) -> Any:
    for option in _alternatives(annotation):
        container = get_origin(option) or option
        if option is Any or container in (list, tuple):
            inner = (get_args(option) or (Any,))[0]
            made = [_convert(inner, item, f"{path}[{index}]") for index, item in enumerate(value)]
            return tuple(made) if container is tuple else made
    raise ConfigError(f"{path}={value}: is a list; wanted {_describe(annotation)}.")


def _alternatives(annotation: Any) -> tuple[Any, ...]:
    if get_origin(annotation) in (Union, types.UnionType):
        return get_args(annotation)
    return (annotation,)


def _scalar(annotation: Any, value: Any) -> tuple[bool, Any]:
    """Say whether a value is of one plain type, and give it in that type."""
    if get_origin(annotation) is Literal:
        return value in get_args(annotation), value
    if annotation is Path:
        return isinstance(value, str), Path(str(value))
    accepted = {float: (int, float), int: (int,), str: (str,), bool: (bool,), type(None): (type(None),)}
    if annotation is not bool and isinstance(value, bool):  # to Python, true is also the number 1
        return annotation is Any, value
    if annotation is float and isinstance(value, int):
        return True, float(value)
    return annotation is Any or isinstance(value, accepted.get(annotation, ())), value


def _options_that_fit(path: str, protocols: list[Any]) -> str:
    """The options of a group whose classes offer what a protocol asks for, as an end of a message."""
    from omegaconf import OmegaConf

    methods = {name for one in protocols for name in vars(one) if not name.startswith("_")}
    fitting: list[str] = []
    for file in sorted((conf_dir() / path.replace(".", "/")).glob("*.yaml")) if methods else []:
        target = cast("dict[str, Any]", OmegaConf.to_container(OmegaConf.load(file))).get("_target_")
        if target and all(hasattr(_load_class(target, path), name) for name in methods):
            fitting.append(file.stem)
    return f", such as {path}={' or '.join(fitting)}" if fitting else ""


def _describe(annotation: Any) -> str:
    names = {int: "a whole number", float: "a number", str: "text", bool: "true or false", Path: "a path"}
    words: list[str] = []
    for option in _alternatives(annotation):
        if get_origin(option) is Literal:
            words.append("one of " + ", ".join(map(str, get_args(option))))
        elif option is type(None):
            words.append("null")
        else:
            words.append(names.get(option, getattr(option, "__name__", str(option))))
    return " or ".join(words)


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
