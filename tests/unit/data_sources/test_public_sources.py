"""WikiText-2, ARC and any data set of the hub as sources; the hub itself is played by a function."""

import json
from functools import partial

import numpy as np
import pytest
from tiny_tokenizer import byte_tokenizer

from foam_cli.core.errors import ConfigError, DataError
from foam_cli.data.encode import encode_documents
from foam_cli.data.pieces import PIECE, pieces
from foam_cli.data.sources.arc_replay import ArcReplay
from foam_cli.data.sources.hub import Hub
from foam_cli.data.sources.wikitext2 import Wikitext2
from foam_cli.evaluation import multiple_choice
from foam_cli.evaluation.subject import Subject


@pytest.fixture
def hub(monkeypatch):
    """A hub with some splits: {(id, config, split): rows}; what was asked is kept in `asked`."""
    splits, asked = {}, []

    def load_dataset(path, name=None, *, split, revision=None):
        asked.append((path, name, split, revision))
        if (path, name, split) not in splits:
            raise ConnectionError(f"Couldn't reach '{path}' on the Hub\n(OfflineModeIsEnabled)")
        return splits[path, name, split]

    monkeypatch.setattr("datasets.load_dataset", load_dataset)
    splits["asked"] = asked
    return splits


def offline(make):
    """What is said where the hub cannot be reached."""
    with pytest.raises(DataError) as caught:
        make().documents(0)
    said = str(caught.value)
    assert "\n" not in said and "OfflineModeIsEnabled" in said and "Without a network" in said
    return said


# ---------------------------------------------------------------- WikiText-2

wikitext = partial(Wikitext2, path=None, revision=None, window_tokens=8)


def test_windows_are_packed_over_the_whole_text(tmp_path):
    (tmp_path / "wiki.train.tokens").write_text("\n = A = \n\nabc\n = B = \ndef", encoding="utf-8")
    (tmp_path / "wiki.valid.tokens").write_text("xyz", encoding="utf-8")
    source = wikitext(path=str(tmp_path))
    train, validation = source.documents(0)
    assert [one["text"] for one in validation] == ["xyz"]
    tokenizer = byte_tokenizer()
    corpus = encode_documents(train, tokenizer, max_length=source.max_length, loss_on=source.loss_on)
    stream = [*tokenizer(train[0]["text"])["input_ids"], tokenizer.eos_token_id]
    # Windows of 8 that share one token: 7 new ones each, and nothing between the articles.
    wanted = [stream[start : start + 8] for start in range(0, len(stream) - 1, 7)]
    assert [corpus.example(i).ids.tolist() for i in range(len(corpus))] == wanted
    assert int(corpus.targets.sum()) == len(stream) - 1


def test_wikitext_from_the_hub_is_the_rows_put_together(hub):
    key = ("Salesforce/wikitext", "wikitext-2-raw-v1")
    hub[(*key, "train")] = [{"text": ""}, {"text": " = A = \n"}, {"text": " words \n"}]
    hub[(*key, "validation")] = [{"text": " more \n"}]
    train, validation = wikitext(revision="abc").documents(0)
    assert (train[0]["text"], validation[0]["text"]) == (" = A = \n words \n", " more \n")
    assert hub["asked"] == [(*key, "train", "abc"), (*key, "validation", "abc")]


def test_wikitext_in_one_file_keeps_its_end_apart(tmp_path):
    file = tmp_path / "wiki.txt"
    file.write_text("".join(f"line {n}\n" for n in range(100)), encoding="utf-8")
    (train,), (validation,) = wikitext(path=str(file)).documents(0)
    assert train["text"] + validation["text"] == file.read_text(encoding="utf-8")
    assert validation["text"].startswith("line 95\n")
    file.write_text("one line", encoding="utf-8")
    with pytest.raises(DataError, match="too little text"):
        wikitext(path=str(file)).documents(0)


def test_what_wikitext_cannot_read_is_named(tmp_path, hub):
    assert "Salesforce/wikitext (config wikitext-2-raw-v1, split train, revision main)" in offline(wikitext)
    with pytest.raises(DataError, match=r"wiki\.train\.\*"):
        wikitext(path=str(tmp_path)).documents(0)
    with pytest.raises(ValueError, match="revision=abc: has no effect"):
        wikitext(path=str(tmp_path), revision="abc")
    with pytest.raises(ValueError, match="window_tokens=1"):
        wikitext(window_tokens=1)
    with pytest.raises(DataError, match="evaluation=science"):
        wikitext().evaluation_items("science", None)


def test_a_long_text_gives_the_tokens_of_one_that_is_not_cut(monkeypatch):
    text = "".join(f"The {n}th stone, which is grey;\n\n lies  here.\n" for n in range(200))
    settings = {"max_length": 50, "loss_on": "all"}
    for starts in ([], [0]):
        tokenizer = byte_tokenizer()
        if starts:
            from tokenizers.processors import TemplateProcessing

            post = TemplateProcessing(single="<|endoftext|> $A", special_tokens=[("<|endoftext|>", 0)])
            tokenizer.backend_tokenizer.post_processor = post
            tokenizer.bos_token = "<|endoftext|>"
        assert len(text) < PIECE
        whole = encode_documents([{"text": text}], tokenizer, **settings)
        with monkeypatch.context() as patched:
            patched.setattr("foam_cli.data.encode.PIECE", 100)
            patched.setattr("foam_cli.data.encode.pieces", partial(pieces, size=100))
            cut = encode_documents([{"text": text}], tokenizer, **settings)
        assert whole.ids[: len(starts)].tolist() == starts
        assert np.array_equal(whole.ids, cut.ids) and np.array_equal(whole.offsets, cut.offsets)


@pytest.mark.parametrize(
    ("text", "begins"),
    [
        ("", ""),
        ("word", "w"),
        ("many words in a row " * 9, " "),
        ("1 2 3 4 5 6 7 8 9\n" * 9, " \n"),
        ("ü é 中 文 ñ x " * 9, " "),
        ("a" * 45, "a"),
    ],
)
def test_pieces_are_the_text(text, begins):
    found = list(pieces(text, 10))
    assert "".join(found) == text and all(len(piece) <= 20 for piece in found)
    assert len(found) == 1 or len(found) >= len(text) // 20
    assert all(piece[0] in begins for piece in found[1:])


# ---------------------------------------------------------------- ARC


def question(number, text, key="B"):
    choices = {
        "text": [f"wrong {number}", f"right {number}"],
        "label": ["A", "B"] if key == "B" else ["1", "2"],
    }
    return {"id": f"Q{number}", "question": text, "choices": choices, "answerKey": key}


LONG = "A student finds three stones near a river and wants to know which one is the hardest of all."
SPLITS = {
    ("Easy", "train"): [
        question(1, "What is hard?"),
        question(2, "Which is asked in the test?"),
        question(3, f"{LONG} What should be done?"),
        question(4, "What is soft?", key="2"),
    ],
    ("Challenge", "train"): [question(5, "Which is asked in validation?")],
    ("Easy", "validation"): [
        question(6, "Which is asked in  VALIDATION"),
        question(7, "What else is asked?"),
    ],
    ("Challenge", "validation"): [question(8, "Why?")],
    ("Easy", "test"): [question(9, "which is asked in the test")],
    ("Challenge", "test"): [question(10, f"{LONG} What comes first?"), question(11, "What else is asked?")],
}


@pytest.fixture
def arc_folder(tmp_path):
    for (subset, split), rows in SPLITS.items():
        lines = "".join(json.dumps(row) + "\n" for row in rows)
        (tmp_path / f"ARC-{subset}-{split}.jsonl").write_text(lines, encoding="utf-8")
    return tmp_path


def arc(path, subsets=("Easy", "Challenge")):
    return ArcReplay(
        path=None if path is None else str(path), revision=None, subsets=list(subsets), max_length=64
    )


def test_questions_are_written_as_the_evaluation_asks_them(arc_folder, monkeypatch):
    (arc_folder / "ARC-Easy-train.jsonl").write_text(json.dumps(SPLITS["Easy", "train"][3]), encoding="utf-8")
    train, _ = arc(arc_folder, ["Easy"]).documents(0)
    asked = []

    def encode_pairs(tokenizer, pairs):
        asked.extend(context + continuation for context, continuation in pairs)

    monkeypatch.setattr(multiple_choice, "encode_pairs", encode_pairs)
    monkeypatch.setattr(multiple_choice, "continuation_logprobs", lambda *args, **kwargs: [])
    nobody = object.__new__(Subject)
    nobody.__dict__.update(model=None, tokenizer=None, max_length=1, batch_tokens=1, journal=None)
    with pytest.raises(StopIteration):  # there are no scores
        multiple_choice.answer_questions(nobody, SPLITS["Easy", "train"][3:], None)
    assert [one["text"] for one in train] == [asked[1]] == ["Question: What is soft?\nAnswer: right 4"]


def names(documents):
    return [one["name"].rpartition(" ")[2] for one in documents]


def test_what_the_evaluation_may_ask_is_left_out_and_counted(arc_folder):
    source = arc(arc_folder)
    train, validation = source.documents(0)
    assert names(train) == ["Q1", "Q4"]  # Q2, Q3: asked by test; Q5: by validation, of the other set
    assert names(validation) == ["Q6", "Q8"]  # Q7: asked by the test of the other set
    assert source.remarks() == [
        "ARC-Easy: 2 questions of the training split and 1 of the validation split are left out, because the "
        "evaluation may ask them.",
        "ARC-Challenge: 1 questions of the training split and 0 of the validation split are left out, "
        "because the evaluation may ask them.",
    ]
    assert source.trains_on == ("arc_easy", "arc_challenge")
    assert names(arc(arc_folder, ["Challenge"]).documents(0)[1]) == ["Q8"]


def test_it_says_what_it_could_not_check(arc_folder):
    (arc_folder / "ARC-Challenge-test.jsonl").unlink()
    source = arc(arc_folder)
    assert names(source.documents(0)[0]) == ["Q1", "Q3", "Q4"]
    assert [
        line for line in source.remarks() if "test split of ARC-Challenge asks could not be checked" in line
    ]
    assert not [line for line in source.remarks() if "test split of ARC-Easy asks could not" in line]


def test_arc_from_the_hub(arc_folder, hub):
    assert "allenai/ai2_arc (config ARC-Easy, split train" in offline(lambda: arc(None))
    for (subset, split), rows in SPLITS.items():
        if split != "test":
            hub["allenai/ai2_arc", f"ARC-{subset}", split] = rows
    source = arc(None)
    assert names(source.documents(0)[0]) == ["Q1", "Q2", "Q3", "Q4"]
    assert sum("could not be checked" in line for line in source.remarks()) == 2
    for subset in ("Easy", "Challenge"):
        hub["allenai/ai2_arc", f"ARC-{subset}", "test"] = SPLITS[subset, "test"]
    assert arc(None).documents(0) == arc(arc_folder).documents(0)


def test_a_row_that_is_no_question_is_named(arc_folder):
    row = {**SPLITS["Easy", "train"][0], "answerKey": "Z"}
    (arc_folder / "ARC-Easy-train.jsonl").write_text("\n" + json.dumps(row), encoding="utf-8")
    with pytest.raises(DataError, match=r"ARC-Easy-train\.jsonl, line 2: is no ARC question"):
        arc(arc_folder).documents(0)
    with pytest.raises(ValueError, match=r"subsets=\[\]"):
        arc(arc_folder, [])


# ---------------------------------------------------------------- any data set


def dataset(**changes):
    settings = {
        "id": "some/set", "config": None, "split": "train", "revision": None, "columns": None,
        "max_length": 64, "validation_split": None, "validation_frac": 0.25, "loss_on": "assistant",
        "skip_untrainable": False,
    }  # fmt: skip
    return Hub(**{**settings, **changes})


def test_columns_are_read_as_told(hub):
    hub["some/set", "main", "train[:2]"] = [
        {"q": "1+1?", "a": "2", "s": "Be brief."},
        {"q": "Why?", "a": "So.", "s": ""},
    ]
    hub["some/set", "main", "test"] = [{"q": "What?", "a": "That.", "s": None}]
    columns = {"prompt": "q", "response": "a", "system": "s"}
    changes = {"config": "main", "split": "train[:2]", "validation_split": "test", "validation_frac": None}
    train, apart = dataset(columns=columns, revision="v1", **changes).documents(0)
    assert [[(t["role"], t["content"]) for t in one["messages"]] for one in (*train, *apart)] == [
        [("system", "Be brief."), ("user", "1+1?"), ("assistant", "2")],
        [("user", "Why?"), ("assistant", "So.")],
        [("user", "What?"), ("assistant", "That.")],
    ]
    assert hub["asked"] == [("some/set", "main", "train[:2]", "v1"), ("some/set", "main", "test", "v1")]
    assert train[1]["name"] == "some/set train[:2], row 1"


def test_conversations_and_texts(hub):
    openai = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]
    sharegpt = [{"from": "human", "value": "a"}, {"from": "gpt", "value": "b"}]
    hub["some/set", None, "train"] = [
        {"talk": openai, "t": '[{"name": "x"}]'},
        {"talk": sharegpt, "t": None},
    ] * 2
    train, apart = dataset(columns={"messages": "talk", "tools": "t"}).documents(1)
    assert len(train) == 3 and len(apart) == 1
    for one in (*train, *apart):
        assert one["messages"][-2:] == openai
    assert any(one["messages"][0]["content"] == 'Tools: [{"name": "x"}]' for one in train)
    hub["some/set", None, "train"] = [{"body": "one"}, {"body": "two"}]
    assert {one["text"] for part in dataset(columns={"text": "body"}).documents(0) for one in part} == {
        "one",
        "two",
    }
    hub["some/set", None, "train"] = [{"instruction": "a", "input": "", "output": "b"}] * 2
    assert dataset().documents(0)[0][0]["messages"] == openai


def test_what_a_data_set_does_not_hold_is_named(hub):
    said = offline(lambda: dataset(config="main", revision="abc"))
    assert "some/set (config main, split train, revision abc)" in said and "data.id=FOLDER" in said
    hub["some/set", None, "train"] = [{"q": "a", "a": "b"}, {"q": 3, "a": "b"}]
    with pytest.raises(
        DataError, match=r"some/set train, row 0: there is no column 'question', which data.columns .* a, q"
    ):
        dataset(columns={"prompt": "question", "response": "a"}).documents(0)
    with pytest.raises(DataError, match=r"some/set train, row 1: the content of a user turn is int"):
        dataset(columns={"prompt": "q", "response": "a"}).documents(0)
    with pytest.raises(DataError, match="row 0: no known layout"):
        dataset().documents(0)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"columns": {"prompt": "q"}}, "Name prompt and response"),
        ({"columns": {"prompt": "q", "response": "a", "text": "t"}}, "Name prompt and response"),
        ({"columns": {}}, "Name prompt and response"),
        ({"validation_split": "test"}, "give one of them"),
        ({"validation_frac": None}, "give one of them"),
        ({"validation_frac": 1.0}, "between 0 and 1"),
    ],
)
def test_settings_that_make_no_sense(changes, said):
    with pytest.raises(ValueError, match=said):
        dataset(**changes)


def test_a_local_copy_is_loaded_by_datasets_itself(tmp_path, monkeypatch):
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path / "cache")
    folder = tmp_path / "copy"
    folder.mkdir()
    rows = "".join(json.dumps({"q": f"{n}?", "a": str(n)}) + "\n" for n in range(8))
    (folder / "train.jsonl").write_text(rows, encoding="utf-8")
    train, apart = dataset(id=str(folder), columns={"prompt": "q", "response": "a"}).documents(0)
    assert sorted(one["messages"][1]["content"] for one in (*train, *apart)) == [str(n) for n in range(8)]


def test_every_source_is_an_option(tmp_path):
    from foam_cli import config
    from foam_cli.building import build
    from foam_cli.engine.run import build_settings

    for words in (
        ["data=wikitext2"],
        ["data=arc_replay"],
        ["data=hub", "data.id=a/b", "data.columns={text: t}"],
    ):
        settings = build_settings(
            config.compose([*words, "hardware=cpu", "replay=none", "growth=none"]).values
        )
        assert settings.data.documents and list(settings.evaluation["heldout"].__dict__) == ["num_items"]
    with pytest.raises(ConfigError, match="columns"):
        build(
            type(settings),
            config.compose(["data=hub", "data.id=a/b", "data.columns={x: y}", "hardware=cpu"]).values,
        )
