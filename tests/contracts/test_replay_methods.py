"""Every replay strategy of conf/ is held to the same promises; a new YAML file needs no edit here."""

import json
from functools import cache

import pytest

from foam_cli.config import compose, groups
from foam_cli.core.errors import ConfigError
from foam_cli.data.generated.write import Rules
from foam_cli.data.replay.of_data import OfData
from foam_cli.data.replay.protocols import ReadsLosses, Replay, ReplaySource
from foam_cli.engine.run import build_settings

STRATEGIES = [one for one in groups()["replay"] if one != "none"]
COUNT = 40


@cache
def built(option, *overrides):
    return build_settings(compose([f"replay={option}", *overrides]).values).replay


def filled(replay, num=COUNT):
    state = replay.observe(replay.initial_state(), range(num), 3)
    if isinstance(replay, ReadsLosses):
        state = replay.note_losses(state, {index: 0.1 + index for index in range(num)})
    return state


@pytest.mark.parametrize("option", STRATEGIES)
def test_it_offers_what_the_engine_asks_for(option):
    replay = built(option)
    assert isinstance(replay, Replay)
    assert 0 < replay.ratio < 1
    new = 80
    old = replay.count(new)
    assert old >= 1 and abs(old / (old + new) - replay.ratio) < 0.02


@pytest.mark.parametrize("option", STRATEGIES)
def test_its_state_survives_a_checkpoint_and_draws_the_same_after_it(option):
    replay = built(option)
    state = filled(replay)
    back = json.loads(json.dumps(state))
    assert back == state
    for step in range(30):
        drawn = replay.draw(state, 7, 3, step)
        assert drawn == replay.draw(back, 7, 3, step)
        assert len(drawn) == len(set(drawn)) == 7 and set(drawn) <= set(range(COUNT))
    assert len({tuple(replay.draw(state, 7, 3, step)) for step in range(30)}) > 20
    assert sorted(replay.draw(state, 999, 3, 0)) == list(range(COUNT))
    assert replay.draw(replay.initial_state(), 5, 3, 0) == []


@pytest.mark.parametrize("option", STRATEGIES)
def test_observing_leaves_the_earlier_state_alone(option):
    replay = built(option)
    state = filled(replay)
    before = json.dumps(state)
    replay.observe(state, range(COUNT, 2 * COUNT), 3)
    if isinstance(replay, ReadsLosses):
        replay.note_losses(state, {0: 5.0})
    assert json.dumps(state) == before


@pytest.mark.parametrize("option", STRATEGIES)
def test_a_senseless_ratio_is_refused(option):
    with pytest.raises(ConfigError, match=r"replay\.ratio"):
        built(option, "replay.ratio=1.0")


@pytest.mark.parametrize("source", groups()["replay/source"])
def test_every_source_goes_with_every_strategy_that_reads_one(source, tmp_path):
    (tmp_path / "old.txt").write_text("what was\n", encoding="utf-8")
    given = [f"replay.source.path={tmp_path / 'old.txt'}"] if source == "files" else []
    for option in STRATEGIES:
        if isinstance(built(option), Rules):
            continue
        found = built(option, f"replay.source={source}", *given).source
        assert isinstance(found, OfData if source == "data" else ReplaySource)
