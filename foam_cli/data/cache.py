"""Tokenised once: a corpus is kept on disk and memory-mapped by `datasets` the next time.

An entry is one Arrow file with a row per example (`ids`, `targets`), so `datasets.Dataset.from_file` opens it
anywhere. Its name is a hash of everything that its content follows from: every document, the tokenizer and
its chat template, and the settings of `encode_documents`. Entries are never changed, only added; the folder
may be deleted at any time.
"""

import hashlib
import json
import os
import time
from collections.abc import Iterable, Sequence
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np

from foam_cli.core.files import file_written_aside, sha256_json
from foam_cli.data.corpus import Corpus
from foam_cli.data.encode import Document, LossOn, encode_documents

#: Part of every key: to be raised when the same documents are to give other tokens, or a file another layout.
VERSION = 2
#: Less text than this is tokenised almost as fast as `datasets` is imported, and is not kept.
MIN_CHARACTERS = 1_000_000
#: A corpus that was just tokenised stays in memory, as long as that takes less than this.
MAX_TOKENS_IN_MEMORY = 10_000_000


def cache_folder(setting: str | None) -> Path | None:
    """Read the setting `cache_dir`.

    Args:
        setting: A folder, `auto` or None.

    Returns:
        The folder, or None where nothing is to be kept.
    """
    if setting == "auto":
        setting = os.environ.get("FOAM_CACHE") or "~/.cache/foam"
    return None if setting is None else Path(setting).expanduser()


def encode_cached(
    documents: Sequence[Document],
    tokenizer: Any,
    *,
    folder: Path | None,
    max_length: int,
    loss_on: LossOn,
    skip_untrainable: bool,
) -> Corpus:
    """Tokenise documents, or find them tokenised.

    Args:
        documents: As for `encode_documents`.
        tokenizer: As there.
        folder: Where corpora are kept, or None to keep none.
        max_length: As there.
        loss_on: As there.
        skip_untrainable: As there.

    Returns:
        The corpus; the same whether it was found or made.

    Documents that cannot be trained on are the DataError that `encode_documents` raises.
    """
    settings = {"max_length": max_length, "loss_on": loss_on, "skip_untrainable": skip_untrainable}

    def encoded() -> Corpus:
        return encode_documents(
            documents,
            tokenizer,
            max_length=max_length,
            loss_on=loss_on,
            skip_untrainable=skip_untrainable,
        )

    identity = tokenizer_identity(tokenizer)
    if folder is None or identity is None or not _worth_keeping(documents):
        return encoded()
    file = folder / "corpora" / f"{_key(documents, identity, settings)}.arrow"
    found = load(file)
    if found is not None:
        return found
    made = encoded()
    save(made, file)
    if len(made.ids) <= MAX_TOKENS_IN_MEMORY:
        return made
    del made  # before its file is mapped, so that there are never two of it
    return load(file) or encoded()


def tokenizer_identity(tokenizer: Any) -> str | None:
    """Hash what decides the tokens that a tokenizer makes; where it was loaded from does not.

    Args:
        tokenizer: The tokenizer.

    Returns:
        SHA-256 in hex, or None for a tokenizer that cannot be written down.
    """
    import tokenizers
    import transformers

    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is None:
        return None
    template = str(tokenizer.chat_template)
    parts = [backend.to_str(), type(tokenizer).__qualname__, str(tokenizer.special_tokens_map), template]
    parts += [tokenizers.__version__, transformers.__version__]
    if "strftime_now" in template:  # a template may write today's date
        parts.append(time.strftime("%Y-%m-%d"))
    return sha256_json(parts)


def _worth_keeping(documents: Iterable[Document]) -> bool:
    return any(so_far >= MIN_CHARACTERS for so_far in accumulate(map(_characters, documents)))


def _characters(document: Document) -> int:
    if "text" in document:
        return len(document["text"])
    return sum(len(message["content"]) for message in document["messages"])


def _key(documents: Sequence[Document], identity: str, settings: dict[str, Any]) -> str:
    digest = hashlib.sha256(sha256_json([VERSION, identity, settings]).encode())
    for document in documents:
        content = document.get("text", document.get("messages"))
        digest.update(json.dumps(content).encode())
        digest.update(b"\n")
    return digest.hexdigest()[:40]


def save(corpus: Corpus, file: Path) -> None:
    """Write a corpus, whole or not at all: any number of processes may write the same one at once.

    Args:
        corpus: The corpus.
        file: Where to.
    """
    import pyarrow as pa

    offsets = pa.array(corpus.offsets)
    table = pa.table(
        {
            "ids": pa.LargeListArray.from_arrays(offsets, pa.array(corpus.ids)),
            "targets": pa.LargeListArray.from_arrays(offsets, pa.array(corpus.targets.view(np.uint8))),
        }
    )
    schema = table.schema.with_metadata({"facts": json.dumps(corpus.facts), "seal": _seal(corpus)})
    with (
        file_written_aside(file) as aside,
        pa.OSFile(str(aside), "wb") as sink,
        pa.ipc.new_stream(sink, schema) as writer,
    ):
        # One batch: the lists of all examples then lie in one flat array, which Corpus works on as it is.
        writer.write_batch(table.to_batches()[0])


def load(file: Path) -> Corpus | None:
    """Map a corpus into memory; its pages are read when they are used, and belong to no process.

    Args:
        file: From `save`.

    Returns:
        The corpus, or None where there is none or the file is damaged.
    """
    if not file.is_file():
        return None
    import datasets
    import pyarrow as pa

    try:
        with pa.memory_map(str(file)) as source:
            about = pa.ipc.open_stream(source).schema.metadata  # `datasets` has its own in the same place
        table = datasets.Dataset.from_file(str(file)).data.table
        table.validate()
        ids, targets = (table.column(name).chunk(0) for name in ("ids", "targets"))
        corpus = Corpus(
            ids=ids.values.to_numpy(zero_copy_only=True),
            targets=targets.values.to_numpy(zero_copy_only=True).view(np.bool_),
            offsets=ids.offsets.to_numpy(zero_copy_only=True),
            facts=json.loads(about[b"facts"]),
        )
        whole = about[b"seal"].decode() == _seal(corpus)
    except (OSError, ValueError, KeyError, IndexError, TypeError, AttributeError):
        return None
    return corpus if whole else None


def _seal(corpus: Corpus) -> str:
    """What tells a whole file from a damaged one; a run hashes its corpus in any case."""
    return sha256_json([corpus.sha256, corpus.facts])
