"""Which tokens of a document are learnt."""

import os
from pathlib import Path

import pytest
from tiny_tokenizer import CHATML, byte_tokenizer

from foam_cli.core.errors import DataError, ModelError
from foam_cli.data.encode import EncodingError, encode_documents
from foam_cli.model.loading import PLAIN_CHAT_TEMPLATE, complete_tokenizer

LLAMA_LIKE = (
    "{{ bos_token or '' }}{% for m in messages %}<|start_header_id|>{{ m.role }}<|end_header_id|>\n\n"
    "{{ m.content | trim }}<|eot_id|>{% endfor %}"
    "{% if add_generation_prompt %}<|start_header_id|>assistant<|end_header_id|>\n\n{% endif %}"
)
MISTRAL_LIKE = (
    "{% for m in messages %}{% if m.role == 'assistant' %} {{ m.content }}</s>{% else %}[INST] "
    "{{ m.content }} [/INST]{% endif %}{% endfor %}"
)
REWRITING = "{{ messages | length }}{% for m in messages %}{{ m.content }}{% endfor %}"

CHAT = [
    ("system", "Sé bref ."),
    ("user", "2 assistant apples?"),
    ("assistant", "Two  \n\n apples 🍎"),
    ("user", "Two  \n\n apples 🍎"),
    ("assistant", "yes\n"),
]


def messages(*turns):
    return {"messages": [{"role": role, "content": content} for role, content in turns]}


def learnt(tokenizer, document, **changes):
    """The text of every run of consecutive learnt tokens."""
    settings = {"max_length": 10_000, "loss_on": "assistant", **changes}
    corpus = encode_documents([document], tokenizer, **settings)
    runs, previous = [], False
    for token, mark in zip(corpus.ids.tolist(), corpus.targets.tolist(), strict=True):
        if mark and not previous:
            runs.append([])
        if mark:
            runs[-1].append(token)
        previous = mark
    return [tokenizer.decode(run) for run in runs]


# What is learnt is written down here by hand from what each template prints around the assistant's words.
TEMPLATES = {
    "chatml": (CHATML, ["Two  \n\n apples 🍎<|im_end|>\n", "yes\n<|im_end|>\n"]),
    "llama": (LLAMA_LIKE, ["Two  \n\n apples 🍎<|eot_id|>", "yes<|eot_id|>"]),
    "mistral": (MISTRAL_LIKE, [" Two  \n\n apples 🍎</s>", " yes\n</s>"]),
    "fallback": (PLAIN_CHAT_TEMPLATE, [" Two  \n\n apples 🍎\n<|endoftext|>", " yes\n\n<|endoftext|>"]),
}


@pytest.mark.parametrize("name", TEMPLATES)
def test_only_the_assistant_is_learnt(name):
    template, wanted = TEMPLATES[name]
    tokenizer = byte_tokenizer(template)
    assert learnt(tokenizer, messages(*CHAT)) == wanted


def test_an_assistant_may_speak_first():
    found = learnt(byte_tokenizer(CHATML), messages(("assistant", "Hello"), ("user", "Hi")))
    assert found == ["Hello<|im_end|>\n"]


def test_a_tokenizer_without_a_template_is_given_one():
    tokenizer = byte_tokenizer()
    complete_tokenizer(tokenizer)
    assert learnt(tokenizer, messages(("user", "a"), ("assistant", "b"))) == [" b\n<|endoftext|>"]
    assert tokenizer.pad_token == "<|endoftext|>"


def test_a_tokenizer_that_can_end_nothing_is_refused():
    tokenizer = byte_tokenizer()
    tokenizer.eos_token = None
    with pytest.raises(ModelError, match="eos_token"):
        complete_tokenizer(tokenizer)


def test_loss_on_all_learns_all_but_the_first_token():
    tokenizer = byte_tokenizer(CHATML)
    whole = tokenizer.apply_chat_template(messages(*CHAT)["messages"], tokenize=False)
    assert learnt(tokenizer, messages(*CHAT), loss_on="all") == [whole.removeprefix("<|im_start|>")]


def test_a_template_that_rewrites_the_past_is_refused():
    with pytest.raises(EncodingError, match=r"example 0: the chat template renders") as caught:
        learnt(byte_tokenizer(REWRITING), messages(*CHAT))
    assert list(caught.value.fixes) == ["loss_on", "model"]


def test_a_template_that_refuses_is_quoted():
    template = "{{ raise_exception('no ' + messages[0].role + ' turns') }}"
    with pytest.raises(DataError, match=r"chat\.jsonl, line 3: .*no system turns"):
        learnt(byte_tokenizer(template), {**messages(*CHAT), "name": "chat.jsonl, line 3"})


def test_long_chats_are_truncated_and_counted():
    tokenizer = byte_tokenizer(CHATML)
    documents = [messages(("user", "a"), ("assistant", "b" * n)) for n in (1, 50, 60)]
    corpus = encode_documents(documents, tokenizer, max_length=40, loss_on="assistant")
    wanted = {"documents": 3, "truncated": 2, "skipped": 0, "tokens": int(corpus.lengths.sum())}
    assert corpus.facts == wanted
    assert corpus.lengths.tolist()[1:] == [40, 40]


def test_an_example_that_truncation_leaves_without_a_target_is_named():
    document = {**messages(("user", "a" * 99), ("assistant", "b")), "name": "chat.jsonl, line 7"}
    with pytest.raises(DataError, match=r"chat\.jsonl, line 7: has no token to learn within the first 40"):
        encode_documents([document], byte_tokenizer(CHATML), max_length=40, loss_on="assistant")
    with pytest.raises(DataError, match="no token to learn"):
        encode_documents(
            [messages(("user", "a"))], byte_tokenizer(CHATML), max_length=40, loss_on="assistant"
        )


def test_examples_without_a_target_may_be_left_out_and_are_counted():
    documents = [
        messages(("user", "a" * 99), ("assistant", "b")),
        messages(("user", "a"), ("assistant", "b")),
    ]
    settings = {"max_length": 60, "loss_on": "assistant", "skip_untrainable": True}
    corpus = encode_documents(documents, byte_tokenizer(CHATML), **settings)
    assert len(corpus) == 1 and corpus.facts["skipped"] == 1 and corpus.facts["documents"] == 2
    with pytest.raises(DataError, match="no example"):
        encode_documents(documents[:1], byte_tokenizer(CHATML), **settings)


def test_no_example_at_all():
    with pytest.raises(DataError, match="no example"):
        encode_documents([], byte_tokenizer(CHATML), max_length=40, loss_on="assistant")


@pytest.mark.parametrize("length", [1, 2, 9, 10, 11, 18, 19, 20, 37])
def test_text_windows_learn_every_token_exactly_once(length):
    tokenizer = byte_tokenizer()
    text = "".join(chr(97 + n % 26) for n in range(length))
    corpus = encode_documents([{"text": text}], tokenizer, max_length=10, loss_on="assistant")
    taught = [
        token
        for index in range(len(corpus))
        for token, mark in zip(corpus.example(index).ids, corpus.example(index).targets, strict=True)
        if mark
    ]
    assert tokenizer.decode(taught) == text[1:] + "<|endoftext|>"
    assert corpus.lengths.max() <= 10 and not any(corpus.example(i).targets[0] for i in range(len(corpus)))


@pytest.mark.real
@pytest.mark.parametrize("name", ["qwen2.5", "gpt2"])
def test_a_real_tokenizer_learns_what_the_assistant_says(name):
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(Path(os.environ["FOAM_REAL_DATA"]) / "tokenizers" / name)
    tokenizer.eos_token = "<|im_end|>" if name == "qwen2.5" else "<|endoftext|>"
    complete_tokenizer(tokenizer)
    for turns in (CHAT, CHAT[1:]):
        one, two = learnt(tokenizer, messages(*turns))
        assert one.lstrip(" ").startswith("Two  \n\n apples 🍎") and two.lstrip(" ").startswith("yes")
        end = "<|im_end|>\n" if name == "qwen2.5" else "\n<|endoftext|>"
        assert one.endswith(end) and two.endswith(end)
        assert "user" not in one + two and "2 assistant" not in one + two
