"""Templates without a system turn: the system's text opens the first turn of the user."""

import pytest
from tiny_tokenizer import CHATML, byte_tokenizer

from foam_cli.core.errors import DataError
from foam_cli.data.encode import encode_documents
from foam_cli.data.skills.english.world import english_world
from foam_cli.data.skills.mixture import skill_documents
from foam_cli.evaluation.prompts import render_prompt
from foam_cli.model.chat import render_chat

TURNS = (
    "{% for m in messages %}{% if (m.role == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('roles must alternate') }}{% endif %}"
    "<{{ 'model' if m.role == 'assistant' else m.role }}>{{ m.content | trim }}</s>{% endfor %}"
    "{% if add_generation_prompt %}<model>{% endif %}"
)
#: As Gemma's does.
REFUSING = "{% if messages[0].role == 'system' %}{{ raise_exception('no system role') }}{% endif %}" + TURNS
#: As some older ones do.
FORGETTING = (
    "{% for m in messages if m.role != 'system' %}<{{ 'model' if m.role == 'assistant' else m.role }}>"
    "{{ m.content | trim }}</s>{% endfor %}{% if add_generation_prompt %}<model>{% endif %}"
)
SYSTEM, ASKED = {"role": "system", "content": "Be brief.\n"}, {"role": "user", "content": "Hi"}
ANSWERED, AGAIN = {"role": "assistant", "content": "Hello"}, {"role": "user", "content": "Bye"}


@pytest.mark.parametrize("template", [REFUSING, FORGETTING], ids=["refuses", "forgets"])
def test_the_system_text_opens_the_first_turn(template):
    chat = [SYSTEM, ASKED, ANSWERED, AGAIN]
    text = render_chat(byte_tokenizer(template), chat, open_reply=True)
    assert text == "<user>Be brief.\n\n\nHi</s><model>Hello</s><user>Bye</s><model>"
    assert chat == [SYSTEM, ASKED, ANSWERED, AGAIN]


@pytest.mark.parametrize("template", [REFUSING, FORGETTING, CHATML])
def test_a_chat_without_a_system_turn_and_a_template_with_one_stay_as_they_are(template):
    tokenizer = byte_tokenizer(template)
    chats = [[ASKED, ANSWERED]] + ([[SYSTEM, ASKED, ANSWERED]] if template == CHATML else [])
    for chat in chats:
        assert render_chat(tokenizer, chat) == tokenizer.apply_chat_template(chat, tokenize=False)


@pytest.mark.parametrize(
    ("chat", "reason"),
    [
        ([SYSTEM, ASKED, AGAIN], "no system role"),
        ([ASKED, AGAIN], "roles must alternate"),
        ([SYSTEM, ANSWERED], "no system role"),
        ([SYSTEM], "no system role"),
    ],
)
def test_what_the_template_refuses_for_other_reasons_stays_refused(chat, reason):
    with pytest.raises(DataError, match=reason):
        render_chat(byte_tokenizer(REFUSING), chat)


@pytest.mark.parametrize("template", [REFUSING, FORGETTING, CHATML], ids=["refuses", "forgets", "knows"])
def test_what_is_evaluated_is_the_beginning_of_what_is_trained(template):
    """The model is asked exactly what stood before the words that it learnt, turn by turn."""
    tokenizer = byte_tokenizer(template)
    documents = skill_documents(english_world("Foam", "the Foam Lab"), 3, 12)
    assert any(d["messages"][0]["role"] == "system" for d in documents)
    for document in documents:
        messages = document["messages"]
        corpus = encode_documents([document], tokenizer, max_length=100_000, loss_on="assistant")
        example = corpus.example(0)
        ids, targets = list(example.ids), list(example.targets)
        for place, message in enumerate(messages):
            if message["role"] == "assistant":
                asked = render_prompt(tokenizer, messages[:place])
                assert ids[: len(asked)] == asked and targets[len(asked)] and not targets[len(asked) - 1]
        if messages[0]["role"] == "system":
            assert messages[0]["content"].strip() in tokenizer.decode(ids)
