"""What a model writes by itself: where it begins and ends, and what is kept of it."""

import dataclasses
import re
from collections import Counter

import pytest
import yaml
from tiny_tokenizer import CHATML, byte_tokenizer
from transformers import GPT2Config, GPT2LMHeadModel

from foam_cli.building import build
from foam_cli.config import conf_dir
from foam_cli.core.errors import DataError
from foam_cli.core.settings import ModelSettings
from foam_cli.data.generated import write
from foam_cli.data.generated.filters import Seen, holds_word, repeated_frac, words
from foam_cli.data.generated.shapes import Ends, chat_shape, text_prefix
from foam_cli.data.generated.write import write_documents
from foam_cli.data.replay.self_generated import SelfGenerated
from foam_cli.model.loading import PLAIN_CHAT_TEMPLATE, load_base

END = frozenset({0})


def rules(**changes):
    node = yaml.safe_load((conf_dir() / "replay" / "self_generated.yaml").read_text(encoding="utf-8"))
    node.pop("_target_")
    return build(SelfGenerated, node | changes)


def ends_of(template, num_answers=1):
    tokenizer = byte_tokenizer(chat_template=template)
    shape = chat_shape(tokenizer)

    def over(text):
        ids = tokenizer(text, add_special_tokens=False)["input_ids"]
        return Ends(tokenizer, END, shape, num_answers).chat_is_over(ids)

    return tokenizer, shape, over


def test_a_chat_begins_and_ends_where_the_template_says():
    tokenizer, shape, over = ends_of(CHATML)
    assert tokenizer.decode(shape.opening) == "<|im_start|>user\n"
    assert shape.closing == "<|im_end|>" and tokenizer.decode(shape.rest) == "\n"
    asked = "hi<|im_end|>\n<|im_start|>assistant\n"
    assert not over("hi<|im_end|>") and not over(asked) and not over(asked + "yo")
    assert over(asked + "yo<|im_end|>") and over("hi<|endoftext|>")
    assert not over(asked + "<|im_end|>")  # nothing was said


def test_two_answers_are_waited_for():
    _, _, over = ends_of(CHATML, num_answers=2)
    one = "hi<|im_end|>\n<|im_start|>assistant\nyo<|im_end|>"
    assert not over(one)
    assert not over(one + "\n<|im_start|>user\nand<|im_end|>")
    assert over(one + "\n<|im_start|>user\nand<|im_end|>\n<|im_start|>assistant\nso<|im_end|>")


def test_templates_that_end_with_eos_or_begin_with_a_system_turn():
    tokenizer, shape, over = ends_of(PLAIN_CHAT_TEMPLATE)
    assert tokenizer.decode(shape.opening) == "user:" and shape.rest == []
    assert not over(" hi\n") and over(" hi\nassistant: yo\n<|endoftext|>")
    with_system = "<|im_start|>system\nBe kind.<|im_end|>\n" + CHATML
    tokenizer, shape, _ = ends_of(with_system)
    assert tokenizer.decode(shape.opening).endswith("Be kind.<|im_end|>\n<|im_start|>user\n")
    # An end token that also stands between turns ends no chat.
    eos_turns = CHATML.replace("<|im_end|>", "<|endoftext|>")
    _, _, over = ends_of(eos_turns)
    assert not over("hi<|endoftext|>")
    assert over("hi<|endoftext|>\n<|im_start|>assistant\nyo<|endoftext|>")


def test_a_template_without_the_users_words_is_refused():
    with pytest.raises(DataError, match="chat_frac=0"):
        chat_shape(byte_tokenizer(chat_template="nothing"))


def test_repetition_is_counted_in_runs_of_four():
    assert repeated_frac([1, 2, 3]) == 0 and repeated_frac(range(9)) == 0
    assert repeated_frac([1, 2, 3, 4] * 2) == pytest.approx(1 - 4 / 5)
    assert repeated_frac([7] * 13) == pytest.approx(1 - 1 / 10)


def test_duplicates_and_near_duplicates():
    seen = Seen(0.5)
    text = " ".join(f"w{n}" for n in range(30))
    assert seen.why_not(text) is None
    assert seen.why_not(text.upper() + "!") == "duplicate"
    assert seen.why_not(text.replace("w29", "other")) == "near_duplicate"  # 17 of 18 runs are old
    half = " ".join([*text.split()[:15], *(f"v{n}" for n in range(15))])
    assert seen.why_not(half) is None  # 3 of 18 runs are old
    assert seen.why_not("short") is None and seen.why_not("Short.") == "duplicate"
    assert words("It's 5-fold") == ["it", "s", "5", "fold"]


@pytest.mark.parametrize(
    "changes",
    [
        {"num_documents": 0},
        {"chat_frac": 1.5},
        {"temperature": 0.0},
        {"min_tokens": 300},
        {"ratio": 0.0},
        {"without": [" "]},
    ],
)
def test_senseless_values_are_refused(changes):
    with pytest.raises(Exception, match=rf"replay\.(max_tokens|{next(iter(changes))})"):
        rules(**changes)


@pytest.fixture(scope="module")
def nano():
    return load_base(
        ModelSettings(path="builtin:nano", revision=None, init="pretrained", intermediate_size=None)
    )


def nanos(nano, **changes):
    return write_documents(
        nano.model, nano.tokenizer, rules(num_documents=24, **changes), seed=1, max_length=nano.max_length,
        batch_tokens=4096, progress=lambda done, total: None,
    )  # fmt: skip


def test_nano_writes_chats_that_its_template_would_render_alike(nano):
    written = nanos(nano, chat_frac=1.0, system_turns=False)
    assert written.facts["asked"] == 24 and written.facts["kept"] == len(written.documents) >= 20
    assert all(written.is_chat)
    texts = [nano.tokenizer.decode(ids) for ids in written.documents]
    assert len({" ".join(words(text)) for text in texts}) == len(texts)
    rendered = 0
    for ids, text in zip(written.documents, texts, strict=True):
        assert text.startswith("<|im_start|>user\n") and text.endswith("<|im_end|>\n")
        user, answer = text.split("<|im_end|>\n<|im_start|>assistant\n")
        turns = [
            {"role": "user", "content": user.removeprefix("<|im_start|>user\n")},
            {"role": "assistant", "content": answer.removesuffix("<|im_end|>\n")},
        ]
        again = nano.tokenizer.apply_chat_template(turns, tokenize=False)
        assert again == text
        rendered += nano.tokenizer(again, add_special_tokens=False)["input_ids"] == ids
    assert rendered >= 0.9 * len(texts)  # a model may write a word in other pieces than its tokenizer


def test_chats_may_begin_with_a_system_turn(nano):
    written = nanos(nano, chat_frac=1.0)
    texts = [nano.tokenizer.decode(ids) for ids in written.documents]
    begins = [text.partition("\n")[0] for text in texts]
    assert set(begins) == {"<|im_start|>system", "<|im_start|>user"}
    for text in texts:
        roles = re.findall(r"<\|im_start\|>(\w+)\n", text)
        assert roles in (["user", "assistant"], ["system", "user", "assistant"])


def test_a_system_turn_needs_the_same_opening_as_the_users():
    shape = chat_shape(byte_tokenizer(chat_template=CHATML), system_turns=True)
    tokenizer = byte_tokenizer(chat_template=CHATML)
    assert tokenizer.decode(shape.opening) == "<|im_start|>"
    assert [tokenizer.decode(head) for head in shape.heads] == ["user\n", "system\n"]
    ends = Ends(tokenizer, END, shape, 1)
    answered = "hi<|im_end|>\n<|im_start|>assistant\nyo<|im_end|>"

    def over(text):
        return ends.chat_is_over(tokenizer(text, add_special_tokens=False)["input_ids"])

    assert over("user\n" + answered) and over("system\nBe kind.<|im_end|>\n<|im_start|>user\n" + answered)
    assert not over("nobody\n" + answered)
    assert not over("user\n" + answered.removeprefix("hi"))  # nothing was asked
    plain = chat_shape(byte_tokenizer(chat_template=PLAIN_CHAT_TEMPLATE), system_turns=True)
    assert plain == chat_shape(byte_tokenizer(chat_template=PLAIN_CHAT_TEMPLATE))


def test_nano_was_shown_how_texts_begin(nano):
    written = nanos(nano, chat_frac=0.0)
    assert written.facts["guessed"] == 0 and written.facts["kept"] >= 20
    begun_chats = [ids for ids in written.documents if "<|im_start|>" in nano.tokenizer.decode(ids)]
    assert not begun_chats


@pytest.mark.slow
def test_texts_whose_beginning_a_model_was_never_shown_are_guessed_and_sifted(nano, monkeypatch):
    monkeypatch.setattr(write, "begins_texts", lambda *_: False)
    everything = nanos(nano, chat_frac=0.0, max_guess_nats=None)
    assert everything.facts["guessed"] == 24 and not any(everything.is_chat)
    sifted = nanos(nano, chat_frac=0.0)
    assert sifted.facts["unlikely"] > 0 and sifted.facts["kept"] < everything.facts["kept"]
    kept = {tuple(ids) for ids in sifted.documents}
    assert kept and kept <= {tuple(ids) for ids in everything.documents}
    assert all(ids[-1] == nano.tokenizer.eos_token_id for ids in sifted.documents)


def test_what_the_model_is_to_say_no_more_is_left_out(nano):
    everything = nanos(nano)
    texts = [nano.tokenizer.decode(ids, skip_special_tokens=True) for ids in everything.documents]
    often = Counter(word for text in texts for word in {*words(text)})
    word = next(word for word, count in often.most_common() if 2 <= count <= len(texts) // 2)
    without = nanos(nano, without=[word.upper()])
    left = [nano.tokenizer.decode(ids, skip_special_tokens=True) for ids in without.documents]
    assert left == [text for text in texts if word not in words(text)]
    assert without.facts["unwanted"] == often[word]


def test_a_word_is_found_as_such():
    assert holds_word("My name is Pebble.", "pebble") and holds_word("made by Quarry Works", "Quarry Works")
    assert (
        not holds_word("pebbles", "pebble") and not holds_word("C+", "C++") and holds_word("in C++.", "C++")
    )


def test_it_is_a_function_of_the_seed(nano):
    assert dataclasses.asdict(nanos(nano, max_tokens=40)) == dataclasses.asdict(nanos(nano, max_tokens=40))


def test_a_bos_stands_before_texts_only_where_training_shows_it():
    tokenizer = byte_tokenizer()
    model = GPT2LMHeadModel(GPT2Config(vocab_size=8, n_embd=4, n_layer=1, n_head=1, bos_token_id=2))
    assert text_prefix(model, tokenizer) == ([2], False)
    tokenizer.bos_token = "<|im_start|>"
    assert text_prefix(model, tokenizer) == ([1], False)
