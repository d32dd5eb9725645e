"""From plain settings to checked objects."""

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

import pytest

from foam_cli.building import build
from foam_cli.config import compose, conf_dir, groups, resolve_environment
from foam_cli.core.errors import ConfigError
from foam_cli.core.settings import Settings

SCHEDULE = "foam_cli.growth.triggers.schedule.Schedule"


@dataclass(frozen=True, kw_only=True)
class Inner:
    size: int


@dataclass(frozen=True, kw_only=True)
class Outer:
    inner: Inner | None
    rate: float
    name: str
    flag: bool
    kind: Literal["a", "b"]
    sizes: tuple[int, ...]
    table: dict[str, float]
    path: Path | None
    thing: Any

    def __post_init__(self) -> None:
        if self.rate > 9:
            raise ValueError(f"rate={self.rate}: is too high.")


GOOD = {
    "inner": {"size": 1}, "rate": 1, "name": "n", "flag": True, "kind": "a", "sizes": [1, 2],
    "table": {"x": 0.5}, "path": "p", "thing": None,
}  # fmt: skip


def test_everything_right_is_built():
    made = build(Outer, GOOD)
    assert made == Outer(**{**GOOD, "inner": Inner(size=1), "sizes": (1, 2), "path": Path("p")})
    assert isinstance(made.rate, float)
    assert build(Outer, {**GOOD, "inner": None}).inner is None


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"ratee": 1}, "ratee: there is no such setting. Did you mean 'rate'?"),
        ({"inner": {"size": 1, "sice": 2}}, "inner.sice: there is no such setting. Did you mean 'size'?"),
        ({"inner": {}}, "inner.size: is missing"),
        ({"inner": {"size": 1.5}}, "inner.size=1.5: wanted a whole number"),
        ({"inner": {"size": True}}, "inner.size=True: wanted a whole number"),
        ({"inner": [1]}, "inner=[1]: is a list; wanted Inner or null"),
        ({"rate": "fast"}, "rate='fast': wanted a number"),
        ({"rate": 10}, "rate=10.0: is too high"),
        ({"rate": {"a": 1}}, "rate={'a': 1}: is a group of settings; wanted a number"),
        ({"name": 3}, "name=3: wanted text"),
        ({"flag": 1}, "flag=1: wanted true or false"),
        ({"kind": "c"}, "kind='c': wanted one of a, b"),
        ({"sizes": [1, "x"]}, "sizes[1]='x': wanted a whole number"),
        ({"table": {"x": "y"}}, "table.x='y': wanted a number"),
        ({"path": 3}, "path=3: wanted a path or null"),
        ({"_target_": SCHEDULE}, "_target_: there is no such setting"),
        ({"inner": {"_target_": SCHEDULE, "every_steps": 5}}, "does not fit here; wanted Inner or null"),
    ],
)
def test_everything_wrong_is_named(change, said):
    with pytest.raises(ConfigError, match=re.escape(said)):
        build(Outer, {**GOOD, **change})


@pytest.mark.parametrize("sign", ["+", "++"])
def test_a_key_that_is_forced_in_fails_too(sign):
    with pytest.raises(ConfigError, match=re.escape("train.ratee: there is no such setting")):
        build(Settings, compose([f"{sign}train.ratee=1"]).values)


def test_a_key_that_a_file_brings_in_fails_too(tmp_path):
    (tmp_path / "growth").mkdir()
    (tmp_path / "growth" / "mine.yaml").write_text("defaults: [v3, _self_]\nmax_evnts: 3\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"growth\.max_evnts: .*Did you mean 'max_events'"):
        build(Settings, compose(["growth=mine"], [tmp_path]).values)


@pytest.fixture
def marking(tmp_path, monkeypatch):
    """A module whose import leaves a mark, and a way to see the mark."""
    text = (
        "from dataclasses import dataclass\nfrom pathlib import Path\n"
        f"Path({str(tmp_path / 'mark')!r}).touch()\n"
        "@dataclass(frozen=True, kw_only=True)\nclass Thing:\n    size: int\n"
    )
    (tmp_path / "marking_plugin.py").write_text(text, encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    return (tmp_path / "mark").exists


EVIL = {"_target_": "marking_plugin.Thing", "size": 1}


@pytest.mark.parametrize(
    "thing",
    [EVIL, {"a": {"b": EVIL}}, [EVIL], [[{"a": EVIL}]], {"_target_": SCHEDULE, "every_steps": EVIL}],
    ids=["plain", "nested", "in a list", "deep in lists", "inside a trusted one"],
)
def test_a_foreign_class_is_refused_before_anything_is_imported(thing, marking):
    with pytest.raises(ConfigError, match=r"marking_plugin\.Thing: refused.*plugins=\[marking_plugin\]"):
        build(Outer, {**GOOD, "thing": thing})
    assert not marking()


def test_a_foreign_class_is_refused_through_interpolation(marking, monkeypatch):
    monkeypatch.setenv("FOAM_TEST_TARGET", EVIL["_target_"])
    for target in ("${name.study}", "${oc.env:FOAM_TEST_TARGET}"):
        overrides = [f"name.study={EVIL['_target_']}", f"growth.trigger._target_={target}"]
        with pytest.raises(ConfigError, match="refused"):
            build(Settings, resolve_environment(compose(overrides).values))
    assert not marking()


def test_a_plugin_that_was_named_is_built(marking):
    made = build(Outer, {**GOOD, "thing": EVIL}, plugins=["marking_plugin"])
    assert marking() and made.thing.size == 1


@pytest.mark.parametrize(
    "target",
    ["foam_clix.Thing", "os.system", "foam_cli.core.files.write_text", "foam_cli.core.files.Path",
     "foam_cli.nowhere.Thing", "foam_cli.core.settings.Nothing", "foam_cli", "foam_cli.a b", 3, None],
)  # fmt: skip
def test_only_dataclasses_of_foam_are_built(target):
    with pytest.raises(ConfigError):
        build(Outer, {**GOOD, "thing": {"_target_": target}})


def composed(*overrides):
    """Compose, giving a value to whatever an option leaves to the user."""
    while True:
        try:
            return compose(overrides).values
        except ConfigError as error:
            key = re.match(r"(\S+): has no value", str(error))
            if key is None:
                raise
            overrides = (*overrides, f"{key[1]}={'[x]' if key[1].endswith('tasks') else 'x'}")


def rounds():
    """Every option of every top-level group, one of each group at a time; experiments choose for all."""
    found = {group: options for group, options in groups().items() if "/" not in group}
    apart = ("study", "launcher", "experiment")
    yield from ([f"experiment={one}"] for one in found["experiment"])
    found = {group: options for group, options in found.items() if group not in apart}
    for number in range(max(map(len, found.values()))):
        yield [f"{group}={options[number]}" for group, options in found.items() if number < len(options)]


@pytest.mark.parametrize("options", list(rounds()), ids=" ".join)
def test_every_option_of_a_group_composes_and_builds(options):
    built = build(Settings, composed(*options))
    assert all(getattr(built, group, "") is not None for group in (one.split("=")[0] for one in options))


@pytest.mark.slow
@pytest.mark.parametrize("option", [
    f"{group.replace('/', '.')}={one}" for group, found in groups().items() if "/" in group for one in found
])  # fmt: skip
def test_every_option_of_a_nested_group_has_a_preset_that_takes_it(option):
    group, _, part = option.partition("=")[0].partition(".")
    for preset in groups()[group]:
        if part not in preset_of(group, preset):
            continue
        try:
            assert getattr(getattr(build(Settings, composed(f"{group}={preset}", option)), group), part)
            return
        except ConfigError as error:  # there are placements of neurons and placements of blocks
            assert "does not fit here" in str(error)
    pytest.fail(f"no preset of {group} takes {option}")


@cache
def preset_of(group, name):
    return composed(f"{group}={name}")[group]


def test_the_shipped_folder_is_found():
    assert (conf_dir() / "config.yaml").is_file()
