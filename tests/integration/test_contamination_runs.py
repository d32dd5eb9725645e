"""A run whose data holds what it will be asked stops before its first step, or says so beside every score."""

import json

import pytest

QUESTIONS = [
    "Which of these three stones would a student choose in order to scratch a piece of window glass?",
    "What is hard?",
    "Which of the following is the best way to find out how much water a dry sponge can hold?",
]


def write_arc(folder, split="test"):
    for subset in ("Easy", "Challenge"):
        choices = {"text": ["a", "b"], "label": ["A", "B"]}
        asked = QUESTIONS if subset == "Easy" else ["Something else?"]
        rows = [
            {"id": f"{subset}-{n}", "question": text, "answerKey": "A", "choices": choices}
            for n, text in enumerate(asked)
        ]
        text = "".join(json.dumps(row) + "\n" for row in rows)
        (folder / f"ARC-{subset}-{split}.jsonl").write_text(text, encoding="utf-8")


@pytest.fixture
def words(small, tmp_path):
    """A small run that asks ARC and keeps it; its data holds one long and one short question of it."""
    write_arc(tmp_path)
    said = [
        "one",
        "two",
        f"Well: {QUESTIONS[0]}",
        "three",
        QUESTIONS[1].upper(),
        "four",
        "five",
        "six",
        "seven",
    ]
    rows = [
        {"messages": [{"role": "user", "content": t}, {"role": "assistant", "content": "a"}]} for t in said
    ]
    (tmp_path / "chat.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    plain = [
        one for one in small if not one.startswith(("data.path", "evaluation=", "growth.", "train.steps"))
    ]
    return [
        *plain, f"data.path={tmp_path / 'chat.jsonl'}", "evaluation=arc", f"evaluation.arc.path={tmp_path}",
        "growth=none", "train.steps=2", f"output_dir={tmp_path / 'runs'}", "data.validation_frac=0.1",
    ]  # fmt: skip


def result_of(tmp_path):
    (file,) = (tmp_path / "runs").rglob("result.json")
    return file.parent, json.loads(file.read_text(encoding="utf-8"))


def test_a_run_stops_before_step_0_and_names_what_it_found(foam, words, tmp_path):
    said = foam("train", *words)
    assert said.code == 1
    message = " ".join(said.err.split())
    assert "evaluation.arc_easy: 2 of 3 items are in the training data" in message
    assert "item Easy-0 in" in message and "chat.jsonl, line 3" in message
    assert '"which of these three stones would a student choose in order to scratch"' in message
    assert "evaluation.allow_contamination=[arc_easy]" in message
    folder, result = result_of(tmp_path)
    assert result["status"] == "failed" and result["step"] == 0 and not (folder / "evaluations").exists()


@pytest.mark.slow
@pytest.mark.parametrize("allowed", ["true", "[arc_easy]"])
def test_what_is_allowed_is_counted_and_printed_beside_the_scores(foam, words, tmp_path, allowed):
    said = foam("train", *words, f"evaluation.allow_contamination={allowed}")
    assert said.code == 0, said
    label = "2 of 3 items seen in training"
    folder, result = result_of(tmp_path)
    assert list(result["contamination"]) == ["arc_easy"]
    record = result["contamination"]["arc_easy"]
    assert (record["seen"], record["asked"], record["first"]["item"]) == (2, 3, "Easy-0")
    row = next(line for line in said.out.splitlines() if line.startswith("arc easy"))
    assert label in row
    assert label not in next(line for line in said.out.splitlines() if line.startswith("arc challenge"))
    assert "Trained on  arc easy" in said.out and "Kept  arc challenge" in said.out
    assert label in (folder / "report.html").read_text(encoding="utf-8")

    again = foam(
        "eval", "arc_easy", f"run={folder}", f"evaluation.arc.path={tmp_path}", "hardware=cpu", "--json"
    )
    assert again.code == 0, again
    assert json.loads(again.out)["contamination"]["arc_easy"]["seen"] == 2
    assert label in again.err

    (tmp_path / "ARC-Challenge-test.jsonl").unlink()  # a task that fails does not take the others along
    again = foam("eval", "arc", f"run={folder}", f"evaluation.arc.path={tmp_path}", "hardware=cpu", "--json")
    assert again.out, again.err
    found = json.loads(again.out)
    assert list(found["failed"]) == ["arc_challenge"] and "arc_easy/acc" in found["metrics"], again


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("[arc_challenge]", "evaluation.arc_easy: 2 of 3 items"),
        ("[arc_esy]", "this run does not ask 'arc_esy'. Did you mean 'arc_easy'?"),
        ("3", "wanted true, false or a list of tasks"),
    ],
)
def test_an_allowance_is_for_what_it_names(foam, words, setting, said):
    found = foam("train", *words, f"evaluation.allow_contamination={setting}")
    assert found.code != 0 and said in " ".join(found.err.split())


@pytest.mark.slow
def test_replayed_data_is_searched_too(foam, words, tmp_path):
    (tmp_path / "old.txt").write_text(f"Old. {QUESTIONS[2]} Yes.\n", encoding="utf-8")
    (tmp_path / "new.jsonl").write_text('{"text": "some words"}\n' * 4, encoding="utf-8")
    plain = [one for one in words if not one.startswith("data.path")]
    more = [f"data.path={tmp_path / 'new.jsonl'}", f"data.old_path={tmp_path / 'old.txt'}"]
    said = foam("train", *plain, *more)
    assert said.code == 1 and "item Easy-2 in" in said.err and "old.txt" in said.err
    assert foam("train", *plain, *more, "replay=none").code == 0


def test_arc_for_replay_brings_no_question_of_the_evaluation_but_is_never_retention(foam, words, tmp_path):
    for split in ("train", "validation"):
        write_arc(tmp_path, split)
        file = tmp_path / f"ARC-Easy-{split}.jsonl"
        more = [
            json.loads(file.read_text("utf-8").splitlines()[0]) | {"id": f"{n}", "question": f"{split} {n}?"}
            for n in range(4)
        ]
        with file.open("a", encoding="utf-8") as lines:
            lines.write("".join(json.dumps(row) + "\n" for row in more))
    plain = [one for one in words if not one.startswith("data.")]
    said = foam("train", *plain, "data=arc_replay", f"data.path={tmp_path}", "replay=none")
    assert said.code == 0, said
    _, result = result_of(tmp_path)
    records = result["contamination"]
    assert {name: (one["seen"], one["trained_on_split"]) for name, one in records.items()} == {
        "arc_easy": (0, True), "arc_challenge": (0, True),
    }  # fmt: skip
    assert "3 questions of the training split and 3 of the validation split" in result["data_remarks"][0]
    assert "its training split was trained on" in said.out and "Kept" not in said.out


@pytest.mark.slow
def test_the_embedded_world_may_be_trained_on():
    """Nothing that its evaluation asks is in its data."""
    from foam_cli import config
    from foam_cli.engine.contamination import Watch
    from foam_cli.engine.examine import tasks_of
    from foam_cli.engine.run import build_settings

    settings = build_settings(config.compose(["hardware=cpu"]).values)
    tasks = tasks_of(settings.evaluation)
    watch = Watch(tasks, settings.data)
    watch.read(settings.data.documents(0)[0], "training")
    watch.read(settings.data.old_documents(0), "replayed")
    assert not watch.unchecked and watch.found([settings.data]) == {}
    asked = settings.data.evaluation_items("tool_use", None)[7]
    watch.read([{"text": asked["messages"][-1]["content"]}], "training")
    assert "tool_use" in watch.found([])


@pytest.mark.slow
def test_a_corpus_is_tokenised_once(foam, small, tmp_path, monkeypatch):
    monkeypatch.setattr("foam_cli.data.cache.MIN_CHARACTERS", 0)
    words = [one for one in small if not one.startswith("growth.")]
    words += ["growth=none", f"cache_dir={tmp_path / 'cache'}"]
    results = []
    for name in ("one", "two"):
        assert foam("train", *words, f"output_dir={tmp_path / name}").code == 0
        (file,) = (tmp_path / name).rglob("metrics.jsonl")
        rows = [json.loads(line) for line in file.read_text("utf-8").splitlines()]
        results.append([(row["step"], row.get("loss"), row.get("validation_loss")) for row in rows])
        monkeypatch.setattr("foam_cli.data.cache.encode_documents", None)
    assert results[0] == results[1] and len(results[0]) > 3
