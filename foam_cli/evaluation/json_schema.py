"""The part of JSON Schema that describes the arguments of tools, checked strictly."""

from typing import Any, cast

from foam_cli.core.errors import DataError

_TYPES: dict[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "boolean": (bool,),
    "null": (type(None),),
    "number": (int, float),
    "integer": (int, float),
}
_KNOWN = {"type", "properties", "required", "additionalProperties", "enum", "items"}
_NOTES = {"description", "title", "default", "examples"}


def matches(value: Any, schema: dict[str, Any]) -> bool:
    """Check a value against a schema.

    Args:
        value: Parsed JSON.
        schema: May use type, properties, required, additionalProperties (true or false), enum and items;
            an object's unlisted properties are refused unless the schema allows them.

    Returns:
        Whether it fits.

    Raises:
        DataError: The schema uses something else, so that a "yes" would be worth nothing.

    Source: JSON Schema, draft 2020-12.

    Differs: additionalProperties is false where it is not given.
    """
    unknown = schema.keys() - _KNOWN - _NOTES
    if unknown:
        raise DataError(f"the tool schema uses {sorted(unknown)}; understood are {sorted(_KNOWN)}")
    if "type" in schema and not _has_type(value, schema["type"]):
        return False
    if "enum" in schema and not any(equal(value, allowed) for allowed in schema["enum"]):
        return False
    if isinstance(value, dict):
        return _object_matches(cast("dict[str, Any]", value), schema)
    if isinstance(value, list) and "items" in schema:
        return all(matches(element, schema["items"]) for element in cast("list[Any]", value))
    return True


def _has_type(value: Any, names: str | list[str]) -> bool:
    for name in [names] if isinstance(names, str) else names:
        if name not in _TYPES:
            raise DataError(f"the tool schema has the type {name!r}; known are {sorted(_TYPES)}")
        if isinstance(value, bool) and name != "boolean":
            continue
        if isinstance(value, _TYPES[name]) and (name != "integer" or value == int(value)):
            return True
    return False


def _object_matches(value: dict[str, Any], schema: dict[str, Any]) -> bool:
    properties: dict[str, Any] = schema.get("properties", {})
    if any(key not in value for key in schema.get("required", [])):
        return False
    if not schema.get("additionalProperties", False) and value.keys() - properties.keys():
        return False
    return all(matches(value[key], properties[key]) for key in value.keys() & properties.keys())


def equal(left: Any, right: Any) -> bool:
    """Compare two JSON values without Python's leniency: true is not 1, "3" is not 3; 3.0 is 3.

    Args:
        left: Parsed JSON.
        right: Parsed JSON.

    Returns:
        Whether they are the same value.
    """
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if isinstance(left, dict) and isinstance(right, dict):
        a, b = cast("dict[str, Any]", left), cast("dict[str, Any]", right)
        return a.keys() == b.keys() and all(equal(a[key], b[key]) for key in a)
    if isinstance(left, list) and isinstance(right, list):
        c, d = cast("list[Any]", left), cast("list[Any]", right)
        return len(c) == len(d) and all(map(equal, c, d))
    return left == right
