import shutil
from pathlib import Path

import pytest
from tokenizers import Tokenizer
from transformers import AutoTokenizer, Qwen2Tokenizer

import foam_cli
from foam_cli.data.nanoworld.corpus import base_documents
from foam_cli.data.nanoworld.tokenizer import (
    END_OF_TEXT,
    TURN_END,
    TURN_START,
    document_texts,
    train_tokenizer,
)
from foam_cli.data.words import all_names

NANO = Path(foam_cli.__file__).parent / "assets" / "nano"


@pytest.fixture(scope="module")
def tokenizer() -> Qwen2Tokenizer:
    return train_tokenizer(base_documents(0)[:3000], 1700)


def test_a_name_and_a_number_are_one_token_and_the_same_in_a_sentence_and_in_json_as_shipped() -> None:
    shipped = AutoTokenizer.from_pretrained(NANO)
    for name in all_names():
        assert shipped.tokenize(f"Call {name} now.")[2:3] == [name]
        assert name in shipped.tokenize(f'{{"name": "{name}"}}')
    for number in range(100):
        assert shipped.tokenize(f"Room 3 has {number}.")[-2] == str(number)
        assert str(number) in shipped.tokenize(f'{{"n": {number}}}')


@pytest.mark.slow
def test_what_plain_transformers_loads_is_what_was_trained(tokenizer: Qwen2Tokenizer, tmp_path: Path) -> None:
    # transformers cuts text for a Qwen2 model by Qwen's pattern, whatever tokenizer.json says
    tokenizer.save_pretrained(tmp_path)
    shutil.copy(NANO / "config.json", tmp_path)
    loaded = AutoTokenizer.from_pretrained(tmp_path)
    as_written = Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
    for text in document_texts(base_documents(0)[:1000]):
        ids = tokenizer(text)["input_ids"]
        assert loaded(text)["input_ids"] == ids == as_written.encode(text).ids
        assert loaded.decode(ids) == text


@pytest.mark.parametrize(
    "text",
    ['{"a": [1, 20]}\n\tTABS  and   spaces', "Größe: 12 µm, 東京!", "ABC aBC x_y <b>Q</b> 7 12 1234 5.67"],
)
def test_every_text_survives(tokenizer: Qwen2Tokenizer, text: str) -> None:
    assert tokenizer.decode(tokenizer.encode(text)) == text


def test_special_tokens_come_first_and_chat_is_chatml(tokenizer: Qwen2Tokenizer) -> None:
    assert tokenizer.convert_tokens_to_ids([END_OF_TEXT, TURN_START, TURN_END]) == [0, 1, 2]
    assert len(tokenizer) == 1700
    text = tokenizer.apply_chat_template(
        [{"role": "system", "content": "S"}, {"role": "user", "content": "U"}],
        tokenize=False,
        add_generation_prompt=True,
    )
    assert text == "<|im_start|>system\nS<|im_end|>\n<|im_start|>user\nU<|im_end|>\n<|im_start|>assistant\n"
