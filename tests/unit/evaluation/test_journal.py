"""Answers outlive the process that found them."""

import pytest
from tiny_language_model import make_model, make_tokenizer

from foam_cli.evaluation.generation import greedy_ids
from foam_cli.evaluation.journal import Journal, asked
from foam_cli.evaluation.scoring import continuation_logprobs


def test_every_part_of_a_question_counts():
    names = {
        asked([1, 2], [3]),
        asked([1], [2, 3]),
        asked([1, 2, 3]),
        asked([1, 2], [4]),
        asked([], [1, 2, 3]),
    }
    assert len(names) == 5 and asked([1, 2], [3]) in names


def test_a_line_that_was_cut_off_is_dropped_and_the_next_is_whole(tmp_path):
    path = tmp_path / "deep" / "journal.jsonl"
    first = Journal(path)
    first.add([("a", [0.1, 2, 3]), ("b", "text\nwith é")])
    with path.open("a") as file:
        file.write('{"asked": "c", "ans')
    second = Journal(path)
    assert second.num_found == 2 and second["a"] == [0.1, 2, 3] and "c" not in second
    second.add([("d", 1)])
    third = Journal(path)
    assert third.num_found == 3 and third["d"] == 1 and third["b"] == "text\nwith é"


def test_an_answer_is_in_the_file_before_the_next_batch(tmp_path):
    """No buffer of the process holds it: what a second reader sees is what a kill would leave."""
    seen: list[int] = []
    path = tmp_path / "journal.jsonl"
    continuation_logprobs(
        make_model(), [([n, 3], [5]) for n in range(6)], batch_tokens=4, max_length=40,
        journal=Journal(path), progress=lambda done, _: seen.append(Journal(path).num_found - done),
    )  # fmt: skip
    assert seen == [0] * 3


class KilledError(Exception):
    pass


def test_a_second_call_asks_only_what_is_left(tmp_path):
    model, path = make_model(), tmp_path / "journal.jsonl"
    requests = [([n, 3], [5, n]) for n in range(6)]
    settings = {"batch_tokens": 6, "max_length": 40}
    whole = continuation_logprobs(model, requests, **settings)

    def interrupt(done: int, total: int) -> None:
        if done >= 4:
            raise KilledError

    with pytest.raises(KilledError):
        continuation_logprobs(model, requests, **settings, journal=Journal(path), progress=interrupt)
    left: list[tuple[int, int]] = []
    again = Journal(path)
    assert again.num_found == 4
    scores = continuation_logprobs(
        model, requests, **settings, journal=again, progress=lambda done, total: left.append((done, total))
    )
    assert left == [(6, 6)]
    assert [score.logprob for score in scores] == pytest.approx([score.logprob for score in whole], abs=1e-5)


def test_replies_are_kept_and_what_ends_them_counts(tmp_path):
    model, tokenizer, journal = make_model(), make_tokenizer(), Journal(tmp_path / "journal.jsonl")
    settings = {"max_new_tokens": 6, "stop_ids": frozenset({0}), "batch_tokens": 64, "max_length": 40}
    ask = lambda until=(): greedy_ids(  # noqa: E731
        model, tokenizer, [[3, 4], [9]], **settings, journal=journal, until=until
    )
    free = ask()
    assert len(journal) == 2 and ask() == free
    letter = tokenizer.decode(free[0][:1])
    assert ask([letter])[0] == free[0][:1] and len(journal) == 4
