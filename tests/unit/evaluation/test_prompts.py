import pytest
from tiny_language_model import make_tokenizer

from foam_cli.core.errors import DataError
from foam_cli.evaluation.prompts import encode_pair, prefix_id, render_prompt, reply_text, stop_ids

TURNS = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Who are you?"}]


def test_the_chat_template_is_used(tokenizer):
    text = tokenizer.decode(render_prompt(tokenizer, TURNS))
    assert text == (
        "<|im_start|>system\nBe brief.<|im_end|>\n"
        "<|im_start|>user\nWho are you?<|im_end|>\n<|im_start|>assistant\n"
    )


def test_specials_of_the_template_are_not_doubled():
    tokenizer = make_tokenizer(bos=True)
    assert 0 not in render_prompt(tokenizer, TURNS)


def test_without_a_template_turns_are_lines():
    tokenizer = make_tokenizer(chat=False)
    assert (
        tokenizer.decode(render_prompt(tokenizer, TURNS))
        == "system: Be brief.\nuser: Who are you?\nassistant:"
    )


def test_a_turn_ends_with_eos_or_what_the_template_writes(tokenizer):
    end = tokenizer.convert_tokens_to_ids("<|im_end|>")
    assert stop_ids(tokenizer) == {0, end}
    assert stop_ids(make_tokenizer(chat=False)) == {0}


def test_an_ordinary_word_after_the_turn_does_not_end_it():
    tokenizer = make_tokenizer()
    tokenizer.chat_template = "{% for m in messages %}{{ m.role }}: {{ m.content }} user{% endfor %}"
    assert stop_ids(tokenizer) == {0}


def test_replies_keep_specials_and_lose_space(tokenizer):
    ids = tokenizer(" Who<|im_start|> are \n")["input_ids"]
    assert reply_text(tokenizer, ids) == "Who<|im_start|> are"


def test_without_a_template_a_reply_ends_before_the_next_turn():
    tokenizer = make_tokenizer(chat=False)
    ids = tokenizer(" Oslo.\nIt is cold.\nuser: And the timer?")["input_ids"]
    assert reply_text(tokenizer, ids) == "Oslo.\nIt is cold."


@pytest.mark.parametrize("bos", [False, True])
@pytest.mark.parametrize(
    ("context", "continuation"), [("The weather", " in Oslo"), ("The weather ", "in Oslo")]
)
def test_pairs_are_the_whole_cut_in_two(bos, context, continuation):
    tokenizer = make_tokenizer(bos=bos)
    left, right = encode_pair(tokenizer, context, continuation)
    assert left == tokenizer("The weather")["input_ids"]
    assert left + right == tokenizer("The weather in Oslo")["input_ids"]
    assert (left[0] == 0) is bos


def test_an_empty_context_is_bos_or_eos():
    left, right = encode_pair(make_tokenizer(), "", "Oslo")
    assert left == [0] and right == make_tokenizer()("Oslo")["input_ids"]


def test_a_tokenizer_without_bos_and_eos_says_so():
    tokenizer = make_tokenizer()
    tokenizer.eos_token = None
    with pytest.raises(DataError, match="eos_token"):
        prefix_id(tokenizer)
