"""Difficulty by the stated formula, and phases that divide the examples."""

import pytest

from foam_cli import CurriculumLearning
from foam_cli.core.errors import DataError
from foam_cli.data.curriculum import difficulty, easy_first, phases


def chat(*turns):
    return {"messages": [{"role": role, "content": content} for role, content in turns]}


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        ({"text": "one two three"}, 3),
        (chat(("user", "a b"), ("assistant", "c")), 3),
        (chat(("user", "a"), ("assistant", "b"), ("user", "c"), ("assistant", "d")), 4 + 20),
        (chat(("user", "how"), ("assistant", "1. cut\n2. fry\n3. eat")), 7 + 40),
        (chat(("user", "- no\n- steps"), ("assistant", "Step 1: go")), 7),
    ],
)
def test_difficulty_is_the_formula(document, expected):
    assert difficulty(document) == expected


@pytest.mark.parametrize("num", [0, 1, 2, 3, 7, 30, 31])
def test_phases_partition_the_examples(num):
    examples = [{"prompt": f"p{n}", "response": "w " * ((n * 7) % 31)} for n in range(num)]
    parts = CurriculumLearning().get_phases(examples)
    together = [one for part in parts for one in part]
    assert len(parts) == 3 and sorted(one["prompt"] for one in together) == sorted(
        one["prompt"] for one in examples
    )
    sizes = [len(part) for part in parts]
    assert max(sizes) - min(sizes) <= 1
    words = [len(one["response"].split()) for one in together]
    assert words == sorted(words)
    assert together == CurriculumLearning().sort_by_difficulty(examples)


def test_layouts_mix_and_ties_stay_in_order():
    examples = ["a b c", {"instruction": "a", "output": "b"}, {"prompt": "c", "response": "d"}, {"text": "e"}]
    assert CurriculumLearning().sort_by_difficulty(examples) == [examples[at] for at in (3, 1, 2, 0)]


def test_the_models_own_loss_comes_first_where_all_have_one():
    examples = [{"text": "a b", "loss": 1.0}, {"text": "a", "loss": 2.0}, {"text": "a", "loss": 1.0}]
    assert CurriculumLearning().sort_by_difficulty(examples) == [examples[at] for at in (2, 0, 1)]
    partly = [{"text": "a b", "loss": 1.0}, {"text": "a"}]
    assert CurriculumLearning().sort_by_difficulty(partly) == partly[::-1]
    assert easy_first([3.0, 1.0, 2.0], [0.1, 0.2, 0.1]) == [2, 0, 1]


def test_another_measure_may_be_given():
    assert CurriculumLearning(difficulty=lambda n: -n).get_phases([1, 2, 3]) == ([3], [2], [1])
    assert phases([4, 5, 6, 7], 2) == [[4, 5], [6, 7]]


def test_an_unknown_layout_is_named():
    with pytest.raises(DataError, match=r"example 1.*difficulty="):
        CurriculumLearning().get_phases([{"text": "a"}, {"q": "b"}])
