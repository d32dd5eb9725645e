"""A corpus from the cache is the corpus that would be made, and nothing else ever is taken for it."""

import threading
from pathlib import Path

import numpy as np
import pytest
from tiny_tokenizer import CHATML, byte_tokenizer
from transformers import AutoTokenizer

from foam_cli.core.errors import DataError
from foam_cli.data import cache
from foam_cli.data.batching import BatchStream
from foam_cli.data.encode import encode_documents

SETTINGS = {"max_length": 24, "loss_on": "assistant", "skip_untrainable": False}


def chat(question, answer):
    return {"messages": [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]}


DOCUMENTS = [chat("a", "b" * n) for n in range(1, 9)] + [{"text": "Some words, and é more. " * 9}]


def cached(folder, documents=DOCUMENTS, tokenizer=None, **changes):
    settings = {**SETTINGS, **changes}
    return cache.encode_cached(documents, tokenizer or byte_tokenizer(CHATML), folder=folder, **settings)


@pytest.fixture(autouse=True)
def _however_little(monkeypatch):
    monkeypatch.setattr(cache, "MIN_CHARACTERS", 0)


def entries(folder):
    return sorted(one for one in folder.rglob("*") if one.is_file())


def same(one, other):
    assert np.array_equal(one.ids, other.ids) and one.ids.dtype == other.ids.dtype == np.int32
    assert np.array_equal(one.targets, other.targets) and one.targets.dtype == other.targets.dtype == np.bool_
    assert np.array_equal(one.offsets, other.offsets) and one.offsets.dtype == other.offsets.dtype == np.int64
    assert one.facts == other.facts and one.sha256 == other.sha256


def test_what_is_found_is_what_would_be_made(tmp_path, monkeypatch):
    made = encode_documents(DOCUMENTS, byte_tokenizer(CHATML), **SETTINGS)
    same(cached(tmp_path), made)
    monkeypatch.setattr(cache, "encode_documents", None)  # whoever tokenises now fails
    found = cached(tmp_path)
    same(found, made)
    assert len(found) == len(made)
    for index in range(len(made)):
        assert np.array_equal(found.example(index).ids, made.example(index).ids)
    same(found.take([3, 0]), made.take([3, 0]))
    plans = [BatchStream(corpus, 64, seed=1) for corpus in (found, made)]
    assert [plans[0].next() for _ in range(20)] == [plans[1].next() for _ in range(20)]


def test_a_found_corpus_lies_in_the_file_and_not_in_memory(tmp_path):
    cached(tmp_path)
    found = cached(tmp_path)
    (file,) = entries(tmp_path)
    assert str(file) in Path("/proc/self/maps").read_text(encoding="utf-8")
    for part in (found.ids, found.targets, found.offsets):
        assert not part.flags.owndata and not part.flags.writeable
    import datasets

    rows = datasets.Dataset.from_file(str(file))
    assert rows[2]["ids"] == found.example(2).ids.tolist() and len(rows) == len(found)


def test_one_entry_for_everything_that_the_tokens_follow_from(tmp_path):
    tokenizer = byte_tokenizer(CHATML)
    cached(tmp_path, tokenizer=tokenizer)
    for number, folder in enumerate(
        ("here", "there")
    ):  # where it lies and how documents are called is nothing
        tokenizer.save_pretrained(tmp_path / folder)
        loaded = AutoTokenizer.from_pretrained(tmp_path / folder)
        named = [{**one, "name": f"{number}"} for one in DOCUMENTS]
        cached(tmp_path / "cache", named, loaded)
    assert len(entries(tmp_path / "cache")) == 1
    before = len(entries(tmp_path))
    more = byte_tokenizer(CHATML)
    more.add_tokens(["words"])
    others = [
        {"documents": DOCUMENTS[1:]},
        {"documents": DOCUMENTS[::-1]},
        {"max_length": 23},
        {"loss_on": "all"},
        {"skip_untrainable": True},
        {"tokenizer": byte_tokenizer("{# the same #}" + CHATML)},
        {"tokenizer": more},
    ]
    for number, other in enumerate(others, 1):
        cached(tmp_path, **other)
        assert len(entries(tmp_path)) == before + number, other


def test_a_template_that_writes_the_date_is_rendered_anew_every_day(monkeypatch):
    dated = byte_tokenizer("{{ strftime_now('%d %b %Y') }}" + CHATML)
    found = set()
    for day in ("2026-01-01", "2026-01-02"):
        monkeypatch.setattr("time.strftime", lambda form, day=day: day)
        found.add((cache.tokenizer_identity(dated), cache.tokenizer_identity(byte_tokenizer(CHATML))))
    assert len({one for one, _ in found}) == 2 and len({other for _, other in found}) == 1


@pytest.mark.parametrize("where", [0.0, 0.02, 0.1, 0.3, 0.5, 0.7, 0.9, "cut", "cut short", "empty", "text"])
def test_a_damaged_entry_is_made_again(where, tmp_path):
    made = cached(tmp_path)
    (file,) = entries(tmp_path)
    whole = file.read_bytes()
    if isinstance(where, float):
        at = int(where * len(whole))
        damaged = whole[:at] + bytes(byte ^ 0xFF for byte in whole[at : at + 40]) + whole[at + 40 :]
    else:
        cuts = {"cut": whole[: len(whole) // 2], "cut short": whole[:-600], "empty": b"", "text": b"no arrow"}
        damaged = cuts[where]
    file.write_bytes(damaged)
    assert cache.load(file) is None
    same(cached(tmp_path), made)
    same(cache.load(file), made)
    assert entries(tmp_path) == [file]


def test_whoever_reads_while_others_write_finds_it_whole(tmp_path):
    made = encode_documents(DOCUMENTS, byte_tokenizer(CHATML), **SETTINGS)
    file = tmp_path / "corpora" / "one.arrow"
    failures = []

    def write():
        for _ in range(8):
            cache.save(made, file)
            if (found := cache.load(file)) is None or found.sha256 != made.sha256:
                failures.append(found)

    threads = [threading.Thread(target=write) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures and entries(tmp_path) == [file]


def test_a_reader_keeps_what_it_has_when_the_folder_is_deleted(tmp_path):
    cached(tmp_path)
    found = cached(tmp_path)
    for file in entries(tmp_path):
        file.unlink()
    assert int(found.ids.sum()) == int(
        encode_documents(DOCUMENTS, byte_tokenizer(CHATML), **SETTINGS).ids.sum()
    )


def test_nothing_is_kept_that_is_not_worth_it(tmp_path, monkeypatch):
    with monkeypatch.context() as patched:
        patched.setattr(cache, "MIN_CHARACTERS", 10_000)
        same(cached(tmp_path), cached(None))
    assert not entries(tmp_path)
    with pytest.raises(DataError, match="no token to learn"):
        cached(tmp_path, [chat("a" * 30, "b")])
    assert not entries(tmp_path)


def test_where_it_is_kept(monkeypatch, tmp_path):
    assert cache.cache_folder(None) is None
    assert cache.cache_folder(str(tmp_path)) == tmp_path
    monkeypatch.setenv("FOAM_CACHE", str(tmp_path / "x"))
    assert cache.cache_folder("auto") == tmp_path / "x"
    monkeypatch.delenv("FOAM_CACHE")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache.cache_folder("auto") == tmp_path / ".cache" / "foam"
