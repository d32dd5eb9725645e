"""The rules of the house that no linter knows."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

import foam_cli

ROOT = Path(foam_cli.__file__).parent.parent
FILES = sorted(Path(foam_cli.__file__).parent.rglob("*.py"))
MAX_FUNCTION, MAX_FILE = 40, 400

#: Longer on purpose, and why.
LONG_FUNCTIONS = {
    "engine/loop.py:train": "the training loop reads top to bottom; cutting it up would hide the order",
}


def name_of(file):
    return file.relative_to(ROOT / "foam_cli").as_posix()


def docstring_lines(node):
    """How many lines the docstrings within a node take."""
    total = 0
    for one in ast.walk(node):
        body = getattr(one, "body", None)
        if isinstance(body, list) and body and isinstance(body[0], ast.Expr):
            value = body[0].value
            if isinstance(value, ast.Constant) and isinstance(value.value, str):
                total += body[0].end_lineno - body[0].lineno + 1
    return total


def functions(node, prefix=""):
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            if not isinstance(child, ast.ClassDef):
                yield f"{prefix}{child.name}", child
            yield from functions(child, f"{prefix}{child.name}.")
        else:
            yield from functions(child, prefix)


def length(node):
    """Lines of a function from its `def` to its end, docstrings not counted."""
    return node.end_lineno - node.lineno + 1 - docstring_lines(node)


def long_functions(file):
    tree = ast.parse(file.read_text(encoding="utf-8"))
    return {
        f"{name_of(file)}:{name}": length(node)
        for name, node in functions(tree)
        if length(node) > MAX_FUNCTION
    }


@pytest.mark.parametrize("file", FILES, ids=name_of)
def test_a_file_keeps_the_rules(file):
    text = file.read_text(encoding="utf-8")
    tree = ast.parse(text)
    assert len(text.splitlines()) - docstring_lines(tree) <= MAX_FILE
    assert not {name: found for name, found in long_functions(file).items() if name not in LONG_FUNCTIONS}
    # Shapes in annotations are executed by the tests, so they must not become text.
    assert "from __future__ import annotations" not in text
    if file.name == "__init__.py" and file.parent != ROOT / "foam_cli":
        assert len(tree.body) == 1 and isinstance(tree.body[0], ast.Expr)


def test_every_exception_is_still_needed():
    assert set(LONG_FUNCTIONS) == {name for file in FILES for name in long_functions(file)}


def tracked():
    """Files that are published: what git tracks or would track; without git, what a checkout holds."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    try:
        found = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("not a git checkout")
    return [ROOT / line for line in found.splitlines() if (ROOT / line).is_file()]


def test_no_machine_is_named():
    """Nothing that is published knows the machine it was written on."""
    private = re.compile(
        "|".join(("/" + "root/", "/" + "work/", "/" + "home/(?!someone)", "/" + "Users/(?!someone)"))
    )
    found = []
    for file in tracked():
        try:
            lines = file.read_text(encoding="utf-8").splitlines()
        except UnicodeDecodeError:
            continue
        found += [f"{file.relative_to(ROOT)}:{n}" for n, line in enumerate(lines, 1) if private.search(line)]
    assert not found


def test_imports_go_down_only():
    """The contract in pyproject.toml, kept by import-linter where that is installed."""
    pytest.importorskip("importlinter")
    command = [
        sys.executable,
        "-c",
        "from importlinter.cli import lint_imports_command as run; run()",
        "--no-cache",
    ]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
