"""From words on a command line to plain settings."""

import pytest

from foam_cli.config import compose, conf_dir, from_yaml, groups, normalise, resolve_environment, to_yaml
from foam_cli.core.errors import ConfigError


@pytest.fixture
def own(tmp_path):
    """Write a configuration folder of the user's own: own(growth__mine="max_events: 3")."""

    def write(**files: str):
        for name, text in files.items():
            file = tmp_path / "conf" / (name.replace("__", "/") + ".yaml")
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
        return [tmp_path / "conf"]

    return write


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("train.stepz=5", "Did you mean 'steps'"),
        ("growht=v3", "Did you mean 'growth'"),
        ("growth=v4", "Did you mean 'v3'"),
        ("growth.trigger=shedule", "Did you mean 'schedule'"),
        ("evaluation=[science,tool_usee]", "Did you mean 'tool_use'"),
        ("regularizer=[ewc,l2_init,ewc]", "names 'ewc' more than once"),
        ("experiment=nothing_like_it", "there is no option 'nothing_like_it'"),
        ("train.steps", "train.steps=500"),
        ("train.steps=1,2", "train.steps=[1,2]"),
        ("hydra.callbacks.x._target_=builtins.open", "leave it out"),
        ("+hydra.callbacks.x._target_=builtins.open", "leave it out"),
        ("hydra/launcher=joblib", "leave it out"),
        ("model=local", "model.path=..."),
        ("growth.nothing=schedule", "there is no setting 'growth.nothing'"),
    ],
)
def test_what_is_wrong_with_an_override_is_said(override, said):
    with pytest.raises(ConfigError) as caught:
        compose([override])
    assert said in str(caught.value)
    assert "\n" not in str(caught.value) and "hydra.cc" not in str(caught.value)


def test_an_option_for_a_part_that_is_not_there():
    with pytest.raises(
        ConfigError, match=r"growth\.trigger: has no effect, because growth=none has no trigger"
    ):
        compose(["growth=none", "growth.trigger=schedule"])


def test_a_nested_group_is_chosen_with_dots():
    trigger = compose(["growth.trigger=schedule", "growth.trigger.every_steps=7"]).values["growth"]["trigger"]
    assert trigger["_target_"].endswith(".Schedule") and trigger["every_steps"] == 7
    assert "percentile" not in trigger


def test_a_path_implies_its_option():
    values = compose(["model.path=/some/where", "data.path=a.jsonl"]).values
    assert values["model"] == {
        "path": "/some/where", "revision": None, "init": "pretrained", "intermediate_size": None,
    }  # fmt: skip
    assert values["data"]["_target_"].endswith(".Files") and values["data"]["path"] == "a.jsonl"
    assert set(normalise(["data=nanoworld_base", "data.path=x"])) == {"data=nanoworld_base", "data.path=x"}


@pytest.mark.parametrize(
    "path", ["~/data/*.jsonl", "a(b)/c=d,e", "{train,test}.jsonl", "it's {here}", "with space", "a\\'{b"]
)
def test_a_path_is_taken_as_it_is_written(path):
    assert compose([f"data.path={path}"]).values["data"]["path"] == path


def test_the_command_line_wins_over_an_experiment_and_that_over_a_group(own):
    dirs = own(experiment__mine="# @package _global_\nseed: 5\ntrain:\n  steps: 11\n  lr: 0.5\n")
    group = compose([]).values["train"]
    experiment = compose(["experiment=mine"], dirs).values
    both = compose(["train.steps=12", "seed=6", "experiment=mine"], dirs).values
    assert group["steps"] not in (11, 12)
    assert experiment["train"] == {**group, "steps": 11, "lr": 0.5} and experiment["seed"] == 5
    assert both["train"] == {**group, "steps": 12, "lr": 0.5} and both["seed"] == 6


def test_the_users_own_options_stand_beside_the_shipped_ones(own):
    dirs = own(checkpoint__often="every_steps: 1\nkeep: 9\n")
    assert compose(["checkpoint=often"], dirs).values["checkpoint"] == {"every_steps": 1, "keep": 9}
    assert groups(dirs)["checkpoint"] == ["default", "often"]
    with pytest.raises(ConfigError, match="no such folder"):
        compose([], [dirs[0] / "absent"])


def test_plugins_come_from_the_command_line_only(own):
    dirs = own(experiment__sly="# @package _global_\nplugins: [os]\n")
    with pytest.raises(ConfigError, match="command line only"):
        compose(["experiment=sly"], dirs)
    assert compose(["experiment=sly", "plugins=[mine]"], dirs).values["plugins"] == ["mine"]


def test_no_secret_of_the_environment_is_written(monkeypatch, tmp_path):
    monkeypatch.setenv("FOAM_TEST_SECRET", "hunter2")
    monkeypatch.setenv("FOAM_TEST_SEED", "7")
    values = compose(
        [
            "+a=${oc.env:FOAM_TEST_SECRET}",
            "+b=${a}",
            "+c=[x-${b}]",
            "+d=${oc.env:FOAM_TEST_UNSET,without}",
            "seed=${oc.decode:${oc.env:FOAM_TEST_SEED}}",
        ]
    ).values
    assert "hunter2" not in to_yaml(values) and "hunter2" not in repr(values)
    (tmp_path / "config.yaml").write_text(to_yaml(values), encoding="utf-8")
    seen = resolve_environment(from_yaml(tmp_path / "config.yaml"))
    assert (seen["a"], seen["b"], seen["c"]) == ("hunter2", "hunter2", ["x-hunter2"])
    assert seen["d"] == "without" and seen["seed"] == 7


def test_composing_leaves_the_environment_resolver_as_it_was(monkeypatch):
    monkeypatch.setenv("FOAM_TEST_SECRET", "hunter2")
    with pytest.raises(ConfigError):
        compose(["seed=${nothing}"])
    assert resolve_environment({"a": "${oc.env:FOAM_TEST_SECRET}"}) == {"a": "hunter2"}


def test_an_unset_variable_is_named():
    with pytest.raises(ConfigError, match="FOAM_TEST_UNSET"):
        resolve_environment({"a": "${oc.env:FOAM_TEST_UNSET}"})


def test_an_application_that_uses_hydra_itself_keeps_it():
    from hydra import initialize_config_dir
    from hydra.core.global_hydra import GlobalHydra

    with initialize_config_dir(config_dir=str(conf_dir()), version_base="1.3"):
        theirs = GlobalHydra.instance().hydra
        compose(["growth=none"])
        assert GlobalHydra.instance().hydra is theirs is not None
    compose([])
    assert not GlobalHydra.instance().is_initialized()
