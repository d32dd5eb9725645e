"""Every option of conf/evaluation composes, builds and says where its items come from."""

import dataclasses

import pytest
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from omegaconf import OmegaConf

from foam_cli.building import build
from foam_cli.config import conf_dir

OPTIONS = sorted(
    file.stem for file in (conf_dir() / "evaluation").glob("*.yaml") if not file.stem.startswith("_")
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Holder:
    task: object


def tasks_of(option: str, folder, *overrides: str) -> dict:
    (folder / "main.yaml").write_text("defaults:\n  - evaluation: none\n  - _self_\n")
    GlobalHydra.instance().clear()
    with initialize_config_dir(config_dir=str(folder), version_base="1.3"):
        search = f"hydra.searchpath=[file://{conf_dir().resolve()}]"
        composed = compose("main", overrides=[search, f"evaluation={option}", *overrides])
    return OmegaConf.to_container(composed.evaluation, resolve=True)


@pytest.mark.parametrize("option", OPTIONS)
def test_every_option_builds(option, tmp_path):
    section = tasks_of(option, tmp_path)
    assert {"every_steps", "batch_tokens", "max_items"} <= section.keys()
    for name, node in section.items():
        if not isinstance(node, dict) or "_target_" not in node:
            continue
        filled = {key: "some/file" if value == "???" else value for key, value in node.items()}
        filled |= {"tasks": ["some_task"]} if "tasks" in node else {}
        task = build(Holder, {"task": filled}).task
        assert task.name == name
        assert task.items_from is None or "." in task.items_from


def test_max_items_reaches_every_task(tmp_path):
    section = tasks_of("nanoworld", tmp_path, "evaluation.max_items=7", "evaluation.science.num_items=3")
    counts = {name: node["num_items"] for name, node in section.items() if isinstance(node, dict)}
    assert counts == {"science": 3, "general_chat": 7, "tool_use": 7, "identity": 7, "autonomy": 7}


def test_one_path_serves_both_sets_of_arc(tmp_path):
    section = tasks_of("arc", tmp_path, "evaluation.arc.path=here", "evaluation.arc.split=validation")
    found = {(section[name]["path"], section[name]["split"]) for name in ("arc_easy", "arc_challenge")}
    assert found == {("here", "validation")}
