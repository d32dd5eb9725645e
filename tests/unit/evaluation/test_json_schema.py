import itertools

import jsonschema
import pytest

from foam_cli.core.errors import DataError
from foam_cli.evaluation.json_schema import equal, matches

VALUES = [
    None, True, False, 0, 1, 3, 3.0, 3.5, -2, "", "1", "Oslo", [], [1], ["a", 1], [True], {},
    {"city": "Oslo"},
    {"city": 1}, {"city": "Oslo", "days": 2}, {"days": 2}, {"city": "Oslo", "days": True},
    {"city": "Oslo", "days": 2.0}, {"city": "Oslo", "extra": 1},
    {"where": {"city": "Oslo"}}, {"where": {"town": 1}},
]  # fmt: skip
CITY = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
    "additionalProperties": False,
}
SCHEMAS = [
    *({"type": name} for name in ("object", "array", "string", "boolean", "null", "number", "integer")),
    {"type": ["string", "null"]},
    {"enum": ["Oslo", 1, 3, None]},
    {"type": "array", "items": {"type": "integer"}},
    CITY,
    {**CITY, "properties": {**CITY["properties"], "days": {"type": "integer", "description": "how many"}}},
    {**CITY, "additionalProperties": True},
    {"type": "object", "properties": {"where": CITY}, "additionalProperties": False},
    {"properties": {"city": {"enum": ["Oslo", "Rome"]}}, "required": ["city"], "additionalProperties": False},
]


@pytest.mark.parametrize("schema", SCHEMAS, ids=str)
def test_agrees_with_jsonschema(schema):
    strict = {"additionalProperties": False, **schema}
    reference = jsonschema.Draft202012Validator(strict)
    verdicts = {matches(value, schema) for value in VALUES}
    assert verdicts == {True, False}, "every schema must accept something and refuse something"
    for value in VALUES:
        assert matches(value, schema) is reference.is_valid(value), value


def test_unlisted_properties_are_refused_by_default():
    assert not matches({"city": "Oslo", "extra": 1}, {"properties": {"city": {"type": "string"}}})


@pytest.mark.parametrize("schema", [{"type": "object", "minProperties": 1}, {"type": "date"}])
def test_what_is_not_understood_is_an_error(schema):
    with pytest.raises(DataError, match="schema"):
        matches({}, schema)


def test_values_are_equal_only_in_the_same_type():
    same = [(3, 3.0), ([1, {"a": 2}], [1, {"a": 2}]), (True, True)]
    different = [
        (1, True),
        (0, False),
        ("3", 3),
        ([1], [True]),
        ({"a": 1}, {"a": True}),
        ([1], [1, 1]),
        (None, False),
    ]
    assert all(equal(a, b) for a, b in same)
    assert not any(equal(a, b) or equal(b, a) for a, b in itertools.chain(different))
