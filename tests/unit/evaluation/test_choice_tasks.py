import json

import pytest
from tiny_language_model import naive_logprobs

from foam_cli.core.errors import ConfigError, DataError
from foam_cli.evaluation import multiple_choice
from foam_cli.evaluation.scoring import Score
from foam_cli.evaluation.tasks.arc import Arc
from foam_cli.evaluation.tasks.science import Science


def question(number: int, texts: list[str], key: int = 0, labels: str = "ABCDE") -> dict:
    return {
        "id": f"q-{number}",
        "question": f"Which stone is number {number}?",
        "choices": {"text": texts, "label": list(labels[: len(texts)])},
        "answerKey": labels[key],
    }


QUESTIONS = [
    question(0, ["diamond", "a very hard stone", "chalk", "ice"], key=2),
    question(1, ["red", "blue", "green"], key=1),
    question(2, ["one", "two", "three", "four", "five"], key=4, labels="12345"),
    question(3, ["Oslo", "Rome", "5 minutes", "weather"]),
]


def test_answers_are_those_of_a_loop_over_tokens(exact_subject):
    result = Science(num_items=None).run(exact_subject, QUESTIONS)
    tokenizer, right = exact_subject.tokenizer, 0
    for asked, row in zip(QUESTIONS, result.items, strict=True):
        context = f"Question: {asked['question']}\nAnswer:"
        num_context = len(tokenizer(context)["input_ids"])
        sums = [
            sum(
                naive_logprobs(exact_subject.model, tokenizer(f"{context} {text}")["input_ids"])[
                    num_context - 1 :
                ]
            )
            for text in asked["choices"]["text"]
        ]
        assert row["logprobs"] == pytest.approx(sums, abs=1e-9)
        best = asked["choices"]["text"][sums.index(max(sums))]
        gold = asked["choices"]["text"][asked["choices"]["label"].index(asked["answerKey"])]
        assert (row["answer"], row["expected"]) == (best, gold)
        right += best == gold
    assert result.metrics["acc"].value == right / 4
    assert result.metrics["chance"].value == pytest.approx((1 / 4 + 1 / 3 + 1 / 5 + 1 / 4) / 4)


def test_acc_norm_divides_by_characters(subject, monkeypatch):
    # Sums favour "ab" (-4 > -6); per character "abcdef" wins (-1 > -2); per token neither would differ.
    scores = [Score(logprob=p, num_tokens=1, num_greedy=0) for p in (-4.0, -6.0)]
    monkeypatch.setattr(multiple_choice, "continuation_logprobs", lambda *args, **kwargs: scores)
    result = Science(num_items=None).run(subject, [question(0, ["ab", "abcdef"], key=1)])
    assert result.metrics["acc"].value == 0.0 and result.metrics["acc_norm"].value == 1.0


def test_no_items_and_a_wrong_key_are_errors(subject):
    with pytest.raises(DataError, match="science"):
        Science(num_items=None).run(subject, [])
    with pytest.raises(DataError, match="q-7"):
        Science(num_items=None).run(subject, [{**question(7, ["a", "b"]), "answerKey": "Z"}])


def write_arc(folder, name, questions):
    (folder / name).write_text("".join(json.dumps(one) + "\n" for one in questions))


def arc(path, subset="Easy", num_items=None):
    return Arc(subset=subset, path=path, split="test", num_items=num_items)


def test_arc_reads_its_own_file_of_a_folder(subject, tmp_path):
    write_arc(tmp_path, "ARC-Easy-test.jsonl", QUESTIONS)
    write_arc(tmp_path, "ARC-Challenge-test.jsonl", QUESTIONS[:2])
    easy, challenge = arc(tmp_path).run(subject, None), arc(tmp_path, "Challenge").run(subject, None)
    assert (easy.task, easy.metrics["acc"].n) == ("arc_easy", 4)
    assert (challenge.task, challenge.metrics["acc"].n) == ("arc_challenge", 2)
    science = Science(num_items=None).run(subject, QUESTIONS)
    assert easy.items == science.items and easy.data_sha256 == science.data_sha256
    assert arc(tmp_path / "ARC-Easy-test.jsonl", num_items=2).run(subject, None).metrics["acc"].n == 2


def test_arc_does_not_score_one_set_under_the_name_of_the_other(subject, tmp_path):
    write_arc(tmp_path, "ARC-Easy-test.jsonl", QUESTIONS)
    with pytest.raises(ConfigError, match=r"evaluation\.arc\.path"):
        arc(tmp_path / "ARC-Easy-test.jsonl", "Challenge").run(subject, None)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{oops", "line 2: is not JSON"),
        ("[1]", "line 2"),
        ('{"id": "x"}', "question 2"),
        (
            '{"id": 1, "question": "?", "answerKey": "A", "choices": {"text": ["a"], "label": []}}',
            "question 2",
        ),
    ],
)
def test_a_bad_line_is_named(subject, tmp_path, line, message):
    (tmp_path / "mine.jsonl").write_text(json.dumps(QUESTIONS[0]) + "\n" + line + "\n")
    with pytest.raises(DataError, match=message):
        arc(tmp_path / "mine.jsonl").run(subject, None)


def test_a_missing_file_is_named(subject, tmp_path):
    with pytest.raises(DataError, match=r"evaluation\.arc\.path=.*ARC-Easy-test\.jsonl"):
        arc(tmp_path).run(subject, None)


def test_without_network_the_hub_task_says_what_to_do(subject, monkeypatch):
    def offline(*args, **kwargs):
        raise ConnectionError("no route")

    monkeypatch.setattr("datasets.load_dataset", offline)
    with pytest.raises(DataError, match=r"evaluation\.arc\.path"):
        arc(None).run(subject, None)
