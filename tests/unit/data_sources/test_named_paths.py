"""Whatever is wrong with a path, the message begins with the setting that names it, and its value."""

from functools import partial

import pytest

from foam_cli import config
from foam_cli.core.errors import DataError
from foam_cli.engine.run import build_settings
from foam_cli.evaluation.subject import Subject

NOBODY = object.__new__(Subject)
NOBODY.__dict__.update(max_length=8)
#: Setting to how it is read; it is the only one that the option needs besides itself.
DATA = {
    "data.path": ["files", "wikitext2", "arc_replay"],
    "data.old_path": ["files"],
    "replay.source.path": ["files"],
}
EVALUATION = {
    "evaluation.arc.path": ["arc_easy", "arc_challenge"],
    "evaluation.perplexity.path": ["perplexity"],
    "evaluation.wikitext.path": ["wikitext"],
}
READERS = [
    (key, option) for group in (DATA, EVALUATION) for key, options in group.items() for option in options
]


def reader(key, option, path):
    """What reads the path that a setting names."""
    if key == "replay.source.path":
        words = ["replay=reservoir", "replay.source=files", "data=nanoworld"]
        return partial(built(key, path, *words).replay.source.documents, 0)
    if key.startswith("evaluation"):
        return partial(built(key, path, f"evaluation={option}").evaluation[option].run, NOBODY, None)
    if key == "data.old_path":
        return partial(built(key, path, "data.path=x").data.old_documents, 0)
    return partial(built(key, path, f"data={option}").data.documents, 0)


def built(key, path, *words):
    return build_settings(config.compose([*words, f"{key}={path}", "hardware=cpu"]).values)


def said(key, option, path):
    with pytest.raises(DataError) as caught:
        reader(key, option, path)()
    message = str(caught.value)
    assert message.startswith(f"{key}={path}"), message
    return message


@pytest.mark.parametrize(("key", "option"), READERS)
def test_a_path_to_nothing(key, option, tmp_path):
    message = said(key, option, tmp_path / "gone")
    assert "no such" in message or "has no ARC-Easy-train.jsonl" in message
    assert "; name " in message and "UTF-8" not in message


@pytest.mark.parametrize(("key", "option"), READERS)
def test_a_file_that_is_not_utf_8(key, option, tmp_path):
    file = tmp_path / "ARC-Easy-train.jsonl" if option == "arc_replay" else tmp_path / "words.txt"
    file.write_bytes(b"caf\xe9\n" * 3)
    message = said(key, option, tmp_path if option == "arc_replay" else file)
    assert f"{file}: " in message
    assert "is not UTF-8 text" in message and message.endswith("; convert it.")


@pytest.mark.parametrize(("key", "option"), READERS)
def test_a_folder_without_what_is_wanted(key, option, tmp_path):
    message = said(key, option, tmp_path)
    assert "UTF-8" not in message and ("name" in message or "put it there" in message)


def test_a_home_folder_is_found(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    task = built("evaluation.perplexity.path", "~/book.txt", "evaluation=perplexity").evaluation["perplexity"]
    assert task.path == tmp_path / "book.txt"


def test_task_files_are_looked_for_where_they_are_said_to_be(tmp_path):
    pytest.importorskip("lm_eval", reason="the extra lm-eval is not installed")
    words = ["evaluation=lm_eval", "evaluation.lm_eval.tasks=[x]"]
    (task,) = built("evaluation.lm_eval.include_path", tmp_path / "gone", *words).evaluation["lm_eval"].parts
    with pytest.raises(
        DataError, match=f"^evaluation.lm_eval.include_path={tmp_path / 'gone'}: no such folder"
    ):
        task.run(NOBODY, None)


@pytest.mark.parametrize(
    ("words", "begins"),
    [
        (["data=hub", "data.id=some/set"], "data.id=some/set (config default, split train, revision main)"),
        (["data=wikitext2"], "data=wikitext2: Salesforce/wikitext (config wikitext-2-raw-v1, split train"),
        (["data=arc_replay"], "data=arc_replay: allenai/ai2_arc (config ARC-Easy, split train"),
    ],
)
def test_a_hub_that_is_not_reached(words, begins, monkeypatch):
    def offline(*args, **kwargs):
        raise ConnectionError("Couldn't reach it\n(OfflineModeIsEnabled).")

    monkeypatch.setattr("datasets.load_dataset", offline)
    with pytest.raises(DataError) as caught:
        build_settings(config.compose([*words, "hardware=cpu"]).values).data.documents(0)
    message = str(caught.value)
    assert message.startswith(begins) and "\n" not in message and ".." not in message
    assert "Without a network" in message and ("data.id=FOLDER" in message or "data.path=FOLDER" in message)
    task = built("evaluation.arc.path", "null", "evaluation=arc_easy").evaluation["arc_easy"]
    with pytest.raises(DataError, match=r"^evaluation\.arc\.path=null: .*arc\.path=FOLDER") as caught:
        task.run(NOBODY, None)
    assert "\n" not in str(caught.value)


def test_a_local_copy_without_the_split_is_no_matter_of_networks(tmp_path, monkeypatch):
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path / "cache")
    (tmp_path / "copy").mkdir()
    (tmp_path / "copy" / "train.jsonl").write_text('{"text": "a"}\n', encoding="utf-8")
    words = ["data=hub", f"data.id={tmp_path / 'copy'}", "data.split=tset", "hardware=cpu"]
    with pytest.raises(DataError, match=r"^data\.id=.*split tset.*data\.split") as caught:
        build_settings(config.compose(words).values).data.documents(0)
    assert "network" not in str(caught.value)


@pytest.mark.parametrize("row", ['{"text": "a \\ud800 b"}', '{"instruction": "a", "output": "\\udfff"}'])
def test_half_a_letter_is_no_text(row, tmp_path):
    (tmp_path / "rows.jsonl").write_text('{"text": "\\ud83e\\udd8a whole"}\n' + row + "\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"rows\.jsonl, line 2: .*half a surrogate pair"):
        reader("data.path", "files", tmp_path / "rows.jsonl")()
    if '"text"' in row:
        with pytest.raises(DataError, match=r"rows\.jsonl, document 2: .*half a surrogate pair"):
            reader("evaluation.perplexity.path", "perplexity", tmp_path / "rows.jsonl")()


def test_a_line_of_json_ends_with_the_newline_alone(tmp_path):
    file = tmp_path / "rows.jsonl"
    file.write_text('\ufeff{"text": "one \u2028 \x85 line"}\n', encoding="utf-8")
    task = built("evaluation.perplexity.path", file, "evaluation=perplexity").evaluation["perplexity"]
    assert [text for _, text in task.prompts()] == ["one line"]
