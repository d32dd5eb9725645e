"""Every setting in conf/ is read by something: one that nothing reads would be a silent lie.

The fast test looks for the names in the source; the slow one records what a few small runs really read.
"""

import ast
import dataclasses
import importlib
import json
import re
import sys
from collections import defaultdict
from functools import cache
from pathlib import Path
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

import pytest
import yaml

import foam_cli
from foam_cli import building, config
from foam_cli.core.settings import Settings
from foam_cli.data.nanoworld import corpus
from foam_cli.engine.ablate import StudySettings

SOURCE = Path(foam_cli.__file__).parent
#: Needed before the objects are built, so read from the composed mapping: the file and the text that does it.
READ_BEFORE_BUILDING = {
    "Settings.plugins": ("engine/run.py", 'values.get("plugins")'),
    "Settings.name": ("engine/folder.py", 'composed["name"]'),
    "RunName.study": ("engine/folder.py", 'name["study"]'),
    "RunName.arm": ("engine/folder.py", 'name["arm"]'),
}
#: Read where they launch, in test_study.py, and where the harness is installed, in test_lm_eval.py.
READ_ELSEWHERE = ("foam_cli.engine.launchers", "foam_cli.evaluation.tasks.lm_eval")
CONF_FILES = sorted(config.conf_dir().rglob("*.yaml"))


def targets(node):
    """Every `_target_` within a YAML file."""
    if isinstance(node, dict):
        yield from [node["_target_"]] if "_target_" in node else []
        for value in node.values():
            yield from targets(value)


def sections(cls):
    """A dataclass and every dataclass that its fields name."""
    yield cls
    for hint in get_type_hints(cls).values():
        for option in get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,):
            if isinstance(option, type) and dataclasses.is_dataclass(option):
                yield from sections(option)


@cache
def configurable() -> tuple[type[Any], ...]:
    found = {*sections(Settings), *sections(StudySettings)}
    for file in CONF_FILES:
        for target in targets(yaml.safe_load(file.read_text(encoding="utf-8"))):
            module, _, name = target.rpartition(".")
            found |= set(sections(getattr(importlib.import_module(module), name)))
    return tuple(sorted(found, key=lambda cls: (cls.__module__, cls.__qualname__)))


@cache
def attributes_read() -> dict[str, set[tuple[Path, str]]]:
    """Attribute name to where it is read; a class checking its own values does not count."""
    found = defaultdict(set)

    def visit(node, file, where):
        if isinstance(node, ast.FunctionDef) and node.name == "__post_init__":
            return
        if isinstance(node, ast.ClassDef):
            where = node.name
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load):
            owner = where if isinstance(node.value, ast.Name) and node.value.id == "self" else ""
            found[node.attr].add((file, owner))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "getattr":
            found[getattr(node.args[1], "value", "")].add((file, ""))
        for child in ast.iter_child_nodes(node):
            visit(child, file, where)

    for file in SOURCE.rglob("*.py"):
        visit(ast.parse(file.read_text(encoding="utf-8")), file, "")
    return found


@pytest.mark.parametrize("cls", configurable(), ids=lambda cls: cls.__qualname__)
def test_the_source_reads_every_field(cls):
    own = sys.modules[cls.__module__].__file__
    for field in dataclasses.fields(cls):
        if f"{cls.__qualname__}.{field.name}" in READ_BEFORE_BUILDING:
            continue
        # self.x counts in the class itself and in its bases; x of anything else counts everywhere.
        readers = attributes_read()[field.name]
        bases = {base.__name__ for base in cls.__mro__}
        assert any(owner == "" or owner in bases for _, owner in readers), (
            f"{own}: nothing reads {cls.__name__}.{field.name}"
        )


@pytest.mark.parametrize("setting", READ_BEFORE_BUILDING)
def test_what_is_read_before_building_is_read(setting):
    file, text = READ_BEFORE_BUILDING[setting]
    assert text in (SOURCE / file).read_text(encoding="utf-8")


def test_settings_beside_the_tasks_of_evaluation_are_read():
    """They belong to no dataclass: each is read by its name in the source, or by another YAML file."""
    plain = set()
    for file in (config.conf_dir() / "evaluation").glob("*.yaml"):
        document = yaml.safe_load(file.read_text(encoding="utf-8"))
        for key, value in document.items():
            if key != "defaults" and not (isinstance(value, dict) and "_target_" in value):
                plain |= {f"{key}.{inner}" for inner in value} if isinstance(value, dict) else {key}
    assert {"every_steps", "batch_tokens", "max_items"} <= plain
    python = "\n".join(file.read_text(encoding="utf-8") for file in (SOURCE / "engine").rglob("*.py"))
    texts = "\n".join(file.read_text(encoding="utf-8") for file in CONF_FILES)
    for key in plain:
        by_name = f'evaluation["{key}"]' in python
        assert by_name or f"${{evaluation.{key}}}" in texts, f"nothing reads evaluation.{key}"


# ---------------------------------------------------------------- what runs really read


@pytest.fixture
def recorded(monkeypatch):
    """Class name to the fields of it that were read outside of construction, comparison and printing."""
    read = defaultdict(set)

    def recording(made):
        cls, names = type(made), {field.name for field in dataclasses.fields(made)}

        def __getattribute__(self, name):  # noqa: N807
            caller = sys._getframe(1).f_code
            generated = caller.co_filename == "<string>" or caller.co_filename == dataclasses.__file__
            if name in names and not generated and caller.co_name != "__post_init__":
                read[cls.__qualname__].add(name)
            return cls.__getattribute__(self, name)

        body = {
            "__getattribute__": __getattribute__,
            "__module__": cls.__module__,
            "__qualname__": cls.__qualname__,
        }
        object.__setattr__(made, "__class__", type(cls.__name__, (cls,), body))
        return made

    build = building._build
    monkeypatch.setattr(building, "_build", lambda *args, **kwargs: recording(build(*args, **kwargs)))
    return read


@pytest.fixture
def finish(foam, tmp_path):
    """Run a command to its end; whatever an option leaves to the user is given to it."""
    (tmp_path / "text.txt").write_text(
        "Some words to score.\n = A title = \nMore words.\n" * 9, encoding="utf-8"
    )

    def run(*words, allowed="no failure at all"):
        said = foam(*words)
        while (missing := re.search(r"error: (\S+): has no value", said.err)) is not None:
            words = (*words, f"{missing[1]}=text.txt")
            said = foam(*words)
        assert said.code == 0 or allowed in said.err, (words, said)

    return run


@pytest.mark.slow
def test_small_runs_read_every_field(
    recorded, finish, small, tiny_folder, tmp_path, monkeypatch, fake_trackers
):
    plain = [one for one in small if not one.startswith("growth.")] + ["train.steps=4", "data.max_length=128"]
    plain += ["data.old_path=text.txt"]  # some methods look at old data
    often = ["growth.trigger=schedule", "growth.trigger.every_steps=2"]
    for preset in config.groups()["growth"]:
        has = config.compose([f"growth={preset}"]).values["growth"]
        early = ["growth.warmup_steps=1"] if "warmup_steps" in has else []
        finish("train", *plain, f"growth={preset}", *(often if "trigger" in has else []), *early)
    for group, options in config.groups().items():
        if group.startswith("growth/"):
            part = group.replace("/", ".")
            for option in options:
                more = often
                if part == "growth.trigger":  # whatever it waits for comes at every other step
                    has = config.compose(["growth=v3", f"{part}={option}"]).values["growth"]["trigger"]
                    more = [f"{part}.{key}=2" for key in has if key.endswith("_steps")]
                    more += ["train.validate_every_steps=1"]
                for preset in ["v3", "block_schedule"] if part == "growth.placement" else ["v3"]:
                    words = [f"growth={preset}", *more, f"{part}={option}"]
                    finish("train", *plain, *words, allowed="does not fit here")
    for option in config.groups()["regularizer"]:
        finish("train", *plain, "growth=v3", *often, f"regularizer={option}")
    own = ["replay=self_generated", "replay.num_documents=4", "replay.max_tokens=8", "replay.min_tokens=1"]
    own += ["replay.max_guess_nats=100", "replay.max_overlap_frac=1", "replay.max_repeated_frac=1"]
    finish("train", *plain[:-1], "growth=none", *own, "replay.keep_unended=true", "replay.without=[qwxz]")
    source = ["replay.source=files", "replay.source.path=text.txt"]
    finish("train", *plain[:-1], "growth=none", "replay=loss_weighted", *source)
    finish("train", *plain, "growth=none", "data.curriculum=difficulty", "interpolate=wise_ft")
    finish("train", *plain, "growth=none", "train=lora")
    finish("train", *plain, f"tracker=[{','.join(fake_trackers)}]")
    profile = ["hardware=rtx3060", "hardware.device=cpu", "hardware.threads=1"]
    finish("train", *plain, *profile, "growth=v3", *often, "export=hf", "export.max_abs_dlogits=1")

    finish("plan", *plain, "hardware=rtx3060", "growth=v3", *often)

    tiny = [f"model.path={tiny_folder}", "hardware=cpu", "hardware.threads=1"]
    for subset in ("Easy", "Challenge"):
        choices = {"text": ["a", "b"], "label": ["A", "B"]}
        row = {"id": "1", "question": "Why?", "choices": choices, "answerKey": "A"}
        (tmp_path / f"ARC-{subset}-test.jsonl").write_text(json.dumps(row) + "\n", encoding="utf-8")
    of_runs = ("none", "heldout", "files", "arc_replay", "hub", "wikitext2", "lm_eval")
    tasks = [one for one in config.groups()["evaluation"] if one not in of_runs]
    finish("eval", *tasks, *tiny, "evaluation.max_items=1", f"evaluation.arc.path={tmp_path}")
    short = ["train.steps=1", "train.batch_tokens=1024", "data.max_length=1000", "data.validation_examples=4"]
    world = [*short, "evaluation=heldout", "replay=none", "export=none"]
    finish("train", *tiny, *world, "data=nanoworld", "data.num_examples=8")
    monkeypatch.setattr(corpus, "PRETRAINING_SCALE", 1)
    finish("train", *tiny, *world, "data=nanoworld_base")
    finish("train", *tiny, *world, "data=skills", "data.num_examples=8", "data.skills=[identity]")
    rows = {"text": "Some words to score.\n"}, {"text": "More of them.\n"}

    def load_dataset(name, config, *, split, revision):
        return [row | {"question": f"{config} {split}?"}] if "arc" in name else rows * 20

    monkeypatch.setattr("datasets.load_dataset", load_dataset)
    public = ["evaluation=heldout", "replay=none", "export=none", "growth=none", "train.steps=1"]
    for option in ("wikitext2", "arc_replay", "hub"):
        finish("train", *tiny, *public, f"data={option}", *(["data.id=a/b"] if option == "hub" else []))
    finish("ablate", "sweep", *plain, "study.seeds=[0]")
    search = [one for one in plain if not one.startswith("evaluation=")]
    finish("ablate", "search", "search_example", *search, "study.search.trials=1", "study.seeds=[0]")

    unread = {
        f"{cls.__qualname__}.{field.name}"
        for cls in configurable()
        if not cls.__module__.startswith(READ_ELSEWHERE)
        for field in dataclasses.fields(cls)
        if field.name not in recorded[cls.__qualname__]
    }
    assert unread <= set(READ_BEFORE_BUILDING)
