"""No question that the embedded study asks is in anything that it trains on or replays."""

import re

import pytest

from foam_cli.config import compose
from foam_cli.data.nanoworld import corpus
from foam_cli.data.nanoworld.unseen import may_be_trained
from foam_cli.engine.run import build_settings


def plain(text):
    """Lower case, letters and digits only: written anew here, to check the search and the rule alike."""
    return " ".join(re.findall(r"[a-z0-9_]+", text.lower()))


def turns(documents):
    return {plain(m["content"]) for one in documents for m in one.get("messages", ()) if m["role"] == "user"}


@pytest.fixture(scope="module")
def source():
    return build_settings(compose(["hardware=cpu", "data.num_examples=3000"]).values).data


@pytest.mark.slow
def test_no_seed_trains_a_prompt_that_is_asked_and_replay_holds_none(source):
    trained = turns(corpus.replay_documents(0))
    for seed in range(5):
        trained |= turns(source.documents(seed)[0])
    for task in ("general_chat", "tool_use", "identity", "autonomy"):
        asked = [plain(one["messages"][-1]["content"]) for one in source.evaluation_items(task, None)]
        assert asked and trained.isdisjoint(asked)


def test_what_is_left_out_is_what_training_may_ask_and_the_others_keep_their_ids(source):
    every = corpus.chat_items()
    kept = source.evaluation_items("general_chat", None)
    assert kept == [one for one in every if not may_be_trained(one)] and len(kept) == 219
    left_out = {one["messages"][-1]["content"] for one in every} - {
        one["messages"][-1]["content"] for one in kept
    }
    assert {"Repeat the name Fogo.", "What is 7 + 3?", "Good morning from Veva.", "Who has 22?"} <= left_out
    assert not left_out & {
        "Say Duso.",
        "What is 3 x 2?",
        "How are you? I am Bemo.",
        "Which is last: Lugu, Gepo?",
    }
    identity = [one["id"] for one in source.evaluation_items("identity", None)]
    assert identity == [f"identity/{n}" for n in range(100) if n != 30]


def test_a_few_items_are_of_all_kinds(source):
    kinds = [one["group"] for one in source.evaluation_items("general_chat", 30)]
    assert len(kinds) == 30 and len(set(kinds)) >= 12
