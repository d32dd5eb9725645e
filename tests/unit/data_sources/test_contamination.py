"""Which evaluation prompts are found in training data: an independent search agrees, and no false alarm."""

import json
import os
import random
import re
import tracemalloc
from functools import partial
from pathlib import Path

import pytest

from foam_cli.data import contamination
from foam_cli.data.contamination import Lookup
from foam_cli.data.pieces import pieces
from foam_cli.data.sources.arc_replay import ArcReplay

QUESTION = "A student pours water into three cups of different sizes. Which describes the water in the cups?"


def chat(*turns):
    return {"messages": [{"role": role, "content": content} for role, content in turns]}


def seen(prompts, documents):
    """Ids of the prompts that are found; prompts are texts, and their ids their numbers."""
    lookup = Lookup({"task": [(str(n), text) for n, text in enumerate(prompts)]})
    lookup.read(documents, "training")
    return sorted(map(int, lookup.hits["task"]))


@pytest.mark.parametrize(
    "document",
    [
        {"text": f"Question: {QUESTION}\nAnswer: It has three shapes."},
        {"text": QUESTION.upper().replace(" ", "  \n ").replace(".", " -- ")},
        {"text": "Well then. " + " ".join(QUESTION.split()[3:17]) + " something else entirely"},
        chat(("system", QUESTION), ("user", "Hi"), ("assistant", "Hello")),
        chat(("user", "Hi"), ("assistant", f"You may ask: {QUESTION}")),
    ],
)
def test_thirteen_words_in_a_row_are_found(document):
    assert seen([QUESTION], [{"text": "Nothing."}, document]) == [0]


@pytest.mark.parametrize(
    "document",
    [
        {"text": " ".join(QUESTION.split()[:12]) + " something else " + " ".join(QUESTION.split()[12:])},
        chat(
            ("user", " ".join(QUESTION.split()[:10])),
            ("assistant", " ".join(QUESTION.split()[10:])),
        ),
        {"text": "Nothing."},
    ],
)
def test_fewer_are_not(document):
    assert seen([QUESTION], [document]) == []


def test_words_are_the_same_however_they_are_split():
    every = "".join(map(chr, range(0x250))) + "Ab_1-x\u2028y\u0301 中文 \x1fz"
    texts = [every, every.encode("ascii", "ignore").decode(), "", "A-b_c 1,2\x1c3\x85"]
    for text in (*texts, *every):
        assert contamination.words_of(text) == re.findall(r"\w+", text.lower())


def test_words_do_not_reach_from_one_document_into_the_next():
    words = QUESTION.split()
    assert seen([QUESTION], [{"text": " ".join(words[:10])}, {"text": " ".join(words[10:])}]) == []


@pytest.mark.parametrize(
    ("document", "found"),
    [
        ({"text": "Who made you?"}, True),
        ({"text": "who  made - YOU"}, True),
        ({"text": "First line.\nQuestion: Who made you?\nAnswer: Ann."}, True),
        (chat(("user", "Who made\nyou?"), ("assistant", "Ann.")), True),
        (chat(("user", "Tell me, who made you?"), ("assistant", "Ann.")), False),
        ({"text": "I wonder who made you, and why."}, False),
        (chat(("user", "Who made"), ("assistant", "you?")), False),
    ],
)
def test_a_short_prompt_is_found_as_a_whole(document, found):
    assert seen(["Who made you?"], [document]) == ([0] if found else [])


def test_what_many_items_share_is_no_item():
    header = "Answer the following question with one single word and do not explain how you came to it:"
    prompts = [f"{header} what is the colour of stone number {n}?" for n in range(40)]
    documents = [{"text": f"{header} what is the weight of lead?"}]
    assert seen(prompts, documents) == []
    assert seen(prompts[: contamination.MAX_SHARING], documents) == list(range(contamination.MAX_SHARING))
    # What is asked twice is no more common for that, and what has nothing of its own is compared whole.
    assert seen([prompts[0]] * 20, [{"text": prompts[0]}]) == list(range(20))
    assert seen(prompts, [{"text": f"Something.\n{prompts[7]}"}]) == [7]


def test_where_it_was_found_is_named():
    lookup = Lookup({"easy": [("q7", QUESTION)], "hard": [("q8", QUESTION), ("q9", "Why?")], "none": []})
    lookup.read([{"text": "x"}, {"text": QUESTION, "name": "a.jsonl, line 3"}], "training")
    lookup.read([{"text": "x"}, {"text": "Why?"}, {"text": QUESTION}], "replayed")
    assert {task: set(hits) for task, hits in lookup.hits.items()} == {"easy": {"q7"}, "hard": {"q8", "q9"}}
    first = lookup.hits["hard"]["q8"]
    assert first.document == "a.jsonl, line 3"
    assert first.words == "a student pours water into three cups of different sizes which describes the"
    assert lookup.hits["hard"]["q9"].document == "replayed document 1"
    assert lookup.documents == {"a.jsonl, line 3", "replayed document 1", "replayed document 2"}


def naive(prompts, documents):
    """The rule for long prompts once more, by sets of tuples."""

    def grams(text):
        words = re.findall(r"\w+", text.lower())
        return set(zip(*(words[i:] for i in range(13)), strict=False))

    trained = set().union(*(grams(document["text"]) for document in documents))
    return [n for n, prompt in enumerate(prompts) if grams(prompt) & trained]


@pytest.mark.parametrize("block", [13, 64, 1 << 16])
def test_an_independent_search_agrees(block, monkeypatch):
    monkeypatch.setattr(contamination, "BLOCK", block)
    monkeypatch.setattr(contamination, "MAX_SHARING", 10**6)
    rng = random.Random(block)
    stream = [rng.choice("abcdefghij") * rng.randint(1, 9) for _ in range(4000)]
    documents = [
        {"text": " ".join(stream[start : start + rng.randint(1, 300)])} for start in range(0, 4000, 90)
    ]
    prompts = []
    for _ in range(300):
        start, length = rng.randrange(3900), rng.randint(10, 18)
        prompts.append("lead in " + " ".join(stream[start : start + length]) + " lead out with some words")
    wanted = naive(prompts, documents)
    assert 20 < len(wanted) < 280
    assert seen(prompts, documents) == wanted


def test_a_long_text_is_read_in_little_memory():
    rng = random.Random(0)
    words = [f"w{rng.randrange(5000)}" for _ in range(400_000)]
    text = " ".join(words)
    places = (0, 250_000, 399_980)
    prompts = [" ".join(words[at : at + 15]) for at in places] + ["w1 " * 14]
    lookup = Lookup({"task": [(str(at), prompt) for at, prompt in enumerate(prompts)]})
    tracemalloc.start()
    lookup.read([{"text": text}], "training")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert sorted(lookup.hits["task"]) == ["0", "1", "2"]
    assert peak < 16_000_000, peak  # all words at once are 25 MB


def test_every_place_of_a_text_that_is_cut_is_searched(monkeypatch):
    monkeypatch.setattr(contamination, "pieces", partial(pieces, size=40))
    words = [f"word{'abcdefghijklmnopqrstuvwxyz'[n % 26]}{'xyz'[n % 3]}" for n in range(26 * 3)]
    prompts = [" ".join(words[at : at + 13]) for at in range(len(words) - 13)]
    assert seen(prompts, [{"text": " ".join(words)}]) == list(range(len(prompts)))


@pytest.fixture
def arc():
    return Path(os.environ["FOAM_REAL_DATA"]) / "arc"


@pytest.mark.real
def test_arc_train_against_validation_is_what_an_independent_search_finds(arc):
    """The validation splits stand for the test splits, which are not at hand."""

    def rows(split):
        files = [arc / f"ARC-{subset}-{split}.jsonl" for subset in ("Easy", "Challenge")]
        return [json.loads(line) for file in files for line in file.read_text("utf-8").splitlines()]

    def normal(text):
        return " ".join(re.findall(r"\w+", text.lower()))

    train, asked = rows("train"), [row["question"] for row in rows("validation")]
    documents = [{"text": f"Question: {row['question']}\nAnswer:"} for row in train]
    trained = {normal(row["question"]) for row in train}
    word_for_word = {n for n, text in enumerate(asked) if normal(text) in trained}
    by_grams = set(naive(asked, documents))
    assert set(seen(asked, documents)) == word_for_word | by_grams
    assert word_for_word and len(word_for_word) < 40

    source = ArcReplay(path=str(arc), revision=None, subsets=["Easy", "Challenge"], max_length=512)
    kept, apart = source.documents(0)
    assert seen(asked, kept) == []
    assert 0 < len(train) - len(kept) < 100
    assert len(apart) == len(asked)
    assert sum("could not be checked" in line for line in source.remarks()) == 2
