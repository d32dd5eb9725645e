"""Every tracker of conf/ is held to the same promises; a new YAML file needs no edit here."""

import importlib

import pytest
import yaml

from foam_cli.building import build
from foam_cli.config import compose, conf_dir
from foam_cli.trackers.protocols import Tracker

FILES = sorted((conf_dir() / "tracker").glob("*.yaml"))
OPTIONS = [file.stem for file in FILES if file.stem != "none"]


@pytest.mark.parametrize("option", OPTIONS)
def test_an_option_is_a_tracker_and_a_file_holds_one_key_of_its_own_name(option):
    nodes = yaml.safe_load((conf_dir() / "tracker" / f"{option}.yaml").read_text(encoding="utf-8"))
    assert list(nodes) == [option]
    module, _, name = nodes[option].pop("_target_").rpartition(".")
    made = build(getattr(importlib.import_module(module), name), nodes[option])
    assert isinstance(made, Tracker) and made.package


def test_all_of_them_go_together_and_none_is_the_default():
    together = compose([f"tracker=[{','.join(OPTIONS)}]", "hardware=cpu"]).values["tracker"]
    assert sorted(together) == OPTIONS
    assert compose(["hardware=cpu"]).values["tracker"] == {}
