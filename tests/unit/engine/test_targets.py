"""Which words of `foam eval` are tasks, targets and settings."""

from pathlib import Path

import pytest

from foam_cli.core.errors import ConfigError
from foam_cli.engine.targets import Target, sort_words

TASKS = ["arc", "lm_eval", "science"]


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for folder, file in (
        ("run", "config.yaml"),
        ("export", "config.json"),
        ("arc", "config.json"),
        ("odd", "x"),
    ):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / file).touch()
    return tmp_path


RUN = Target(name="run", run=Path("run"))
EXPORT = Target(name="export", overrides=("model.path=export",))


@pytest.mark.parametrize(
    ("words", "targets"),
    [
        (["run=run"], [RUN]),
        (["run"], [RUN]),
        (["export"], [EXPORT]),
        (["run=export"], [EXPORT]),
        (["model.path=export"], [EXPORT]),
        (["model=local", "model.path=export"], [EXPORT]),
        (["model=gpt2"], [Target(name="gpt2", overrides=("model=gpt2",))]),
        (
            ["Qwen/Qwen2.5-0.5B"],
            [Target(name="Qwen/Qwen2.5-0.5B", overrides=("model.path=Qwen/Qwen2.5-0.5B",))],
        ),
        (["run=run", "export"], [RUN, EXPORT]),
        (["model.path=export", "model=nano"], [EXPORT, Target(name="nano", overrides=("model=nano",))]),
        (["./arc"], [Target(name="./arc", overrides=("model.path=./arc",))]),
    ],
)
def test_targets(words, targets):
    found = sort_words(["arc", *words, "seed=1"], TASKS)
    assert found.targets == targets
    assert (found.tasks, found.overrides) == (["arc"], ["seed=1"])


def test_tasks_of_the_harness_have_a_short_form():
    found = sort_words(["lm_eval", "tasks=[a,b]", "run"], TASKS)
    assert found.overrides == ["evaluation.lm_eval.tasks=[a,b]"]


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["run=run"], "Name a task"),
        (["arc"], "Name what to score"),
        (["arc", "odd"], "no config.yaml.*no config.json"),
        (["arc", "no/such/folder"], "no such folder"),
        (["arc", "run", "export", "./arc"], "leave out ./arc"),
        (["arc", "run", "tasks=[a]"], "foam eval lm_eval"),
    ],
)
def test_what_means_nothing_is_refused(words, complaint):
    with pytest.raises(ConfigError, match=complaint):
        sort_words(words, TASKS)
