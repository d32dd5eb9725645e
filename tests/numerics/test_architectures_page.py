"""docs/architectures.md says what grows in every causal language model of transformers, as it is found to be.

Where it has changed, write the table anew:

    FOAM_UPDATE_DOCS=1 pytest -m slow tests/numerics/test_architectures_page.py
"""

import os
import re
from pathlib import Path

import pytest
import transformers
from every_architecture import YES, model_types, verdict
from tiny_families import FAMILIES, FIXED_WIDTH, WITHOUT_BLOCKS

PAGE = Path(__file__).parents[2] / "docs" / "architectures.md"
ROW = re.compile(r"^\| `([\w.-]+)` \| (.+?) \| (.+?) \| (.+?) \|$", flags=re.MULTILINE)
BEGIN, END = "<!-- families -->", "<!-- end of families -->"


def stated():
    return {name: tuple(words) for name, *words in ROW.findall(PAGE.read_text(encoding="utf-8"))}


def stated_version():
    found = re.search(r"transformers (\d+\.\d+)", PAGE.read_text(encoding="utf-8"))
    assert found
    return found[1]


def written(found):
    rows = [f"| `{name}` | {' | '.join(one)} |" for name, one in sorted(found.items())]
    head = "| family | neurons | blocks | plain export |\n|---|---|---|---|"
    return "\n\n".join([BEGIN, "\n".join([head, *rows]), END])


def is_told(one):
    """A family in which nothing grows is told in words; its row would say the same three times."""
    return one is not None and YES in (one.neurons, one.blocks)


@pytest.mark.slow
def test_the_page_says_what_is_found():
    same = transformers.__version__.startswith(f"{stated_version()}.")
    names = model_types() if same else [name for name in stated() if name in model_types()]
    if not os.environ.get("FOAM_UPDATE_DOCS"):
        names = names[::3]  # all of them take a minute
    found = {name: tuple(one) for name in names if is_told(one := verdict(name))}
    if os.environ.get("FOAM_UPDATE_DOCS"):
        page = PAGE.read_text(encoding="utf-8")
        pattern = re.compile(f"{BEGIN}.*{END}", flags=re.DOTALL)
        PAGE.write_text(pattern.sub(lambda _: written(found), page), encoding="utf-8")
    assert found == {name: words for name, words in stated().items() if name in names}


def test_families_with_tests_of_their_own_are_on_the_page():
    page = stated()
    for kind, _ in FAMILIES:
        assert page[kind] == (YES, YES, YES), kind
    for kind, _ in FIXED_WIDTH:
        assert page[kind] == (YES, YES, "blocks only, or as a delta"), kind
    for kind, _ in WITHOUT_BLOCKS:
        assert page[kind] == (YES, "config not block by block", YES), kind


@pytest.mark.slow
@pytest.mark.parametrize("name", ["mixtral", "qwen3_moe", "deepseek_v3", "gpt_oss", "granitemoe", "olmoe"])
def test_a_mixture_of_experts_is_refused_whatever_its_layout(name):
    assert verdict(name) == ("mixture of experts",) * 3
