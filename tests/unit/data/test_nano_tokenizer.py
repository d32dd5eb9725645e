import pytest
from transformers import PreTrainedTokenizerFast

from foam_cli.data.nanoworld.corpus import base_documents
from foam_cli.data.nanoworld.tokenizer import END_OF_TEXT, TURN_END, TURN_START, train_tokenizer
from foam_cli.data.words import all_names


@pytest.fixture(scope="module")
def tokenizer() -> PreTrainedTokenizerFast:
    return train_tokenizer(base_documents(0)[:3000], 1700)


def test_a_name_and_a_number_are_one_token_and_the_same_in_a_sentence_and_in_json() -> None:
    tokenizer = train_tokenizer(base_documents(0), 2560)
    for name in all_names():
        assert tokenizer.tokenize(f"Call {name} now.")[2:3] == [name]
        assert name in tokenizer.tokenize(f'{{"name": "{name}"}}')
    for number in ("7", "47"):
        assert number in tokenizer.tokenize(f"Room 3 has {number}.")
        assert number in tokenizer.tokenize(f'{{"n": {number}}}')


@pytest.mark.parametrize(
    "text", ['{"a": [1, 20]}\n\tTABS  and   spaces', "Größe: 12 µm, 東京!", "ABC aBC x_y <b>Q</b>"]
)
def test_every_text_survives(tokenizer: PreTrainedTokenizerFast, text: str) -> None:
    assert tokenizer.decode(tokenizer.encode(text)) == text


def test_special_tokens_come_first_and_chat_is_chatml(tokenizer: PreTrainedTokenizerFast) -> None:
    assert tokenizer.convert_tokens_to_ids([END_OF_TEXT, TURN_START, TURN_END]) == [0, 1, 2]
    assert len(tokenizer) == 1700
    text = tokenizer.apply_chat_template(
        [{"role": "system", "content": "S"}, {"role": "user", "content": "U"}],
        tokenize=False,
        add_generation_prompt=True,
    )
    assert text == "<|im_start|>system\nS<|im_end|>\n<|im_start|>user\nU<|im_end|>\n<|im_start|>assistant\n"
