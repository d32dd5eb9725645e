"""The tokenizer of nano: byte-level BPE in which a name or a number is one token, the same everywhere.

A space belongs to the lower-case word or the punctuation behind it, but stands alone before a capital or a
digit. So a name is the same token in a sentence and inside a JSON string, and a small model can copy it.

It is a `Qwen2Tokenizer`, whatever its files say: transformers reads the vocabulary of a Qwen2 model but cuts
the text by Qwen's own pattern, which parts digits. Hence no merge is learnt that this pattern would forbid,
and numbers of two digits are added tokens, which are found before the text is cut.
"""

import json
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from foam_cli.data.nanoworld.language import WORDS
from foam_cli.data.words import PHRASE_WORDS, all_names

if TYPE_CHECKING:
    from transformers import Qwen2Tokenizer

END_OF_TEXT, TURN_START, TURN_END = "<|endoftext|>", "<|im_start|>", "<|im_end|>"
PIECES = r" ?[a-z]+|[A-Z]+[a-z]*|[0-9]| ?[^\sA-Za-z0-9]+|\s"
NUMBERS = [str(number) for number in range(10, 100)]
WORD_REPEATS = 100
CHAT_TEMPLATE = (
    "{% for message in messages %}"
    "{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)


def document_texts(documents: Iterable[dict[str, Any]]) -> list[str]:
    """List the texts that a vocabulary is learnt from.

    Args:
        documents: Documents with `text` or `messages`.

    Returns:
        One text per document or message; a message begins with its role.
    """
    texts: list[str] = []
    for document in documents:
        texts.extend(
            [document["text"]]
            if "text" in document
            else [f"{m['role']}\n{m['content']}" for m in document["messages"]]
        )
    return texts


def train_tokenizer(documents: Iterable[dict[str, Any]], vocab_size: int) -> "Qwen2Tokenizer":
    """Learn a byte-level BPE vocabulary.

    Args:
        documents: The corpus.
        vocab_size: Size of the vocabulary, special tokens and numbers included.

    Returns:
        A tokenizer with the ChatML template.
    """
    from tokenizers import Regex, Tokenizer, models, pre_tokenizers, trainers
    from transformers import AddedToken, Qwen2Tokenizer

    backend = Tokenizer(models.BPE())
    split = pre_tokenizers.Split(Regex(PIECES), behavior="isolated")
    bytes_only = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    backend.pre_tokenizer = pre_tokenizers.Sequence([split, bytes_only])
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size - len(NUMBERS),
        special_tokens=[END_OF_TEXT, TURN_START, TURN_END],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    # Any one name or word is rare: said often enough here, with and without a space, each becomes a token.
    words = [*WORDS, *PHRASE_WORDS]
    known = [*all_names(), *words, *(f" {word}" for word in words)]
    backend.train_from_iterator([*document_texts(documents), *known * WORD_REPEATS], trainer)
    merges: Any = [tuple(merge) for merge in json.loads(backend.to_str())["model"]["merges"]]
    tokenizer = Qwen2Tokenizer(
        vocab=backend.get_vocab(with_added_tokens=True),
        merges=merges,
        eos_token=END_OF_TEXT,
        pad_token=END_OF_TEXT,
        model_max_length=512,
    )
    tokenizer.add_tokens([AddedToken(TURN_START, special=True), AddedToken(TURN_END, special=True)])
    tokenizer.add_tokens([AddedToken(number, normalized=False) for number in NUMBERS])
    tokenizer.chat_template = CHAT_TEMPLATE
    return tokenizer
