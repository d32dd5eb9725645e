"""From a composed configuration to checked objects.

A mapping with `_target_` becomes that class, any other mapping the dataclass that the enclosing class names.
Every key is checked against the class, so a misspelt or additional setting fails whatever way it came in. The
YAML files own the values; no class has defaults.
"""

import dataclasses
import importlib
import re
import types
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, TypeVar, Union, cast, get_args, get_origin, get_type_hints

from foam_cli.config import conf_dir, nearest
from foam_cli.core.errors import ConfigError

T = TypeVar("T")

_TRUSTED_PACKAGE = "foam_cli"


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
        return isinstance(value, str), Path(str(value)).expanduser()
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
