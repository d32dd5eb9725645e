"""Write a folder from which foam makes GPT-2's full shape with random weights; nothing is downloaded.

    python experiments/growing_llm/gpt2_shape.py FOLDER TOKENIZER
    foam train experiment=growing_llm model.path=FOLDER model.init=random data=wikitext2 data.path=TEXT

TOKENIZER is a folder with any fast tokenizer of at most 50,257 tokens; GPT-2's own is its `tokenizer.json`.
"""

import shutil
import sys
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, GPT2Config


def main(folder: Path, tokenizer: Path) -> None:
    """Write config and tokenizer, and say how large the model is.

    Args:
        folder: Made anew.
        tokenizer: A folder with `tokenizer.json`.

    Raises:
        SystemExit: The tokenizer has more tokens than the model.
    """
    config = GPT2Config()
    folder.mkdir(parents=True)
    config.save_pretrained(folder)
    for name in ("tokenizer.json", "vocab.json", "merges.txt", "tokenizer_config.json"):
        if (tokenizer / name).is_file():
            shutil.copy(tokenizer / name, folder / name)
    num_tokens = len(AutoTokenizer.from_pretrained(folder))
    if num_tokens > config.vocab_size:
        raise SystemExit(f"{tokenizer}: has {num_tokens} tokens, and the model has {config.vocab_size}.")
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(config)
    print(f"{folder}: {sum(p.numel() for p in model.parameters()):,} parameters")  # noqa: T201


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
