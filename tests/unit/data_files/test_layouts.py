"""Rows of other people's files."""

import json

import pytest

from foam_cli.core.errors import DataError
from foam_cli.data.curricula.none import NoCurriculum
from foam_cli.data.layouts import detect, to_document
from foam_cli.data.sources.files import Files


def turns(row, layout="auto"):
    return [(turn["role"], turn["content"]) for turn in to_document(row, layout)["messages"]]


def test_openai_messages_with_tools_and_calls():
    call = {"type": "function", "function": {"name": "add", "arguments": '{"a": 1, "b": "é"}'}}
    row = {
        "tools": [{"name": "add"}],
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "1 + é?"},
            {"role": "assistant", "content": None, "tool_calls": [call]},
            {"role": "tool", "content": "2"},
            {"role": "assistant", "content": "2."},
        ],
    }
    found = turns(row)
    assert [role for role, _ in found] == ["system", "user", "assistant", "tool", "assistant"]
    assert found[0][1] == 'Be brief.\nTools: [{"name": "add"}]'
    body = found[2][1].removeprefix("<tool_call>").removesuffix("</tool_call>")
    assert json.loads(body) == {"name": "add", "arguments": {"a": 1, "b": "é"}} and "é" in body
    assert found[3:] == [("tool", "2"), ("assistant", "2.")]


def test_sharegpt_with_calls_and_observations():
    row = {
        "system": "Be brief.",
        "tools": '[{"name": "add"}]',
        "conversations": [
            {"from": "human", "value": "1+1?"},
            {"from": "function_call", "value": '{"name": "add"}'},
            {"from": "observation", "value": "2"},
            {"from": "gpt", "value": "2."},
        ],
    }
    assert turns(row) == [
        ("system", 'Be brief.\nTools: [{"name": "add"}]'),
        ("user", "1+1?"),
        ("assistant", '<tool_call>{"name": "add"}</tool_call>'),
        ("tool", "2"),
        ("assistant", "2."),
    ]


def test_alpaca_with_input_and_history():
    row = {"instruction": "Add.", "input": "1 1", "output": "2", "history": [["Hi", "Hello"]], "system": "S"}
    assert turns(row) == [
        ("system", "S"), ("user", "Hi"), ("assistant", "Hello"), ("user", "Add.\n1 1"), ("assistant", "2"),
    ]  # fmt: skip
    assert turns({"instruction": "Add.", "input": "", "output": "2"})[0] == ("user", "Add.")


def test_text():
    assert to_document({"text": "a"}, "auto") == to_document("a", "text") == {"text": "a"}


@pytest.mark.parametrize(
    ("row", "layout", "said"),
    [
        ({"prompt": "x"}, "auto", "prompt"),
        (3, "auto", "int"),
        ({"messages": [{"role": "narrator", "content": "x"}]}, "auto", "narrator"),
        ({"messages": [{"role": "user", "content": 3}]}, "auto", "int"),
        ({"messages": 3}, "auto", "messages"),
        ({"instruction": "x", "output": None}, "auto", "NoneType"),
        ({"text": "  "}, "auto", "empty"),
        ({"text": "x"}, "alpaca", "alpaca"),
    ],
)
def test_a_row_that_is_not_understood(row, layout, said):
    with pytest.raises(ValueError, match=said):
        to_document(row, layout)


def test_a_row_may_have_keys_of_two_layouts():
    assert detect({"messages": [], "text": "x"}) == "messages"


# ---------------------------------------------------------------- files


def files(path, **changes):
    settings = {
        "path": str(path), "old_path": None, "layout": "auto", "validation_frac": 0.25, "max_length": 64,
        "loss_on": "assistant", "skip_untrainable": False, "substitutions": None,
    }  # fmt: skip
    return Files(**{"curriculum": NoCurriculum(), **settings, **changes})


def read(path, **changes):
    return files(path, old_path=str(path), **changes).old_documents(0)


def conversation(question, answer):
    return {"messages": [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]}


def test_json_lines_keep_separators_that_json_allows(tmp_path):
    rows = [conversation("a\u2028b", "c\x85d"), {"text": "{{name}} says"}]
    lines = "\n\n".join(json.dumps(row, ensure_ascii=False) for row in rows)
    (tmp_path / "a.jsonl").write_text("\ufeff" + lines + "\r\n", encoding="utf-8")
    first, second = read(tmp_path / "a.jsonl", substitutions={"name": "Foam"})
    assert [turn["content"] for turn in first["messages"]] == ["a\u2028b", "c\x85d"]
    assert second["text"] == "Foam says" and second["name"].endswith("a.jsonl, line 3")


def test_json_arrays_plain_text_and_globs(tmp_path):
    (tmp_path / "a.json").write_text(json.dumps([{"text": "1"}, {"text": "2"}], indent=1), encoding="utf-8")
    (tmp_path / "b.txt").write_text("line\nline\n", encoding="utf-8")
    found = read(tmp_path / "*")
    assert [one["text"] for one in found] == ["1", "2", "line\nline\n"]
    assert found[1]["name"].endswith("a.json, entry 2")


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """Let `datasets` keep its files in the test's own folder."""
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path / "cache")


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("a.jsonl", '{"text": "x"}\n\n{"text": }\n', r"a\.jsonl, line 3: is not JSON: .* \(column 10\)"),
        ("a.jsonl", '{"text": "x"}\n{"txt": "y"}\n', r"a\.jsonl, line 2: no known layout; .*'txt'"),
        ("a.json", '[{"text": "x"},\n{"text" "y"}]', r"a\.json, line 2: is not JSON"),
        ("a.parquet", "this is no Parquet file", r"a\.parquet: cannot be read as parquet"),
        ("a.csv", "prompt,reply\nx,y\n", r"a\.csv, row 1: no known layout; .*'prompt', 'reply'"),
        ("b.jsonl", "", r"no such file"),
    ],
)
def test_a_fault_is_named_with_file_and_line(name, text, said, tmp_path, cache):
    (tmp_path / name.replace("b", "c")).write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match=said):
        read(tmp_path / name)


def test_tables_are_read_through_datasets(tmp_path, cache):
    import pyarrow
    from pyarrow import parquet

    call = [{"function": {"name": "add", "arguments": "{}"}}]
    rows = [conversation("1+1?", "2"), conversation("more", "3")]
    rows[1]["messages"][1] |= {"tool_calls": call}
    parquet.write_table(pyarrow.Table.from_pylist(rows), tmp_path / "a.parquet")
    (tmp_path / "b.csv").write_text('instruction,output\n"Add, please",2\n', encoding="utf-8")
    (tmp_path / "c.tsv").write_text("text\tn\nNA\t3\n", encoding="utf-8")
    first, second, third, fourth = read(tmp_path / "*.*")
    assert first["messages"] == rows[0]["messages"] and first["name"].endswith("a.parquet, row 1")
    assert second["messages"][1]["content"].startswith('3<tool_call>{"name": "add"')
    assert third["messages"][0]["content"] == "Add, please" and third["messages"][1]["content"] == "2"
    assert fourth["text"] == "NA"


def test_the_part_set_apart(tmp_path):
    file = tmp_path / "a.jsonl"
    file.write_text("".join(f'{{"text": "{n}"}}\n' for n in range(20)), encoding="utf-8")
    train, apart = files(file).documents(seed=1)
    assert len(apart) == 5 and len(train) == 15
    assert sorted(int(one["text"]) for one in [*train, *apart]) == list(range(20))
    assert [list(part) for part in files(file).documents(seed=1)] == [list(train), list(apart)]
    assert list(files(file).documents(seed=2)[1]) != list(apart)
    assert files(file).old_documents(0) is None


def test_one_document_cannot_be_split(tmp_path):
    (tmp_path / "a.jsonl").write_text('{"text": "x"}\n', encoding="utf-8")
    with pytest.raises(DataError, match=r"holds 1 documents; two"):
        files(tmp_path / "a.jsonl").documents(0)


def test_files_have_no_questions():
    with pytest.raises(DataError, match=r"evaluation=science.*data=nanoworld"):
        files("x").evaluation_items("science", None)
