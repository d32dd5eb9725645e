import pytest
from transformers import PreTrainedTokenizerFast

from foam_cli.data.nanoworld.corpus import base_documents
from foam_cli.data.nanoworld.tokenizer import END_OF_TEXT, TURN_END, TURN_START, train_tokenizer


@pytest.fixture(scope="module")
def tokenizer() -> PreTrainedTokenizerFast:
    return train_tokenizer(base_documents(0)[:3000], 700)


def test_a_name_has_the_same_tokens_in_a_sentence_and_in_json(tokenizer: PreTrainedTokenizerFast) -> None:
    for sentence, value in [
        ("Call Kavi now.", '{"name": "Kavi"}'),
        ("Room Zipu has 47.", '{"n": 47, "r": "Zipu"}'),
    ]:
        said, written = tokenizer.tokenize(sentence), tokenizer.tokenize(value)
        for name in ("Ka vi", "Zi pu", "4 7"):
            pieces = name.split()
            found = [pieces == tokens[i : i + 2] for tokens in (said, written) for i in range(len(tokens))]
            assert sum(found) == (2 if "".join(pieces) in sentence else 0)


@pytest.mark.parametrize(
    "text", ['{"a": [1, 20]}\n\tTABS  and   spaces', "Größe: 12 µm, 東京!", "ABC aBC x_y <b>Q</b>"]
)
def test_every_text_survives(tokenizer: PreTrainedTokenizerFast, text: str) -> None:
    assert tokenizer.decode(tokenizer.encode(text)) == text


def test_special_tokens_come_first_and_chat_is_chatml(tokenizer: PreTrainedTokenizerFast) -> None:
    assert tokenizer.convert_tokens_to_ids([END_OF_TEXT, TURN_START, TURN_END]) == [0, 1, 2]
    assert len(tokenizer) == 700
    text = tokenizer.apply_chat_template(
        [{"role": "system", "content": "S"}, {"role": "user", "content": "U"}],
        tokenize=False,
        add_generation_prompt=True,
    )
    assert text == "<|im_start|>system\nS<|im_end|>\n<|im_start|>user\nU<|im_end|>\n<|im_start|>assistant\n"
