import json
import math
import re

import pytest
from tiny_language_model import make_tokenizer, naive_logprobs

from foam_cli.core.errors import DataError
from foam_cli.evaluation.subject import Subject
from foam_cli.evaluation.tasks.heldout import Heldout
from foam_cli.evaluation.tasks.perplexity import Perplexity
from foam_cli.evaluation.tasks.wikitext import Wikitext, detokenised, split_pages

WIKI = """
 = Oslo weather = 

 The weather in " Oslo " is cold ( 5 @.@ 5 degrees ) , 1 @,@ 000 times . 

 = = History = = 

 A timer @-@ clock 's end ; it was ended : yes ! 

 = Timer = 

 The timer of 5 minutes has ended . Who are you ? 
"""  # noqa: W291


def test_pages_begin_at_headings_of_the_first_level():
    pages = split_pages(WIKI)
    assert len(pages) == 2 and "".join(pages) == WIKI[1:]
    assert pages[0].startswith(" = Oslo weather = \n") and "= = History = =" in pages[0]
    assert pages[1].startswith(" = Timer = \n")


@pytest.mark.parametrize(
    ("tokenised", "written"),
    [
        ("1 @,@ 000 @-@ 5 @.@ 5", "1,000-5.5"),
        ("cold , wet ; grey : yes ! no ? well . Then", "cold, wet; grey: yes! no? well. Then"),
        ("a ( b ) [ c ] { d }", "a (b) [c] {d}"),
        ('the " old town " is', 'the "old town" is'),
        ("the ' old town ' is", "the 'old town' is"),
        ("Oslo 's town and the boys ' town", "Oslo's town and the boys' town"),
        (" = = = = Deep = = = = ", " ==== Deep ==== "),
        (" = = = Third = = = ", " === Third === "),
        (" = = Second = = \n", " == Second ==\n"),
        ("5 ° C \n \n next", "5°C\n\nnext"),
        ("a N b", "a 1 b"),
    ],
)
def test_detokenised(tokenised, written):
    assert detokenised(tokenised) == written


@pytest.mark.parametrize("bos", [False, True])
def test_wikitext_equals_the_recipe_done_by_hand(exact_model, tmp_path, bos):
    tokenizer = make_tokenizer(bos=bos)
    subject = Subject(model=exact_model, tokenizer=tokenizer, max_length=24, batch_tokens=100)
    (tmp_path / "wiki.tokens").write_text(WIKI)
    result = Wikitext(path=tmp_path / "wiki.tokens", num_items=None).run(subject, None)

    logprob, words, num_bytes = 0.0, 0, 0
    for page in split_pages(WIKI):
        stream = [0, *tokenizer(detokenised(page))["input_ids"]]  # 0 is EOS, and BOS where there is one
        for start in range(1, len(stream), 24):
            end = min(start + 24, len(stream))
            # One token of context, or as much as makes the window 24 tokens long once it cannot be filled.
            first = start - 1 if start == 1 else end - 1 - 24
            scored = naive_logprobs(exact_model, stream[first:end])
            logprob += sum(scored[start - first - 1 :])
        words += len(re.split(r"\s+", page))
        num_bytes += len(page.encode())
    assert result.metrics["word_perplexity"].value == pytest.approx(math.exp(-logprob / words), rel=1e-9)
    assert result.metrics["byte_perplexity"].value == pytest.approx(math.exp(-logprob / num_bytes), rel=1e-9)
    assert result.metrics["bits_per_byte"].value == pytest.approx(
        -logprob / num_bytes / math.log(2), rel=1e-9
    )
    assert result.metrics["word_perplexity"].n == words


def test_wikitext_needs_its_file(subject, tmp_path):
    with pytest.raises(DataError, match="none"):
        Wikitext(path=tmp_path / "none", num_items=None).run(subject, None)
    (tmp_path / "plain").write_text("No heading here.\n")
    with pytest.raises(DataError, match=r"evaluation\.wikitext\.path"):
        Wikitext(path=tmp_path / "plain", num_items=None).run(subject, None)


DOCUMENTS = ["The weather in Oslo is cold.", "Who are you? The timer has ended.", "Überall 5 minutes"]


@pytest.mark.parametrize("bos", [False, True])
@pytest.mark.parametrize("window", [7, None])
def test_perplexity_equals_a_loop_over_windows(exact_model, tmp_path, bos, window):
    tokenizer = make_tokenizer(bos=bos)
    subject = Subject(model=exact_model, tokenizer=tokenizer, max_length=20, batch_tokens=100)
    (tmp_path / "stories.json").write_text(json.dumps(DOCUMENTS))
    result = Perplexity(path=tmp_path / "stories.json", window_tokens=window, num_items=None).run(
        subject, None
    )

    width = window or 20
    stream = [
        token for text in DOCUMENTS for token in [0, *tokenizer(text, add_special_tokens=False)["input_ids"]]
    ]
    nats, count = 0.0, 0
    for start in range(0, len(stream), width):
        piece = stream[start : start + width + 1]
        for target, logprob in zip(piece[1:], naive_logprobs(exact_model, piece), strict=True):
            if target != 0:
                nats, count = nats - logprob, count + 1
    num_bytes = sum(len(text.encode()) for text in DOCUMENTS)
    assert count == len(stream) - len(DOCUMENTS)
    found = {name: metric.value for name, metric in result.metrics.items()}
    assert found == {
        f"token_perplexity_{width}": pytest.approx(math.exp(nats / count), rel=1e-9),
        f"byte_perplexity_{width}": pytest.approx(math.exp(nats / num_bytes), rel=1e-9),
        f"bits_per_byte_{width}": pytest.approx(nats / num_bytes / math.log(2), rel=1e-9),
    }
    assert sum(row["num_tokens"] for row in result.items) == count


def test_documents_come_as_json_lines_json_or_text(subject, tmp_path):
    files = {
        "a.json": json.dumps([DOCUMENTS[0]]),
        "b.jsonl": json.dumps({"text": DOCUMENTS[0]}) + "\n\n",
        "c.txt": DOCUMENTS[0],
    }
    values = set()
    for name, content in files.items():
        (tmp_path / name).write_text(content)
        result = Perplexity(path=tmp_path / name, window_tokens=8, num_items=None).run(subject, None)
        values.add(result.metrics["bits_per_byte_8"].value)
    assert len(values) == 1


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.jsonl", '{"text": "x"}\nnope\n', "line 2"),
        ("a.json", '{"text": "x"}', "list"),
        ("a.json", '["x", 3]', "document 2"),
        ("a.txt", " \n", "no text"),
    ],
)
def test_bad_documents_are_named(subject, tmp_path, name, content, message):
    (tmp_path / name).write_text(content)
    with pytest.raises(DataError, match=message):
        Perplexity(path=tmp_path / name, window_tokens=8, num_items=None).run(subject, None)


def test_a_window_of_nothing_is_refused(tmp_path):
    with pytest.raises(ValueError, match="window_tokens=0"):
        Perplexity(path=tmp_path, window_tokens=0, num_items=None)


def test_heldout_loss_is_over_the_marked_tokens(exact_subject):
    items = [
        {"ids": [4, 9, 2, 7, 7, 1], "targets": [False, False, True, True, False, True]},
        {"ids": [8, 3], "targets": [True, True]},
        {"ids": [8], "targets": [True]},
    ]
    result = Heldout(num_items=None).run(exact_subject, items)
    first = naive_logprobs(exact_subject.model, items[0]["ids"])
    second = naive_logprobs(exact_subject.model, items[1]["ids"])
    expected = -(first[1] + first[2] + first[4] + second[0]) / 4
    assert result.metrics["loss_nats"].value == pytest.approx(expected, abs=1e-9)
    assert result.metrics["perplexity"].value == pytest.approx(math.exp(expected), rel=1e-9)
    assert result.metrics["loss_nats"].n == 4
