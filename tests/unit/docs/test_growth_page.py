"""docs/growth.md lists every method of conf/growth, in the words of its YAML file and its class.

Where one has changed, write the tables anew:

    FOAM_UPDATE_DOCS=1 pytest tests/unit/docs
"""

import importlib
import inspect
import os
import re
from pathlib import Path

import pytest
import yaml

from foam_cli.config import conf_dir, groups

PAGE = Path(__file__).parents[3] / "docs" / "growth.md"
GROUPS = [group for group in groups() if group.split("/")[0] == "growth"]


def says(file):
    """The comment that a YAML file begins with."""
    lines = file.read_text(encoding="utf-8").splitlines()
    return lines[0].removeprefix("#").strip()


def class_of(file):
    module, _, name = yaml.safe_load(file.read_text(encoding="utf-8"))["_target_"].rpartition(".")
    return getattr(importlib.import_module(module), name)


def source(cls):
    """The section `Source:` of a docstring in one line, or a dash."""
    doc = inspect.getdoc(cls) or ""
    found = re.search(r"^Source: (.+?)(?=^Differs:|\Z)", doc, flags=re.MULTILINE | re.DOTALL)
    return " ".join(found[1].split()).removesuffix(".") if found else "–"


def settings(file):
    node = yaml.safe_load(file.read_text(encoding="utf-8")) or {}
    return ", ".join(
        f"`{key}={str(value).lower() if isinstance(value, bool | None) else value}`"
        for key, value in node.items()
        if key not in ("_target_", "defaults")
    )


def parts(file):
    """What a preset is made of."""
    node = yaml.safe_load(file.read_text(encoding="utf-8")) or {}
    chosen = [next(iter(one.items())) for one in node.get("defaults", []) if isinstance(one, dict)]
    return ", ".join(f"`{key.split('@')[0].split('/')[-1]}={value}`" for key, value in chosen)


def table(group):
    files = [conf_dir() / group / f"{option}.yaml" for option in groups()[group]]
    if group == "growth":
        rows = [f"| `{file.stem}` | {says(file)} | {parts(file)} |" for file in files if file.stem != "none"]
        return "\n".join(["| preset | | made of |", "|---|---|---|", *rows])
    rows = [f"| `{f.stem}` | {says(f)} | {settings(f) or '–'} | {source(class_of(f))} |" for f in files]
    return "\n".join([f"| {group.split('/')[1]} | | settings | source |", "|---|---|---|---|", *rows])


def marked(group):
    return f"<!-- {group} -->\n\n{table(group)}\n\n<!-- end of {group} -->"


@pytest.mark.parametrize("group", GROUPS)
def test_the_page_lists_every_method_as_it_is(group):
    page = PAGE.read_text(encoding="utf-8")
    if os.environ.get("FOAM_UPDATE_DOCS"):
        pattern = re.compile(rf"<!-- {group} -->.*<!-- end of {group} -->", flags=re.DOTALL)
        assert pattern.search(page)
        PAGE.write_text(page := pattern.sub(lambda _: marked(group), page), encoding="utf-8")
    assert marked(group) in page


@pytest.mark.parametrize("group", [group for group in GROUPS if group != "growth"])
def test_a_method_says_where_it_is_from_or_is_plain(group):
    """Without a source are only those that are nobody's idea."""
    plain = {"none", "uniform", "random"}
    files = [conf_dir() / group / f"{option}.yaml" for option in groups()[group]]
    assert {file.stem for file in files if source(class_of(file)) == "–"} <= plain
